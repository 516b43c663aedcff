package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// An apply that could change nothing leaves its plan as it was: the job, run again,
// applies it, and once.
func TestAnApplyThatChangedNothingLeavesItsPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	in := w.target(request, "staging")
	w.engine.notStarted = &pipeline.FailedError{Message: "Error acquiring the state lock", Next: "wait"}
	for attempt := range 2 {
		in.Run.Attempt = attempt + 1
		if got, err := w.apply(in); err == nil || got.Outcome != pipeline.OutcomeFailed {
			t.Fatalf("attempt %d: %+v %v", in.Run.Attempt, got, err)
		}
		if got := w.report(request, false).Targets[0]; got.Outcome != pipeline.OutcomeWaiting || !contains(got.Message, "state lock") {
			t.Fatalf("while its job can be run again: %+v", got)
		}
	}
	report := w.report(request, true)
	if got := report.Targets[0]; got.Outcome != pipeline.OutcomeFailed || !contains(got.Next, "wait", "applies the same plan") {
		t.Fatalf("at the end: %+v", got)
	}
	if keys := w.openKeys(); len(keys) != 0 {
		t.Fatalf("the request is closed, and stands in the index: %v", keys)
	}
	w.engine.notStarted = nil
	in.Run.Attempt = 3
	w.engine.duringApply = func() {
		if keys := w.openKeys(); len(keys) != 1 {
			t.Errorf("a request whose apply goes on is not in the index: %v", keys)
		}
	}
	for range 2 {
		if got := must[deploy.TargetResult](t)(w.apply(in)); got.Outcome != pipeline.OutcomeApplied {
			t.Fatalf("%+v", got)
		}
	}
	if w.engine.applies != 1 {
		t.Fatalf("%d applies", w.engine.applies)
	}
	if got := w.report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeApplied {
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
			w := newWorld(t)
			request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
			must[deploy.TargetResult](t)(w.plan(request, "staging"))
			keys := []string{"apply-0001.json", "apply-0001-ended.json", "apply-0002.json", "apply-0002-ended.json"}
			for i, body := range c.uses {
				w.vouch(w.folder(request, "staging")+keys[i], body)
			}
			_, err := w.apply(w.target(request, "staging"))
			var refused *pipeline.RefusedError
			switch {
			case c.reason == "":
				if err != nil || w.engine.applies != 1 {
					t.Fatalf("%v, %d applies", err, w.engine.applies)
				}
			case !errors.As(err, &refused) || refused.Reason != c.reason || w.engine.applies != 0:
				t.Fatalf("%v, %d applies", err, w.engine.applies)
			}
		})
	}
}

// A newer request takes a plan out of use also when an apply has tried it.
func TestNewerRequestEndsATriedPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.waitingRequest()
	w.engine.notStarted = errors.New("init failed")
	if _, err := w.apply(w.target(old, "staging")); err == nil {
		t.Fatal("want the failure")
	}
	w.engine.notStarted = nil
	must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	if !slices.Equal(w.hub.cancelled, []int64{old.ManagerRun.ID}) {
		t.Fatalf("cancelled runs: %v", w.hub.cancelled)
	}
	_, err := w.apply(w.target(old, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded || w.engine.applies != 0 {
		t.Fatalf("%v", err)
	}
}

// The lock that a later use has left leads to its run.
func TestLockOfALaterUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := w.waitingRequest()
	in := w.target(request, "staging")
	in.Host, in.Run.ID = "runner-1", 11
	w.engine.notStarted = errors.New("init failed")
	if _, err := w.apply(in); err == nil {
		t.Fatal("want the failure")
	}
	w.engine.notStarted = nil
	in.Host, in.Run.ID, in.Run.Attempt = "runner-2", 11, 2
	w.engine.duringApply = func() {
		lock := pipeline.Lock{ID: "1", Who: "runner@runner-2", Created: w.now.Add(time.Second)}
		holders, err := record.LockHolders(context.Background(), recordsOf(w.store, w.sealer), "acme", "staging", lock)
		if err != nil || len(holders) != 1 || holders[0].Run.Attempt != 2 || holders[0].Command != "apply" {
			t.Errorf("%+v %v", holders, err)
		}
	}
	must[deploy.TargetResult](t)(w.apply(in))
}
