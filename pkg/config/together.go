package config

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// claim is something that belongs to one target: its role, its state, the statuses
// and deployments of its customer.
type claim struct {
	of   registered
	on   pipeline.Target // the zero value: the whole request
	kind string
	text string // equal for equal things
	name string // for messages; empty: text
}

// checkTargets refuses targets that would get one role, state, status or deployment
// together. The checks of single templates keep targets of one template apart; this
// holds for whatever two files say.
func (l *loader) checkTargets(all []registered) {
	first := map[string]claim{}
	reported := map[string]bool{}
	for _, c := range all {
		for _, claimed := range claims(c) {
			key := claimed.kind + "\x00" + claimed.text
			other, taken := first[key]
			if !taken {
				first[key] = claimed
				continue
			}
			pair := claimed.kind + "\x00" + string(other.of.Name) + "\x00" + string(c.Name)
			if other.of.Name == c.Name && other.on == claimed.on || mayShare(other, claimed) || reported[pair] {
				continue
			}
			reported[pair] = true
			l.shared(other, claimed)
		}
	}
}

func claims(c registered) []claim {
	request := pipeline.Request{Customer: c.Name, SharedRepository: c.SharedRepository}
	repository := fmt.Sprintf("%d ", c.RepositoryID)
	var list []claim
	if c.RepositoryID != 0 {
		list = append(list, claim{of: c, kind: "status", text: repository + request.StatusContext(pipeline.Target{})})
	}
	for _, t := range c.Targets() {
		state := c.Manager.State.Target(t, c.Manager.State.Directory)
		list = append(list, claim{of: c, on: t, kind: "key", text: pipeline.StateKey(t)}, claim{of: c, on: t, kind: "state", text: place(state), name: state.String()})
		if c.RepositoryID != 0 {
			list = append(list, claim{of: c, on: t, kind: "status", text: repository + request.StatusContext(t)},
				claim{of: c, on: t, kind: "deployment", text: repository + request.DeploymentEnvironment(t)})
		}
		for _, work := range []pipeline.Work{pipeline.WorkPlan, pipeline.WorkApply} {
			if role := c.Manager.Role; role != "" {
				// AWS does not distinguish upper from lower case in the names of roles.
				list = append(list, claim{of: c, on: t, kind: "role", text: strings.ToLower(role.Of(t, work))})
			}
		}
	}
	return list
}

// mayShare reports whether one role for two targets is meant: the manager's role
// names no customer, or the customers live in one repository, or both targets are
// one customer's and the template leaves out what keeps them apart.
func mayShare(a, b claim) bool {
	if a.kind != "role" {
		return false
	}
	x, y := a.of.Manager.Role, b.of.Manager.Role
	switch {
	case x != y:
		return false
	case a.of.Name == b.of.Name:
		byEnvironment := a.on.Environment != b.on.Environment && pipeline.Template(x).Holds(pipeline.PlaceholderEnvironment)
		byStack := a.on.Stack != b.on.Stack && pipeline.Template(x).Holds(pipeline.PlaceholderStack)
		return !byEnvironment && !byStack
	case pipeline.Template(x).Holds(pipeline.PlaceholderCustomer):
		return false
	}
	own := a.of.node.Get("role") != nil || b.of.node.Get("role") != nil
	return !own || a.of.RepositoryID == b.of.RepositoryID
}

func (l *loader) shared(a, b claim) {
	name := a.text
	if a.name != "" {
		name = a.name
	}
	for _, pair := range [][2]claim{{a, b}, {b, a}} {
		at, _ := pair[0].of.node.Locate(pair[0].kind)
		at.File = pair[0].of.File
		l.add(at, RuleShared, fmt.Sprintf("%s and %s would get the same %s: %s", target(pair[0]), target(pair[1]), a.kind, name),
			"give each of them a "+a.kind+" of its own")
		if a.of.Name == b.of.Name {
			return
		}
	}
}

func target(c claim) string {
	if c.on == (pipeline.Target{}) {
		return string(c.of.Name)
	}
	return c.on.String()
}
