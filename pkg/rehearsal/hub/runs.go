package hub

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// StartRun records a new run.
func (r *Repo) StartRun(n NewRun) (Run, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	where := fmt.Sprintf("start a run of %s in %s", n.Path, r.slug())
	if _, err := r.s.user(n.Actor); err != nil {
		return Run{}, fmt.Errorf("%s: %w", where, err)
	}
	if r.git.Commits[n.HeadSHA] == nil {
		return Run{}, fmt.Errorf("%s: commit %q does not exist", where, n.HeadSHA)
	}
	if n.Status == "" {
		n.Status = "queued"
	}
	if err := checkRunState(n.Status, ""); err != nil {
		return Run{}, fmt.Errorf("%s: %w", where, err)
	}
	return r.newRun(n).copy(), nil
}

func (r *Repo) newRun(n NewRun) *run {
	now := r.s.clock()
	if n.HeadRepo == nil {
		n.HeadRepo = r
	}
	w := r.workflow(n.Path)
	w.runs++
	title := n.Title
	if title == "" {
		title, _, _ = strings.Cut(r.git.Commits[n.HeadSHA].Message, "\n")
	}
	x := &run{workflow: w, head: n.HeadRepo, Run: Run{
		ID: r.s.id("run"), Number: w.runs, Attempt: 1, Event: n.Event, Path: n.Path, Name: w.Name, Title: title, HeadSHA: n.HeadSHA,
		HeadBranch: n.HeadBranch, Status: n.Status, Actor: n.Actor, TriggeringActor: n.Actor, CreatedAt: now, UpdatedAt: now, StartedAt: now,
	}}
	x.URL = fmt.Sprintf("%s/actions/runs/%d", r.html(), x.ID)
	r.runs = append(r.runs, x)
	return x
}

var runStatuses = []string{"queued", "in_progress", "waiting", "pending", "requested", "completed"}

var runConclusions = []string{"success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"}

func checkRunState(status, conclusion string) error {
	if !slices.Contains(runStatuses, status) {
		return fmt.Errorf("status %q is none of %s", status, strings.Join(runStatuses, ", "))
	}
	if (status == "completed") != (conclusion != "") || conclusion != "" && !slices.Contains(runConclusions, conclusion) {
		return fmt.Errorf("conclusion %q does not fit status %q", conclusion, status)
	}
	return nil
}

// SetRun moves a run to a status; only a completed one has a conclusion.
func (r *Repo) SetRun(id int64, status, conclusion string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	x := r.run(id)
	if x == nil {
		return fmt.Errorf("%s has no run %d", r.slug(), id)
	}
	if err := checkRunState(status, conclusion); err != nil {
		return fmt.Errorf("set run %d of %s: %w", id, r.slug(), err)
	}
	x.set(status, conclusion, r.s.clock())
	return nil
}

func (x *run) set(status, conclusion string, at time.Time) {
	x.Status, x.Conclusion, x.UpdatedAt = status, conclusion, at
}

// Rerun begins the next attempt of a completed run, asked for by the account that caused the
// last one.
func (r *Repo) Rerun(id int64) (Run, error) { return r.RerunBy(id, "") }

// RerunBy begins the next attempt of a completed run in the name of login. The run's
// actor stays: https://docs.github.com/actions/reference/workflows-and-actions/contexts#github-context
func (r *Repo) RerunBy(id int64, login string) (Run, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	x := r.run(id)
	if x == nil || x.Status != "completed" {
		return Run{}, fmt.Errorf("rerun %d of %s: no such completed run", id, r.slug())
	}
	if login == "" {
		login = x.TriggeringActor
	}
	by, err := r.s.user(login)
	if err != nil {
		return Run{}, fmt.Errorf("rerun %d of %s: %w", id, r.slug(), err)
	}
	now := r.s.clock()
	x.past = append(x.past, x.copy())
	x.Attempt++
	x.TriggeringActor = by.Login
	x.StartedAt, x.CancelRequested, x.gates = now, false, nil
	x.set("queued", "", now)
	return x.copy(), nil
}

// SetJob records a job of the run's attempt, or moves it on.
func (r *Repo) SetJob(runID int64, name, status, conclusion string) (Job, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	x := r.run(runID)
	if x == nil {
		return Job{}, fmt.Errorf("%s has no run %d", r.slug(), runID)
	}
	if err := checkRunState(status, conclusion); err != nil {
		return Job{}, fmt.Errorf("set job %q of run %d: %w", name, runID, err)
	}
	now := r.s.clock()
	at := slices.IndexFunc(x.Jobs, func(j Job) bool { return j.Name == name && j.attempt == x.Attempt })
	if at < 0 {
		x.Jobs = append(x.Jobs, Job{ID: r.s.id("job"), Name: name, StartedAt: now, attempt: x.Attempt})
		at = len(x.Jobs) - 1
	}
	j := &x.Jobs[at]
	j.Status, j.Conclusion, x.UpdatedAt = status, conclusion, now
	if status == "completed" {
		j.CompletedAt = now
	}
	return *j, nil
}

// Run returns one run.
func (r *Repo) Run(id int64) (Run, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if x := r.run(id); x != nil {
		return x.copy(), nil
	}
	return Run{}, fmt.Errorf("%s has no run %d", r.slug(), id)
}

func (r *Repo) run(id int64) *run {
	for _, x := range r.runs {
		if x.ID == id {
			return x
		}
	}
	return nil
}

func (x *run) copy() Run {
	out := x.Run
	out.Jobs, out.Reviews = slices.Clone(x.Jobs), slices.Clone(x.Reviews)
	return out
}
