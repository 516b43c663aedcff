package hub

import (
	"fmt"
	"net/url"
	"strings"
)

// SetEnvironment makes an environment or gives it other rules.
func (r *Repo) SetEnvironment(name string, rules EnvironmentRules) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	where := fmt.Sprintf("set environment %q of %s", name, r.slug())
	if name == "" || len(rules.Reviewers) > 6 {
		return fmt.Errorf("%s: it needs a name and at most six reviewers", where)
	}
	for _, login := range rules.Reviewers {
		if _, err := r.s.user(login); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if r.private && r.role(login) < Read {
			return fmt.Errorf("%s: reviewer %s cannot read the repository", where, login)
		}
	}
	e := r.environment(name)
	if len(rules.Branches) == 0 {
		rules.Branches = nil
	}
	e.rules, e.updated = rules, r.s.clock()
	return nil
}

// findEnvironment: names compare without regard to case.
func (r *Repo) findEnvironment(name string) *environment {
	for _, e := range r.environments {
		if strings.EqualFold(e.name, name) {
			return e
		}
	}
	return nil
}

// environment finds the environment or makes it without rules: on GitHub that
// is what a job or deployment that names an unknown one does.
func (r *Repo) environment(name string) *environment {
	if e := r.findEnvironment(name); e != nil {
		return e
	}
	now := r.s.clock()
	e := &environment{id: r.s.id("environment"), name: name, created: now, updated: now}
	for i := range e.ruleIDs {
		e.ruleIDs[i] = r.s.id("rule")
	}
	r.environments = append(r.environments, e)
	return e
}

func (r *Repo) viewEnvironment(e *environment) object {
	v := r.viewEnvironmentShort(e)
	v["created_at"], v["updated_at"] = stamp(e.created), stamp(e.updated)
	rules := []object{}
	if e.rules.WaitTimer > 0 {
		rules = append(rules, object{"id": e.ruleIDs[0], "node_id": nodeID("GA", e.ruleIDs[0]), "type": "wait_timer", "wait_timer": int(e.rules.WaitTimer.Minutes())})
	}
	if e.rules.gated() {
		rules = append(rules, object{
			"id": e.ruleIDs[1], "node_id": nodeID("GA", e.ruleIDs[1]), "type": "required_reviewers",
			"prevent_self_review": e.rules.PreventSelfReview, "reviewers": r.viewReviewers(e),
		})
	}
	v["deployment_branch_policy"] = nil
	if custom := e.rules.Branches != nil; custom || e.rules.ProtectedBranches {
		rules = append(rules, object{"id": e.ruleIDs[2], "node_id": nodeID("GA", e.ruleIDs[2]), "type": "branch_policy"})
		v["deployment_branch_policy"] = object{"protected_branches": !custom, "custom_branch_policies": custom}
	}
	v["can_admins_bypass"] = !e.rules.NoBypass
	v["protection_rules"] = rules
	return v
}

func (r *Repo) viewEnvironmentShort(e *environment) object {
	return object{
		"id": e.id, "node_id": nodeID("EN", e.id), "name": e.name, "url": r.api() + "/environments/" + url.PathEscape(e.name),
		"html_url": r.html() + "/deployments/activity_log?environments_filter=" + url.QueryEscape(e.name),
	}
}

func (r *Repo) viewReviewers(e *environment) []object {
	out := []object{}
	for _, login := range e.rules.Reviewers {
		out = append(out, object{"type": "User", "reviewer": r.s.viewUser(r.s.users[strings.ToLower(login)])})
	}
	for _, t := range e.rules.Teams {
		out = append(out, object{"type": "Team", "reviewer": r.s.viewTeam(t)})
	}
	return out
}

// listEnvironments is GET …/environments.
func listEnvironments(c *call) reply {
	if c.repo.lacks(PlanTeam) {
		return notFound()
	}
	out := []object{}
	for _, e := range c.repo.environments {
		out = append(out, c.repo.viewEnvironment(e))
	}
	return ok(object{"total_count": len(out), "environments": page(c, out)})
}

// getEnvironment is GET …/environments/{environment_name}, the name escaped.
func getEnvironment(c *call) reply {
	if e := c.repo.findEnvironment(c.params["environment_name"]); e != nil && !c.repo.lacks(PlanTeam) {
		return ok(c.repo.viewEnvironment(e))
	}
	return notFound()
}

// tagPolicy begins the patterns of tags among rules.Branches. No branch has such a name.
const tagPolicy = "tag:"

// gated reports whether someone has to approve.
func (e EnvironmentRules) gated() bool { return len(e.Reviewers) > 0 || len(e.Teams) > 0 }

// listBranchPolicies is GET …/environments/{environment_name}/deployment-branch-policies.
func listBranchPolicies(c *call) reply {
	e := c.repo.findEnvironment(c.params["environment_name"])
	if e == nil || c.repo.lacks(PlanTeam) {
		return notFound()
	}
	out := []object{}
	for _, pattern := range e.rules.Branches {
		out = append(out, c.repo.viewBranchPolicy(e, pattern))
	}
	return ok(object{"total_count": len(out), "branch_policies": page(c, out)})
}

func (r *Repo) viewBranchPolicy(e *environment, pattern string) object {
	if e.policyIDs == nil {
		e.policyIDs = map[string]int64{}
	}
	if e.policyIDs[pattern] == 0 {
		e.policyIDs[pattern] = r.s.id("branch-policy")
	}
	id := e.policyIDs[pattern]
	kind := "branch"
	if name, tag := strings.CutPrefix(pattern, tagPolicy); tag {
		pattern, kind = name, "tag"
	}
	return object{"id": id, "node_id": nodeID("GABP", id), "name": pattern, "type": kind}
}

// DropEnvironments removes all environments.
func (r *Repo) DropEnvironments() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.environments = nil
}
