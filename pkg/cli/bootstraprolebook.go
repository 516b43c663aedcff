package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/engine/terraform/iam"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// Limits of IAM, in characters without white space. The trust policy may have 2,048
// until AWS is asked for more.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const (
	maxRoleName       = 64
	maxTrustDefault   = 2048
	maxTrust          = 4096
	maxInlinePolicies = 10240
	maxManagedPolicy  = 6144
	minRoleSession    = time.Hour
)

// roleBook derives the roles from the manager's configuration.
type roleBook struct {
	manager    *manager
	options    rolesOptions
	bucket     pipeline.Bucket
	repository pipeline.Repository
	subject    actions.Subject
}

// gate is the environment of the jobs that do the work, as workflows/manager names it.
func gate(env pipeline.Environment, work pipeline.Work) string {
	return string(env) + "-" + string(work)
}

// anyStack is the pattern of the stacks of an environment in a policy. The pattern of all
// environments covers their stacks, and targets that were left without one.
func anyStack(m pipeline.Manager, env string) string {
	if env == "*" || len(m.Stacks) == 0 {
		return ""
	}
	return "*"
}

// roles are all roles, or those of one account.
func (b roleBook) roles() (iam.Roles, error) {
	all := iam.Roles{Issuer: b.issuer(), Boundary: b.options.prefix + "boundary"}
	if err := b.checkIssuer(); err != nil {
		return all, err
	}
	targets, notes, err := b.targetRoles()
	if err != nil {
		return all, err
	}
	if b.options.account == "" {
		if all.Roles, err = b.jobRoles(); err != nil {
			return all, err
		}
		all.Outputs = b.outputs()
	}
	all.Roles = append(all.Roles, targets...)
	if len(all.Roles) == 0 {
		return all, pipeline.Usagef("`role` names no role in account %s", b.options.account).
			Nextf("run it without --account, which prints the roles of the jobs")
	}
	long, err := b.check(all)
	if err != nil {
		return all, err
	}
	all.Head = b.head(all.Roles, append(notes, long...))
	all.BoundaryPolicy, err = b.boundary(all.Roles)
	return all, err
}

// jobRoles are the roles that the steps of the workflows take.
func (b roleBook) jobRoles() ([]iam.Role, error) {
	branch := b.subject.Of(actions.Branch(b.repository.DefaultBranch))
	var works []iam.Role
	for _, env := range environmentsOf(b.manager.config.Manager) {
		for _, work := range []pipeline.Work{pipeline.WorkPlan, pipeline.WorkApply} {
			subject := b.subject.Of(actions.InEnvironment(gate(env, work)))
			role, err := b.jobRole(store.Role(work), string(env), subject)
			if err != nil {
				return nil, err
			}
			works = append(works, role)
		}
	}
	roles := make([]iam.Role, 0, 5+len(works))
	for _, of := range []store.Role{store.RoleFetchVars, store.RoleReport, store.RoleDrift, store.RoleSweep, store.RoleCompliance, store.RoleSync} { // their jobs have no environment
		role, err := b.jobRole(of, "*", branch)
		if err != nil {
			return nil, err
		}
		roles = append(roles, role)
	}
	return append(roles, works...), nil
}

// jobRole is the role of one command, for all customers; env may be "*".
func (b roleBook) jobRole(role store.Role, env string, subjects ...string) (iam.Role, error) {
	policy, err := b.policy(role, "*", env, anyStack(b.manager.config.Manager, env))
	r := iam.Role{Label: string(role), Path: "/", Description: "metapipe " + string(role), Subjects: subjects, Session: minRoleSession, Policies: []iam.Policy{policy}}
	if env != "*" {
		r.Label, r.Description = r.Label+"-"+env, r.Description+" in "+env
	}
	r.Name = b.options.prefix + r.Label
	switch role {
	case store.RoleApply:
		r.Bounded, r.Variable = true, "apply_policy_arns"
	case store.RolePlan, store.RoleDrift:
		r.Bounded, r.Variable = true, "plan_policy_arns"
	}
	if !b.plain() { // Terraform works under the roles of the targets alone
		r.Variable = ""
	}
	return r, err
}

// plain reports whether Terraform runs under the roles of the jobs for some customer.
func (b roleBook) plain() bool {
	c := b.manager.config
	return b.options.account == "" && (len(c.Customers) == 0 && c.Manager.Role == "" ||
		slices.ContainsFunc(c.Customers, func(c pipeline.Customer) bool { return c.Manager.Role == "" }))
}

