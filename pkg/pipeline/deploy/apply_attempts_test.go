package deploy_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// An apply that could change nothing leaves its plan as it was: the job, run again,
// applies it, and once.
func TestAnApplyThatChangedNothingLeavesItsPlan(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	in := w.Target(request, "staging")
	w.Engine.NotStarted = &pipeline.FailedError{Message: "Error acquiring the state lock", Next: "wait"}
	for attempt := range 2 {
		in.Run.Attempt = attempt + 1
		if got, err := w.Apply(in); err == nil || got.Outcome != pipeline.OutcomeFailed {
			t.Fatalf("attempt %d: %+v %v", in.Run.Attempt, got, err)
		}
		if got := w.Report(request, false).Targets[0]; got.Outcome != pipeline.OutcomeWaiting || !pipelinetest.ContainsAll(got.Message, "state lock") {
			t.Fatalf("while its job can be run again: %+v", got)
		}
	}
	report := w.Report(request, true)
	if got := report.Targets[0]; got.Outcome != pipeline.OutcomeFailed || !pipelinetest.ContainsAll(got.Next, "wait", "applies the same plan") {
		t.Fatalf("at the end: %+v", got)
	}
	if keys := w.OpenKeys(); len(keys) != 0 {
		t.Fatalf("the request is closed, and stands in the index: %v", keys)
	}
	w.Engine.NotStarted = nil
	in.Run.Attempt = 3
	w.Engine.DuringApply = func() {
		if keys := w.OpenKeys(); len(keys) != 1 {
			t.Errorf("a request whose apply goes on is not in the index: %v", keys)
		}
	}
	for range 2 {
		if got := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in)); got.Outcome != pipeline.OutcomeApplied {
			t.Fatalf("%+v", got)
		}
	}
	if w.Engine.Applies != 1 {
		t.Fatalf("%d applies", w.Engine.Applies)
	}
	if got := w.Report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeApplied {
		t.Fatalf("%+v", got)
	}
}

// A use that goes on keeps everybody else away, whatever became of those before
// it, and a plan that was taken out of use stays so.
func TestUsesOfAPlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uses   []string // bodies of apply-0001.json, apply-0001-ended.json, apply-0002.json …
		reason pipeline.Reason
	}{
		"free": {}, "went on and nobody knows": {[]string{`{}`}, pipeline.ReasonAlreadyApplied},
		"free again":             {[]string{`{}`, `{"outcome":"failed","retryable":true}`}, ""},
		"could not begin":        {[]string{`{"not_started": {"outcome":"refused","reason":"missing-protection","retryable":true}}`}, ""},
		"doomed":                 {[]string{`{"not_started": {"outcome":"refused","reason":"tampered"}}`}, pipeline.ReasonTampered},
		"revoked":                {[]string{`{"not_started": {"outcome":"superseded","reason":"superseded"},"revoked":true}`}, pipeline.ReasonSuperseded},
		"void after a free one":  {[]string{`{}`, `{"retryable":true}`, `{"not_started": {"outcome":"expired","reason":"expired"},"revoked":true}`}, pipeline.ReasonExpired},
		"goes on after a free":   {[]string{`{}`, `{"retryable":true}`, `{}`}, pipeline.ReasonAlreadyApplied},
		"failed after a free":    {[]string{`{}`, `{"retryable":true}`, `{}`, `{"outcome":"failed"}`}, pipeline.ReasonAlreadyApplied},
		"free after two of them": {[]string{`{}`, `{"retryable":true}`, `{}`, `{"retryable":true}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			keys := []string{"apply-0001.json", "apply-0001-ended.json", "apply-0002.json", "apply-0002-ended.json"}
			for i, body := range c.uses {
				w.Sign(w.Folder(request, "staging")+keys[i], body)
			}
			_, err := w.Apply(w.Target(request, "staging"))
			var refused *pipeline.RefusedError
			switch {
			case c.reason == "":
				if err != nil || w.Engine.Applies != 1 {
					t.Fatalf("%v, %d applies", err, w.Engine.Applies)
				}
			case !errors.As(err, &refused) || refused.Reason != c.reason || w.Engine.Applies != 0:
				t.Fatalf("%v, %d applies", err, w.Engine.Applies)
			}
		})
	}
}

// A newer request takes a plan out of use also when an apply has tried it.
func TestNewerRequestEndsATriedPlan(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	old := w.WaitingRequest()
	w.Engine.NotStarted = errors.New("init failed")
	if _, err := w.Apply(w.Target(old, "staging")); err == nil {
		t.Fatal("want the failure")
	}
	w.Engine.NotStarted = nil
	pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	if !slices.Equal(w.Hub.Cancelled, []int64{old.ManagerRun.ID}) {
		t.Fatalf("cancelled runs: %v", w.Hub.Cancelled)
	}
	_, err := w.Apply(w.Target(old, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded || w.Engine.Applies != 0 {
		t.Fatalf("%v", err)
	}
}

// The lock that a later use has left leads to its run.
func TestLockOfALaterUse(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := w.WaitingRequest()
	in := w.Target(request, "staging")
	in.Host, in.Run.ID = "runner-1", 11
	w.Engine.NotStarted = errors.New("init failed")
	if _, err := w.Apply(in); err == nil {
		t.Fatal("want the failure")
	}
	w.Engine.NotStarted = nil
	in.Host, in.Run.ID, in.Run.Attempt = "runner-2", 11, 2
	w.Engine.DuringApply = func() {
		lock := pipeline.Lock{ID: "1", Who: "runner@runner-2", Created: w.Now.Add(time.Second)}
		holders, err := record.LockHolders(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), pipeline.Target{Customer: "acme", Environment: "staging"}, lock)
		if err != nil || len(holders) != 1 || holders[0].Run.Attempt != 2 || holders[0].Command != "apply" {
			t.Errorf("%+v %v", holders, err)
		}
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
}
