package hub

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (r *Repo) viewRun(x *run) object {
	self := fmt.Sprintf("%s/actions/runs/%d", r.api(), x.ID)
	actor := r.s.viewUser(r.s.users[strings.ToLower(x.Actor)])
	workflow := fmt.Sprintf("%s/actions/workflows/%d", r.api(), x.workflow.id)
	pulls := []object{}
	for _, p := range r.pullsInOrder() {
		// GitHub names pull requests of the same repository only.
		if strings.HasPrefix(x.Event, "pull_request") && p.head == x.HeadSHA && p.headRepo == r {
			pulls = append(pulls, r.viewPullShort(p))
		}
	}
	head := r.git.Commits[x.HeadSHA]
	return object{
		"id": x.ID, "node_id": nodeID("WFR", x.ID), "name": x.Name, "head_branch": orNull(x.HeadBranch), "head_sha": x.HeadSHA,
		"path": x.Path, "display_title": x.Title, "run_number": x.Number, "run_attempt": x.Attempt, "event": x.Event,
		"status": x.Status, "conclusion": orNull(x.Conclusion), "workflow_id": x.workflow.id, "check_suite_id": x.ID + 1000000,
		"check_suite_node_id": nodeID("CS", x.ID), "url": self, "html_url": x.URL, "pull_requests": pulls,
		"created_at": stamp(x.CreatedAt), "updated_at": stamp(x.UpdatedAt), "run_started_at": stamp(x.StartedAt),
		"actor": actor, "triggering_actor": r.s.viewUser(r.s.users[strings.ToLower(x.TriggeringActor)]), "referenced_workflows": []object{},
		"jobs_url": self + "/jobs", "logs_url": self + "/logs", "artifacts_url": self + "/artifacts",
		"check_suite_url": fmt.Sprintf("%s/check-suites/%d", r.api(), x.ID+1000000), "cancel_url": self + "/cancel",
		"rerun_url": self + "/rerun", "previous_attempt_url": nil, "workflow_url": workflow,
		"head_commit": object{
			"id": head.SHA, "tree_id": head.Tree, "message": head.Message, "timestamp": stamp(head.Committer.When),
			"author":    object{"name": head.Author.Name, "email": head.Author.Email},
			"committer": object{"name": head.Committer.Name, "email": head.Committer.Email},
		},
		"repository": r.view(), "head_repository": x.head.view(),
	}
}

func (r *Repo) viewPullShort(p *pull) object {
	side := func(repo *Repo, branch, sha string) object {
		return object{"ref": branch, "sha": sha, "repo": object{"id": repo.id, "url": repo.api(), "name": repo.name}}
	}
	return object{
		"id": p.id, "number": p.number, "url": r.api() + "/pulls/" + strconv.Itoa(p.number),
		"head": side(p.headRepo, p.headBranch, p.head), "base": side(r, p.baseBranch, p.base),
	}
}

// listRuns is GET …/actions/runs and …/workflows/{workflow_id}/runs, the newest
// first.
func listRuns(c *call) reply {
	w := c.params["workflow_id"]
	if w != "" && c.repo.findWorkflow(w) == nil {
		return notFound()
	}
	out := []object{}
	for _, x := range slices.Backward(c.repo.runs) {
		if (w == "" || x.workflow == c.repo.findWorkflow(w)) && c.wantedRun(x) {
			out = append(out, c.repo.viewRun(x))
		}
	}
	return ok(object{"total_count": len(out), "workflow_runs": page(c, out)})
}

func (c *call) wantedRun(x *run) bool {
	q := c.r.URL.Query()
	differs := func(name, value string) bool { return q.Get(name) != "" && !strings.EqualFold(q.Get(name), value) }
	if st := q.Get("status"); st != "" && st != x.Status && st != x.Conclusion {
		return false
	}
	return !differs("actor", x.Actor) && !differs("branch", x.HeadBranch) && !differs("event", x.Event) &&
		!differs("head_sha", x.HeadSHA) && createdIn(q.Get("created"), x.CreatedAt)
}