func (b roleBook) policy(role store.Role, customer, env, stack string) (iam.Policy, error) {
	scope := store.Scope{Bucket: b.bucket, Customer: customer, Environment: env, Stack: stack, SealingKeys: b.manager.config.Manager.SealingKeys}
	scope.Needs, scope.Passes = outputsOf(b.manager.config.Manager, pipeline.StackName(stack))
	scope.Home = homeOf(b.manager.config.Manager, pipeline.StackName(stack))
	policy, err := store.RolePolicy(role, scope)
	return iam.Policy{Name: string(role), Document: policy.JSON()}, err
}

// boundary is what no role that runs Terraform may do, whatever its policies say.
func (b roleBook) boundary(roles []iam.Role) ([]byte, error) {
	iam := b.partition() + "iam::*:"
	resources := map[string]bool{
		iam + "oidc-provider/" + strings.TrimPrefix(b.issuer(), "https://"): true,
		iam + "policy/" + b.options.prefix + "boundary":                     true,
	}
	for _, r := range roles {
		if name := r.Name; strings.HasPrefix(name, b.options.prefix) && r.Path == "/" && b.options.prefix != "" {
			resources[iam+"role/"+b.options.prefix+"*"] = true
		} else {
			resources[iam+"role"+r.Path+name] = true
		}
	}
	policy := store.Policy{Version: "2012-10-17", Statement: []store.Statement{
		{Sid: "Everything", Effect: "Allow", Action: []string{"*"}, Resource: []string{"*"}},
		{Sid: "NotTheseRoles", Effect: "Deny", NotAction: []string{"iam:Get*", "iam:List*"}, Resource: slices.Sorted(maps.Keys(resources))},
	}}
	if size := compactSize(policy.JSON()); size > maxManagedPolicy {
		return nil, pipeline.Usagef("the permissions boundary would have %d characters, and AWS takes %d", size, maxManagedPolicy).
			Nextf("let the names of the roles of `role` begin with --name-prefix (%s), which is one entry for all", b.options.prefix)
	}
	return policy.JSON(), nil
}

// partition is the first part of the ARNs of the bucket's account.
func (b roleBook) partition() string { return "arn:" + store.Partition(b.bucket.Region) + ":" }

// check refuses what IAM would refuse in the middle of an apply, and returns what the
// reader must do before.
func (b roleBook) check(all iam.Roles) (notes []string, err error) {
	seen := map[string]string{}
	for _, r := range all.Roles {
		// IAM does not distinguish names by case, nor by path.
		if other, twice := seen[strings.ToLower(r.Name)]; twice {
			return nil, pipeline.Usagef("two roles would be called %s: %s and %s", r.Name, other, r.Description).
				Nextf("give the roles of the jobs other names with --name-prefix")
		}
		seen[strings.ToLower(r.Name)] = r.Description
		if len(r.Name) > maxRoleName {
			return nil, pipeline.Usagef("the role %s has a name of %d characters, and AWS takes %d", r.Name, len(r.Name), maxRoleName).
				Nextf("shorten --name-prefix, or the name of the environment")
		}
		size := 0
		for _, p := range r.Policies {
			size += compactSize(p.Document)
		}
		trust := all.TrustSize(r)
		switch {
		case size > maxInlinePolicies:
			return nil, pipeline.Usagef("the policies of the role %s have %d characters, and AWS takes %d", r.Name, size, maxInlinePolicies).
				Nextf("shorten state.prefix, or the name of the bucket")
		case trust > maxTrust:
			return nil, pipeline.Usagef("the trust policy of the role %s names %d subjects in %d characters, and AWS takes %d",
				r.Name, len(r.Subjects), trust, maxTrust).
				Nextf("use a manager of its own for some of the environments")
		case trust > maxTrustDefault:
			notes = append(notes, fmt.Sprintf("Before you apply it: ask AWS for the quota \"Role trust policy length\" of %d; that of %s has %d characters.", maxTrust, r.Name, trust))
		}
	}
	return notes, nil
}

func compactSize(document []byte) int {
	var b bytes.Buffer
	if json.Compact(&b, document) != nil {
		return len(document)
	}
	return b.Len()
}
