package deploy_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
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

// An attempt that goes on keeps everybody else away, whatever became of those before
// it, and a plan that was taken out of use stays so. The ledger alone decides it.
func TestAttemptsToApplyAPlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attempts []string // what happened, in order
		reason   pipeline.Reason
	}{
		"free": {}, "went on and nobody knows": {[]string{"applying"}, pipeline.ReasonAlreadyApplied},
		"free again":              {[]string{"applying", "free failed"}, ""},
		"could not begin":         {[]string{"free refused missing-protection"}, ""},
		"doomed":                  {[]string{"used refused tampered"}, pipeline.ReasonTampered},
		"revoked":                 {[]string{"revoked superseded superseded"}, pipeline.ReasonSuperseded},
		"revoked after a free":    {[]string{"applying", "free failed", "revoked expired expired"}, pipeline.ReasonExpired},
		"goes on after a free":    {[]string{"applying", "free failed", "applying"}, pipeline.ReasonAlreadyApplied},
		"failed after a free":     {[]string{"applying", "free failed", "applying", "used failed"}, pipeline.ReasonAlreadyApplied},
		"free after two of them":  {[]string{"applying", "free failed", "applying", "free failed"}, ""},
		"another could not begin": {[]string{"applying", "beside free refused tampered"}, pipeline.ReasonAlreadyApplied},
		"another was refused":     {[]string{"applying", "beside used refused tampered", "free failed"}, ""},
		"the end of an older one": {[]string{"applying", "free failed", "applying", "older free failed"}, pipeline.ReasonAlreadyApplied},
		"planned again":           {[]string{"used refused tampered", "plan"}, ""},
	} {
		for _, recorded := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, recorded %t", name, recorded), func(t *testing.T) {
				t.Parallel()
				w := pipelinetest.New(t)
				request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
				attempted(w, request, c.attempts, recorded)
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
				w.LastEvent(pipeline.Target{Customer: "acme", Environment: "staging"}) // which audits
			})
		}
	}
}

// attempted writes attempts to apply the plan of a request into the ledger, with records of their
// ends where they are recorded.
func attempted(w *pipelinetest.Setup, request pipeline.Request, attempts []string, recorded bool) {
	w.T.Helper()
	target := pipeline.Target{Customer: "acme", Environment: "staging"}
	var begun, older int
	for _, what := range attempts {
		words := strings.Fields(what)
		receipt := w.Receipt(request, "staging").Digest()
		switch words[0] {
		case "plan":
			pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, "staging"))
			continue
		case "applying":
			e := ledger.NewEntry(ledger.Applying, request, target, pipeline.Run{ID: 7})
			e.Receipt = receipt
			older = begun
			begun = pipelinetest.Must[ledger.Tip](w.T)(w.Ledger().Append(w.T.Context(), e)).Sequence
			continue
		}
		attempt := begun
		switch words[0] {
		case "beside":
			attempt, words = 0, words[1:]
		case "older":
			attempt, words = older, words[1:]
		default:
			begun = 0
		}
		ended := record.Result{Outcome: pipeline.Outcome(words[1]), Retryable: words[0] == "free", Revoked: words[0] == "revoked"}
		if len(words) > 2 {
			ended.Reason = pipeline.Reason(words[2])
		}
		e := ledger.ApplyEndEntry(request, target, ended, receipt, attempt)
		e.Plan = ledger.PlanEffect(words[0])
		tip := pipelinetest.Must[ledger.Tip](w.T)(w.Ledger().Append(w.T.Context(), e))
		if recorded && tip.Decided {
			w.Sign(w.Folder(request, "staging")+record.ApplyResultObject(cmp.Or(attempt, tip.Sequence)), string(pipelinetest.Must[[]byte](w.T)(json.Marshal(ended))))
		}
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
		holders, err := ledger.LockHolders(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), pipeline.Target{Customer: "acme", Environment: "staging"}, lock)
		if err != nil || len(holders) != 1 || holders[0].Run.Attempt != 2 || holders[0].Command != "apply" {
			t.Errorf("%+v %v", holders, err)
		}
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
}
