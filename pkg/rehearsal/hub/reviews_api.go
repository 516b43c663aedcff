package hub

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// listApprovals is GET …/actions/runs/{run_id}/approvals.
func listApprovals(c *call) reply {
	x := c.run()
	if x == nil {
		return notFound()
	}
	out := []object{}
	for _, rev := range x.Reviews {
		envs := []object{}
		for _, name := range rev.Environments {
			envs = append(envs, c.repo.viewEnvironment(c.repo.environment(name)))
		}
		state := "rejected"
		if rev.Approved {
			state = "approved"
		}
		out = append(out, object{
			"environments": envs, "state": state, "comment": rev.Comment,
			"user": c.s.viewUser(c.s.users[strings.ToLower(rev.User)]),
		})
	}
	return ok(out)
}

// listPending is GET …/actions/runs/{run_id}/pending_deployments.
func listPending(c *call) reply {
	x := c.run()
	if x == nil {
		return notFound()
	}
	out := []object{}
	for _, g := range c.repo.pending(x) {
		var since any
		if g.env.rules.WaitTimer > 0 {
			since = stamp(g.since)
		}
		out = append(out, object{
			"environment": c.repo.viewEnvironmentShort(g.env), "wait_timer": int(g.env.rules.WaitTimer.Minutes()),
			"wait_timer_started_at": since, "reviewers": c.repo.viewReviewers(g.env),
			"current_user_can_approve": c.token != nil && g.env.reviewer(c.token.User, x),
		})
	}
	return ok(out)
}

// postReview is POST …/actions/runs/{run_id}/pending_deployments.
func postReview(c *call) reply {
	x := c.run()
	if x == nil {
		return notFound()
	}
	var in struct {
		IDs     []json.Number `json:"environment_ids"`
		State   string        `json:"state"`
		Comment *string       `json:"comment"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if len(in.IDs) == 0 || in.Comment == nil || in.State != "approved" && in.State != "rejected" {
		return problem(422, "Invalid request.\n\nenvironment_ids, state (approved or rejected) and comment are needed.")
	}
	var envs []*environment
	for _, id := range in.IDs {
		at := slices.IndexFunc(c.repo.environments, func(e *environment) bool { return strconv.FormatInt(e.id, 10) == id.String() })
		if at < 0 || !c.repo.environments[at].reviewer(c.token.User, x) {
			return problem(422, "You are not a reviewer of environment "+id.String()+".")
		}
		envs = append(envs, c.repo.environments[at])
	}
	hit := c.repo.review(x, envs, c.token.User, in.State == "approved", *in.Comment)
	if len(hit) == 0 {
		return problem(422, "No pending deployment requests to approve or reject.")
	}
	out := []object{}
	for _, g := range hit {
		out = append(out, c.repo.viewDeployment(g.deployment))
	}
	return ok(out)
}
