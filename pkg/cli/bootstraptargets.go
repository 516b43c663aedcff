package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/engine/terraform/iam"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/text"
)

// targetRole is a role that `role` names: which work it does, on which targets.
type targetRole struct {
	account, path, name string
	customers           map[string]bool
	environments        map[pipeline.Environment]bool
	stacks              map[pipeline.StackName]bool
	works               map[pipeline.Work]bool
	gates               map[string]bool // environments of its jobs
	limits              pipeline.Limits // the longest
}

// awsRole is the ARN of a role in AWS; other servers have no roles that Terraform's
// provider for AWS makes.
var awsRole = text.Pattern(`^arn:aws[a-z-]*:iam::([0-9]{12}):role(/(?:.*/)?)([^/]+)$`)

// targetRoles are the roles of `role` in the account that is asked for, or in the only
// one. Notes name what is left out, and what is to be known.
func (b roleBook) targetRoles() (roles []iam.Role, notes []string, err error) {
	found, accounts := b.named()
	account := b.options.account
	if account == "" && len(accounts) == 1 {
		account = accounts[0]
	}
	for _, arn := range slices.Sorted(maps.Keys(found)) {
		r := found[arn]
		switch {
		case r.name == "":
			notes = append(notes, "Not here, since it is no role of AWS: "+arn)
		case r.account == account:
			role, err := b.targetRole(*r, len(roles))
			if err != nil {
				return nil, nil, err
			}
			roles = append(roles, role)
			if len(r.works) == 2 {
				notes = append(notes, "The role "+r.name+" plans and applies, so that jobs without a reviewer can take it. Put {{ command }} into `role`.")
			}
		}
	}
	for _, other := range accounts {
		if other != account {
			notes = append(notes, "Roles in account "+other+": metapipe bootstrap roles --account "+other)
		}
	}
	return roles, notes, nil
}

// named collects the roles of all targets by their ARN, and the accounts in order.
func (b roleBook) named() (found map[string]*targetRole, accounts []string) {
	found = map[string]*targetRole{}
	for _, c := range b.manager.config.Customers {
		for _, t := range c.Targets() {
			for _, work := range []pipeline.Work{pipeline.WorkPlan, pipeline.WorkApply} {
				if c.Manager.Role == "" {
					continue
				}
				arn := c.Manager.Role.Of(t, work)
				r := found[arn]
				if r == nil {
					r = &targetRole{customers: map[string]bool{}, environments: map[pipeline.Environment]bool{}, stacks: map[pipeline.StackName]bool{}, works: map[pipeline.Work]bool{}, gates: map[string]bool{}}
					if m := awsRole().FindStringSubmatch(arn); m != nil {
						r.account, r.path, r.name = m[1], m[2], m[3]
						accounts = append(accounts, r.account)
					}
					found[arn] = r
				}
				r.customers[string(c.Name)], r.environments[t.Environment], r.stacks[t.Stack] = true, true, true
				r.works[work], r.gates[t.Gate(work)] = true, true
				r.limits.PlanTimeout = max(r.limits.PlanTimeout, c.Manager.Limits.PlanTimeout)
				r.limits.ApplyTimeout = max(r.limits.ApplyTimeout, c.Manager.Limits.ApplyTimeout)
			}
		}
	}
	slices.Sort(accounts)
	return found, slices.Compact(accounts)
}

// targetRole trusts the environments of its work. Drift plans in no environment.
func (b roleBook) targetRole(r targetRole, number int) (iam.Role, error) {
	role := iam.Role{Label: fmt.Sprintf("numbered-%d", number+1), Name: r.name, Path: r.path, Session: minRoleSession, Bounded: true, Variable: "plan_policy_arns",
		Description: "metapipe for " + onlyName(r.customers, "several customers") + " in " + onlyName(r.environments, "several environments") + inStack(r.stacks)}
	for _, g := range slices.Sorted(maps.Keys(r.gates)) {
		role.Subjects = append(role.Subjects, b.subject.Of(actions.InEnvironment(g)))
	}
	for _, work := range []pipeline.Work{pipeline.WorkPlan, pipeline.WorkApply} {
		if !r.works[work] {
			continue
		}
		if work == pipeline.WorkPlan {
			role.Subjects = append(role.Subjects, b.subject.Of(actions.Branch(b.repository.DefaultBranch)))
		} else {
			role.Variable = "apply_policy_arns"
		}
		role.Session = max(role.Session, r.limits.SessionTime(work))
		policy, err := b.policy(store.Role(work), onlyName(r.customers, "*"), onlyName(r.environments, "*"), onlyName(r.stacks, "*"))
		if err != nil {
			return role, err
		}
		role.Policies = append(role.Policies, policy)
	}
	role.Label = labelOf(r.name, role.Label)
	return role, nil
}

// inStack names the one stack of a role; nothing where stacks have no names.
func inStack(stacks map[pipeline.StackName]bool) string {
	if name := onlyName(stacks, "several stacks"); name != "" {
		return ", " + name
	}
	return ""
}

// onlyName is the one name of a set, or what stands for several.
func onlyName[K ~string](set map[K]bool, several string) string {
	if len(set) != 1 {
		return several
	}
	for name := range set {
		return string(name)
	}
	return several
}

// labelOf is the name of a role as a label, so that its resource keeps its address when
// other roles come; names that Terraform does not take get a number.
func labelOf(name, number string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return strings.ContainsRune("+=,.@", r) }) {
		return number
	}
	return "target-" + name
}
