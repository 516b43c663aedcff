package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxReviewers = 6
	maxWait      = 43200 // minutes: 30 days
)

// putEnvironment is PUT …/environments/{environment_name}: it makes the environment, or replaces its rules.
func putEnvironment(c *call) reply {
	var in struct {
		WaitTimer         int  `json:"wait_timer"`
		PreventSelfReview bool `json:"prevent_self_review"`
		Reviewers         []struct {
			Type string `json:"type"`
			ID   int64  `json:"id"`
		} `json:"reviewers"`
		Policy *struct {
			Protected bool `json:"protected_branches"`
			Custom    bool `json:"custom_branch_policies"`
		} `json:"deployment_branch_policy"`
	}
	if refusal, good := c.decode(&in); len(c.body) > 0 && !good {
		return refusal
	}
	switch {
	case c.repo.lacks(PlanTeam):
		return notFound()
	case in.WaitTimer < 0 || in.WaitTimer > maxWait || len(in.Reviewers) > maxReviewers:
		return invalid(custom("Environment", "wait_timer", "is not in the range of 0 to 43200, or there are more than six reviewers"))
	case in.Policy != nil && in.Policy.Protected == in.Policy.Custom:
		return invalid(custom("Environment", "deployment_branch_policy", "protected_branches and custom_branch_policies cannot have the same value"))
	case c.repo.lacks(PlanEnterprise) && (len(in.Reviewers) > 0 || in.WaitTimer > 0 || in.PreventSelfReview):
		return problem(http.StatusUnprocessableEntity, "Failed to create the environment protection rule. Please ensure the billing plan supports the required reviewers protection rule.")
	}
	rules := EnvironmentRules{PreventSelfReview: in.PreventSelfReview, WaitTimer: time.Duration(in.WaitTimer) * time.Minute}
	for _, one := range in.Reviewers {
		if !c.addReviewer(&rules, one.Type, one.ID) {
			return invalid(custom("Environment", "reviewers", fmt.Sprintf("%s %d cannot review", one.Type, one.ID)))
		}
	}
	e := c.repo.environment(c.params["environment_name"])
	rules.NoBypass = e.rules.NoBypass // no request changes it
	if in.Policy != nil {
		rules.ProtectedBranches = in.Policy.Protected
		if in.Policy.Custom {
			rules.Branches = append([]string{}, e.rules.Branches...)
		}
	}
	e.rules, e.updated = rules, c.s.clock()
	return ok(c.repo.viewEnvironment(e))
}

// addReviewer adds a person who can read the repository, or a team of its organization.
func (c *call) addReviewer(rules *EnvironmentRules, kind string, id int64) bool {
	if kind == "Team" {
		for _, t := range c.s.teams {
			if t.id == id && strings.EqualFold(t.org.Login, c.repo.owner) {
				rules.Teams = append(rules.Teams, t)
				return true
			}
		}
		return false
	}
	for _, u := range c.s.users {
		if u.ID == id && (!c.repo.private || c.repo.role(u.Login) >= Read) {
			rules.Reviewers = append(rules.Reviewers, u.Login)
			return kind == "User"
		}
	}
	return false
}

// deleteEnvironment is DELETE …/environments/{environment_name}.
func deleteEnvironment(c *call) reply {
	e := c.repo.findEnvironment(c.params["environment_name"])
	if e == nil || c.repo.lacks(PlanTeam) {
		return notFound()
	}
	c.repo.environments = slices.DeleteFunc(c.repo.environments, func(o *environment) bool { return o == e })
	return noContent()
}

// postBranchPolicy is POST …/environments/{environment_name}/deployment-branch-policies.
func postBranchPolicy(c *call) reply {
	var in struct{ Name, Type string }
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	e := c.repo.findEnvironment(c.params["environment_name"])
	if e == nil || c.repo.lacks(PlanTeam) || e.rules.Branches == nil || in.Name == "" {
		return notFound() // only where named branches may deploy
	}
	if in.Type == "tag" {
		in.Name = tagPolicy + in.Name
	}
	if slices.Contains(e.rules.Branches, in.Name) {
		return reply{status: http.StatusSeeOther, header: http.Header{"Location": {c.repo.api() + "/environments/" + e.name}}}
	}
	e.rules.Branches = append(e.rules.Branches, in.Name)
	return ok(c.repo.viewBranchPolicy(e, in.Name))
}

// deleteBranchPolicy is DELETE …/deployment-branch-policies/{branch_policy_id}.
func deleteBranchPolicy(c *call) reply {
	e := c.repo.findEnvironment(c.params["environment_name"])
	if e == nil {
		return notFound()
	}
	for i, pattern := range e.rules.Branches {
		if strconv.FormatInt(e.policyIDs[pattern], 10) == c.params["branch_policy_id"] {
			e.rules.Branches = slices.Delete(e.rules.Branches, i, i+1)
			return noContent()
		}
	}
	return notFound()
}
