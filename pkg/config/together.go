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
	env  pipeline.Environment // empty: of the whole request
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
			if other.of.Name == c.Name && other.env == claimed.env || mayShare(other, claimed) || reported[pair] {
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
	for _, rule := range c.Manager.Environments {
		env := rule.Name
		if !c.Allows(env) {
			continue
		}
		state := c.Manager.State.Target(c.Name.In(env), c.Manager.State.Directory)
		list = append(list, claim{of: c, env: env, kind: "state", text: place(state), name: state.String()})
		if c.RepositoryID != 0 {
			list = append(list, claim{of: c, env: env, kind: "status", text: repository + request.StatusContext(request.Customer.In(env))},
				claim{of: c, env: env, kind: "deployment", text: repository + request.DeploymentEnvironment(request.Customer.In(env))})
		}
		for _, work := range []pipeline.Work{pipeline.WorkPlan, pipeline.WorkApply} {
			if role := c.Manager.Role; role != "" {
				// AWS does not distinguish upper from lower case in the names of roles.
				list = append(list, claim{of: c, env: env, kind: "role", text: strings.ToLower(role.Of(c.Name.In(env), work))})
			}
		}
	}
	return list
}

// mayShare reports whether one role for two targets is meant: the manager's role
// names no customer, or the customers live in one repository, or both targets are
// one customer's and the template leaves the environment out.
func mayShare(a, b claim) bool {
	if a.kind != "role" {
		return false
	}
	x, y := a.of.Manager.Role, b.of.Manager.Role
	switch {
	case x != y:
		return false
	case a.of.Name == b.of.Name:
		return !pipeline.Template(x).Holds(pipeline.PlaceholderEnvironment)
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
	if c.env == "" {
		return string(c.of.Name)
	}
	return string(c.of.Name) + "/" + string(c.env)
}