// createdIn is GitHub's search syntax for dates: ">=2024-01-02T03:04:05Z",
// "<…", "a..b" or a day.
func createdIn(query string, at time.Time) bool {
	if query == "" {
		return true
	}
	if from, to, isRange := strings.Cut(query, ".."); isRange {
		return (from == "*" || createdIn(">="+from, at)) && (to == "*" || createdIn("<="+to, at))
	}
	day := strings.TrimLeft(query, "<>=")
	sign := query[:len(query)-len(day)]
	begin, err := time.Parse(time.RFC3339, day)
	end := begin.Add(time.Second)
	if err != nil {
		if begin, err = time.Parse(time.DateOnly, day); err != nil {
			return false
		}
		end = begin.AddDate(0, 0, 1)
	}
	switch sign {
	case ">":
		return !at.Before(end)
	case ">=":
		return !at.Before(begin)
	case "<":
		return at.Before(begin)
	case "<=":
		return at.Before(end)
	}
	return !at.Before(begin) && at.Before(end)
}

func (c *call) run() *run {
	id, err := strconv.ParseInt(c.params["run_id"], 10, 64)
	if err != nil {
		return nil
	}
	return c.repo.run(id)
}

// getRun is GET …/actions/runs/{run_id}, also of one attempt.
func getRun(c *call) reply {
	x := c.run()
	if x == nil {
		return notFound()
	}
	n, asked := c.params["attempt_number"]
	if !asked || n == strconv.Itoa(x.Attempt) {
		return ok(c.repo.viewRun(x))
	}
	for _, old := range x.past {
		if n == strconv.Itoa(old.Attempt) {
			return ok(c.repo.viewRun(&run{Run: old, head: x.head, workflow: x.workflow}))
		}
	}
	return notFound()
}

// listJobs is GET …/actions/runs/{run_id}/jobs; of the last attempt unless
// filter=all.
func listJobs(c *call) reply {
	x := c.run()
	if x == nil {
		return notFound()
	}
	self := fmt.Sprintf("%s/actions/runs/%d", c.repo.api(), x.ID)
	out := []object{}
	for _, j := range x.Jobs {
		if j.attempt != x.Attempt && c.r.URL.Query().Get("filter") != "all" {
			continue
		}
		out = append(out, object{
			"id": j.ID, "run_id": x.ID, "run_url": self, "run_attempt": j.attempt, "node_id": nodeID("CR", j.ID), "head_sha": x.HeadSHA,
			"url": fmt.Sprintf("%s/actions/jobs/%d", c.repo.api(), j.ID), "html_url": fmt.Sprintf("%s/job/%d", x.URL, j.ID),
			"status": j.Status, "conclusion": orNull(j.Conclusion), "created_at": stamp(j.StartedAt), "started_at": stamp(j.StartedAt),
			"completed_at": when(j.CompletedAt), "name": j.Name, "check_run_url": fmt.Sprintf("%s/check-runs/%d", c.repo.api(), j.ID),
			"labels": []string{"ubuntu-latest"}, "runner_id": nil, "runner_name": nil, "runner_group_id": nil,
			"runner_group_name": nil, "workflow_name": x.Name, "head_branch": orNull(x.HeadBranch), "steps": []object{},
		})
	}
	return ok(object{"total_count": len(out), "jobs": page(c, out)})
}

// postCancel is POST …/actions/runs/{run_id}/cancel. What has not begun ends at
// once; a run in progress is asked to.
func postCancel(c *call) reply {
	x := c.run()
	switch {
	case x == nil:
		return notFound()
	case x.Status == "completed":
		return problem(409, "Cannot cancel a workflow run that is completed.")
	case x.Status == "in_progress":
		x.CancelRequested, x.UpdatedAt = true, c.s.clock()
		if hook, repo, id := c.s.opts.OnCancel, c.repo, x.ID; hook != nil {
			c.after = append(c.after, func() { hook(repo, id) })
		}
	default:
		c.endRun(x)
	}
	return reply{status: 202, body: object{}}
}

// postForceCancel is POST …/actions/runs/{run_id}/force-cancel: no job is waited
// for, whatever its condition.
func postForceCancel(c *call) reply {
	x := c.run()
	switch {
	case x == nil:
		return notFound()
	case x.Status == "completed":
		return problem(409, "Cannot cancel a workflow run that is completed.")
	}
	c.endRun(x)
	return reply{status: 202, body: object{}}
}

func (c *call) endRun(x *run) {
	x.CancelRequested = true
	for _, g := range c.repo.pending(x) {
		g.rejected = true
		c.repo.deploymentOnce(g.deployment, "inactive")
		close(g.changed)
		g.changed = make(chan struct{})
	}
	x.set("completed", "cancelled", c.s.clock())
}
