package hub

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// EnterEnvironment is what happens when a job with `environment: name` is to
// start: a deployment is made, and the protection rules decide. An unknown
// environment is made on the spot, without rules, as GitHub does. Asking again
// for the same job and environment asks for the present answer.
func (r *Repo) EnterEnvironment(runID int64, job, name string) (Gate, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	_, g, err := r.enter(runID, job, name)
	if err != nil {
		return "", err
	}
	return g, nil
}

func (r *Repo) enter(runID int64, job, name string) (*gate, Gate, error) {
	x := r.run(runID)
	if x == nil || x.Status == "completed" {
		return nil, "", fmt.Errorf("enter environment %q: run %d of %s is not going on", name, runID, r.slug())
	}
	for _, g := range x.gates {
		if g.job == job && strings.EqualFold(g.env.name, name) {
			return g, r.decideGate(x, g), nil
		}
	}
	e := r.environment(name)
	g := &gate{env: e, job: job, since: r.s.clock(), changed: make(chan struct{})}
	g.deployment = r.deploy(deploymentInput{Ref: x.HeadBranch, Task: "deploy", Environment: name, Payload: []byte("{}")}, x.HeadSHA, "github-actions[bot]")
	g.deployment.runID = runID
	g.rejected = !e.admits(x.HeadBranch)
	x.gates = append(x.gates, g)
	return g, r.decideGate(x, g), nil
}

// admits is the branch policy.
func (e *environment) admits(branch string) bool {
	return e.rules.Branches == nil || slices.ContainsFunc(e.rules.Branches, func(pattern string) bool {
		hit, err := path.Match(pattern, branch)
		return err == nil && hit
	})
}

// decideGate looks at the rules anew and shows the answer in the run and in the
// deployment.
func (r *Repo) decideGate(x *run, g *gate) Gate {
	now := r.s.clock()
	switch {
	case g.rejected:
		r.deploymentOnce(g.deployment, "failure")
		return GateRejected
	case g.env.rules.gated() && !g.approved, now.Before(g.since.Add(g.env.rules.WaitTimer)):
		r.deploymentOnce(g.deployment, "queued")
		x.set("waiting", "", now)
		return GateWaiting
	}
	r.deploymentOnce(g.deployment, "in_progress")
	if x.Status == "waiting" && !r.stillWaits(x) {
		x.set("in_progress", "", now)
	}
	return GateOpen
}

func (r *Repo) stillWaits(x *run) bool {
	now := r.s.clock()
	return slices.ContainsFunc(x.gates, func(g *gate) bool {
		return !g.rejected && (g.env.rules.gated() && !g.approved || now.Before(g.since.Add(g.env.rules.WaitTimer)))
	})
}

func (r *Repo) deploymentOnce(d *deployment, state string) {
	if len(d.statuses) == 0 || d.state() != state {
		r.deploymentStatus(d, state, "", "github-actions[bot]")
	}
}

// LeaveEnvironment is the end of the job: its deployment gets its final state.
func (r *Repo) LeaveEnvironment(runID int64, job string, success bool) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	x := r.run(runID)
	if x == nil {
		return fmt.Errorf("leave an environment: %s has no run %d", r.slug(), runID)
	}
	for _, g := range x.gates {
		if g.job != job {
			continue
		}
		if !success {
			r.deploymentOnce(g.deployment, "failure")
			continue
		}
		r.deploymentOnce(g.deployment, "success")
		r.retire(g.deployment, "github-actions[bot]")
	}
	return nil
}

// AwaitEnvironment enters and blocks until the answer is not GateWaiting any
// more, the run is over, or ctx is done. The wait timer is looked at every
// 50 ms of real time.
func (r *Repo) AwaitEnvironment(ctx context.Context, runID int64, job, name string) (Gate, error) {
	for {
		r.s.mu.Lock()
		g, at, err := r.enter(runID, job, name)
		var changed <-chan struct{}
		if g != nil {
			changed = g.changed
		}
		r.s.mu.Unlock()
		if err != nil || at != GateWaiting {
			return at, err
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return GateWaiting, fmt.Errorf("wait for environment %q: %w", name, ctx.Err())
		}
	}
}

// Waiting are the environments whose reviewers or timer the run waits for.
func (r *Repo) Waiting(runID int64) []string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	var out []string
	if x := r.run(runID); x != nil {
		for _, g := range r.pending(x) {
			out = append(out, g.env.name)
		}
	}
	return out
}

func (r *Repo) pending(x *run) []*gate {
	var out []*gate
	for _, g := range x.gates {
		if x.Status != "completed" && r.decideGate(x, g) == GateWaiting {
			out = append(out, g)
		}
	}
	return out
}

// Review decides about one environment in the name of a reviewer, as the page
// of the run does.
func (r *Repo) Review(runID int64, env, login string, approved bool, comment string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	x := r.run(runID)
	if x == nil {
		return fmt.Errorf("review: %s has no run %d", r.slug(), runID)
	}
	e := r.findEnvironment(env)
	if e == nil {
		return fmt.Errorf("review run %d: %s has no environment %q", runID, r.slug(), env)
	}
	if !e.reviewer(login, x) {
		return fmt.Errorf("review run %d: %s may not review %q", runID, login, env)
	}
	if len(r.review(x, []*environment{e}, login, approved, comment)) == 0 {
		return fmt.Errorf("review run %d: nothing waits for %q", runID, env)
	}
	return nil
}

// reviewer: one of the list, and not who caused the attempt where self-review is prevented.
func (e *environment) reviewer(login string, x *run) bool {
	if e.rules.PreventSelfReview && strings.EqualFold(login, x.TriggeringActor) {
		return false
	}
	member := slices.ContainsFunc(e.rules.Teams, func(t *Team) bool { return t.members[strings.ToLower(login)] })
	return member || slices.ContainsFunc(e.rules.Reviewers, func(l string) bool { return strings.EqualFold(l, login) })
}

// review records the decision and returns the gates that it was about.
func (r *Repo) review(x *run, envs []*environment, login string, approved bool, comment string) []*gate {
	var hit []*gate
	rec := Review{User: login, Approved: approved, Comment: comment, At: r.s.clock()}
	for _, g := range r.pending(x) {
		if g.approved || !slices.Contains(envs, g.env) {
			continue
		}
		hit = append(hit, g)
		g.approved, g.rejected = approved, !approved
		if !slices.Contains(rec.Environments, g.env.name) {
			rec.Environments = append(rec.Environments, g.env.name)
		}
	}
	if len(hit) == 0 {
		return nil
	}
	x.Reviews = append(x.Reviews, rec)
	for _, g := range hit {
		r.decideGate(x, g)
		close(g.changed)
		g.changed = make(chan struct{})
	}
	if !approved && !r.stillWaits(x) {
		x.set("in_progress", "", r.s.clock())
	}
	return hit
}
