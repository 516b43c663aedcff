package intake_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

func TestNewerRequestEndsTheOneThatWaits(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	old := w.WaitingRequest()
	newer := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	if !slices.Equal(w.Hub.Cancelled, []int64{old.ManagerRun.ID}) {
		t.Fatalf("cancelled runs: %v, want that of the older request, %d", w.Hub.Cancelled, old.ManagerRun.ID)
	}
	w.Report(newer, false)
	for _, statusContext := range []string{"infra/terraform-deploy/staging", "infra/terraform-deploy/production", "infra/terraform-deploy"} {
		if s := w.Hub.Status(old.Commit, statusContext); s.State != pipeline.StatusError {
			t.Errorf("%s of the older commit: %+v", statusContext, s)
		}
		if s := w.Hub.Status(newer.Commit, statusContext); s.State != pipeline.StatusPending {
			t.Errorf("%s of the newer commit: %+v", statusContext, s)
		}
	}
	for range 2 {
		_, err := w.Apply(w.Target(old, "staging"))
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
			t.Fatalf("the void receipt: %v", err)
		}
	}
	if report := w.Report(old, true); report.Targets[0].Outcome != pipeline.OutcomeSuperseded || report.Targets[0].Plan == nil {
		t.Fatalf("report of the older request: %+v", report.Targets[0])
	}
	w.SetRun(old, "completed", "cancelled")
	w.SetRun(newer, "in_progress", "")
	w.Now = w.Now.Add(time.Hour)
	if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != "" {
		t.Errorf("the sweep finds %q", got)
	}
	if keys := w.OpenKeys(); len(keys) != 1 || !strings.HasSuffix(keys[0], string(newer.ID)) {
		t.Errorf("open requests: %v", keys)
	}
	entries, _, err := w.Ledger().Read(context.Background(), pipeline.Target{Customer: "acme", Environment: "staging"})
	if err != nil || !slices.ContainsFunc(entries, func(e ledger.Entry) bool {
		return e.Event == ledger.Superseded && e.Request == old.ID
	}) {
		t.Errorf("ledger: %+v %v", entries, err)
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(newer, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging")))
}

func TestNewerRequestLeavesAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		between func(w *pipelinetest.Setup, old pipeline.Request)
		newer   func(w *pipelinetest.Setup) (pipeline.Request, error)
	}{
		"an apply that has begun": {between: func(w *pipelinetest.Setup, old pipeline.Request) {
			w.Engine.DuringApply = func() {
				pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			}
			if applied := pipelinetest.Must[deploy.TargetResult](w.T)(w.Apply(w.Target(old, "staging"))); applied.Outcome != pipeline.OutcomeApplied {
				w.T.Errorf("the apply: %+v", applied)
			}
		}},
		"what a pull request does not apply": {newer: func(w *pipelinetest.Setup) (pipeline.Request, error) {
			return w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request"))
		}},
		"another environment": {newer: func(w *pipelinetest.Setup) (pipeline.Request, error) {
			return w.Send(w.Dispatch(w.Hub.Commit("production two\n"), "push"))
		}},
		"what another branch does not apply": {newer: func(w *pipelinetest.Setup) (pipeline.Request, error) {
			a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
			a.Ref = "refs/heads/topic"
			return w.Send(a)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			old := w.WaitingRequest()
			if c.between != nil {
				c.between(w, old)
			}
			if c.newer != nil {
				pipelinetest.Must[pipeline.Request](t)(c.newer(w))
				pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(old, "staging")))
			}
			if len(w.Hub.Cancelled) != 0 {
				t.Errorf("cancelled runs: %v", w.Hub.Cancelled)
			}
		})
	}
}

// An older request that arrives behind a newer one ends itself, and not the newer.
func TestOlderRequestArrivesLater(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	late := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
	w.Tick()
	newer := w.WaitingRequest()
	old := pipelinetest.Must[pipeline.Request](t)(w.Send(late))
	_, err := w.Plan(old, "staging")
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded || len(w.Hub.Cancelled) != 0 {
		t.Fatalf("plan of the older request: %v; cancelled: %v", err, w.Hub.Cancelled)
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging")))
}

// A newer request that is accepted while the older one is being planned finds
// nothing that waits; the older plan finds the newer request.
func TestSupersededWhilePlanning(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	old := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	w.Engine.DuringPlan = func() {
		w.Engine.DuringPlan = nil
		pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	}
	planned, err := w.Plan(old, "staging")
	var refused *pipeline.RefusedError
	if planned.Outcome != pipeline.OutcomeSuperseded || !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
		t.Fatalf("planned: %+v %v", planned, err)
	}
	if len(w.Hub.Cancelled) != 0 {
		t.Errorf("cancelled runs: %v", w.Hub.Cancelled)
	}
}
