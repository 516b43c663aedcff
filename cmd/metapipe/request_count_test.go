package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// StepCalls are the calls to GitHub of one step.
type StepCalls struct {
	Command       string
	Reads, Writes int
}

// PullRequestCalls is what a pull request that is planned in two environments
// asks of GitHub.
type PullRequestCalls struct {
	First []StepCalls
	// Again are the steps of the manager's run when it is run again, with nothing
	// changed since.
	Again []StepCalls
	// FirstStatus is the time from the dispatch to the first status that the
	// manager writes, without the queue of GitHub and the start of a runner.
	FirstStatus time.Duration
}

// CountPullRequest plays the pull request, with the reports of the workflow.
func CountPullRequest(t *testing.T) PullRequestCalls {
	t.Helper()
	w := New(t, nil)
	run, _ := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n  staging: {}\n"})
	var counted PullRequestCalls
	w.Hub.ResetCalls()
	asking := w.NewJob(run)
	trigger := asking.Start("trigger")
	r := &Request{W: w, Trigger: run, Run: w.Queued()}
	answer := func() []StepCalls {
		var steps []StepCalls
		step := func(args ...string) Result {
			t.Helper()
			j := w.NewJob(r.Run)
			end := j.Do(0, args...)
			steps = append(steps, w.callsOf(j, args[0]))
			return end
		}
		fetched := step("fetch-vars")
		r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
		report := []string{"report", "--customer", r.Customer, "--request", r.ID}
		step(report...)
		for _, env := range []string{"staging", "production"} {
			step(r.Args("plan", env)...)
			step(report...)
		}
		step(append(report, "--final")...).Want(t, "outcome=success")
		return steps
	}
	first := answer()
	if end := trigger.Wait(); end.Exit != 0 {
		t.Fatal(end.Log)
	}
	counted.First = append([]StepCalls{w.callsOf(asking, "trigger")}, first...)
	counted.FirstStatus = w.firstStatus()

	Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "success"))
	r.Run.Run = Must(w.Manager.Rerun(r.Run.Run.ID))(t)
	Check(t, w.Manager.SetRun(r.Run.Run.ID, "in_progress", ""))
	counted.Again = answer()
	w.WantNothingPending()
	return counted
}

// callsOf counts what the tokens of a job have asked. A poll that was asked before
// counts once.
func (w *Setup) callsOf(j *Job, command string) StepCalls {
	steps, seen := StepCalls{Command: command}, map[string]bool{}
	for _, c := range w.Hub.Calls() {
		if !strings.HasPrefix(c.Token, filepath.Base(j.Dir)+" ") {
			continue
		}
		switch key := c.Path + "?" + c.Query; {
		case c.Write():
			steps.Writes++
		case command != "trigger" || !seen[key]:
			seen[key] = true
			steps.Reads++
		}
	}
	return steps
}

// firstStatus is the time between the dispatch and the first status that somebody
// else than the customer's own run has written.
func (w *Setup) firstStatus() time.Duration {
	w.T.Helper()
	var dispatched time.Time
	for _, c := range w.Hub.Calls() {
		switch {
		case strings.HasSuffix(c.Path, "/dispatches"):
			dispatched = c.At
		case !dispatched.IsZero() && c.Write() && strings.Contains(c.Path, "/statuses/") && strings.HasSuffix(c.Token, " source"):
			return c.At.Sub(dispatched)
		}
	}
	w.T.Fatal("no dispatch was answered by a status")
	return 0
}

// CountProcesses deploys to one target with a tool that notes its calls, a line
// each, in a file; it returns how often plan and apply start it once its version
// is known.
func CountProcesses(t *testing.T, tool, calls string) (plan, apply int) {
	t.Helper()
	w := New(t, nil)
	for _, name := range []string{"first", "second"} {
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": strings.Replace(VariablesYML, "name: shop", "name: "+name, 1)}))
		before := lines(t, calls)
		w.NewJob(r.Run).With("METAPIPE_TOOL="+tool).Do(0, r.Args("plan", "staging")...).Want(t, "outcome="+string(pipeline.OutcomeWaiting))
		planned := lines(t, calls)
		w.NewJob(r.Run).With("METAPIPE_TOOL="+tool).Do(0, r.Args("apply", "staging")...).Want(t, "outcome="+string(pipeline.OutcomeApplied))
		plan, apply = planned-before, lines(t, calls)-planned
		r.Report("--final")
		Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "success"))
	}
	return plan, apply
}

func lines(t *testing.T, file string) int {
	t.Helper()
	return bytes.Count([]byte(ReadOptional(t, file)), []byte("\n"))
}

// TestPullRequestCalls holds that a run which is repeated with nothing changed
// does not cost more than the first one.
func TestPullRequestCalls(t *testing.T) {
	t.Parallel()
	counted := CountPullRequest(t)
	sum := func(steps []StepCalls) (reads, writes int) {
		for _, s := range steps {
			reads, writes = reads+s.Reads, writes+s.Writes
		}
		return reads, writes
	}
	t.Logf("first %+v", counted.First)
	t.Logf("again %+v", counted.Again)
	reads, writes := sum(counted.First)
	again, rewritten := sum(counted.Again)
	if reads == 0 || writes == 0 || again > reads || rewritten >= writes {
		t.Errorf("first %d reads and %d writes, again %d and %d", reads, writes, again, rewritten)
	}
	if counted.FirstStatus <= 0 {
		t.Errorf("the first status came after %s", counted.FirstStatus)
	}
}
