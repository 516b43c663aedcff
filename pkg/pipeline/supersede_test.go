package pipeline_test

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
)

// waitingRequest is a push whose first environment is planned and waits.
func (w *world) waitingRequest() pipeline.Request {
	w.t.Helper()
	request := must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	if planned := must[deploy.TargetResult](w.t)(w.plan(request, "staging")); planned.Outcome != pipeline.OutcomeWaiting {
		w.t.Fatalf("planned: %+v", planned)
	}
	return request
}

func (w *world) openKeys() []string {
	w.t.Helper()
	return must[[]string](w.t)(w.store.List(context.Background(), "_metapipe/open/"))
}

func TestNewerRequestEndsTheOneThatWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.waitingRequest()
	newer := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	if !slices.Equal(w.hub.cancelled, []int64{old.ManagerRun.ID}) {
		t.Fatalf("cancelled runs: %v, want that of the older request, %d", w.hub.cancelled, old.ManagerRun.ID)
	}
	for _, statusContext := range []string{"infra/terraform-deploy/staging", "infra/terraform-deploy/production", "infra/terraform-deploy"} {
		if s := w.hub.status(old.Commit, statusContext); s.State != pipeline.StatusError {
			t.Errorf("%s of the older commit: %+v", statusContext, s)
		}
		if s := w.hub.status(newer.Commit, statusContext); s.State != pipeline.StatusPending {
			t.Errorf("%s of the newer commit: %+v", statusContext, s)
		}
	}
	for range 2 {
		_, err := w.apply(w.target(old, "staging"))
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
			t.Fatalf("the void receipt: %v", err)
		}
	}
	if report := w.report(old, true); report.Targets[0].Outcome != pipeline.OutcomeSuperseded || report.Targets[0].Plan == nil {
		t.Fatalf("report of the older request: %+v", report.Targets[0])
	}
	w.setRun(old, "completed", "cancelled")
	w.setRun(newer, "in_progress", "")
	w.now = w.now.Add(time.Hour)
	if got := kinds(w.sweep(&lockStore{}, true)); got != "" {
		t.Errorf("the sweep finds %q", got)
	}
	if keys := w.openKeys(); len(keys) != 1 || !strings.HasSuffix(keys[0], string(newer.ID)) {
		t.Errorf("open requests: %v", keys)
	}
	entries, _, err := ledger.Ledger{Store: w.store}.Read(context.Background(), "acme", "staging")
	if err != nil || !slices.ContainsFunc(entries, func(e ledger.Entry) bool {
		return e.Event == ledger.Superseded && e.Request == old.ID
	}) {
		t.Errorf("ledger: %+v %v", entries, err)
	}
	must[deploy.TargetResult](t)(w.plan(newer, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(newer, "staging")))
}

func TestNewerRequestLeavesAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		between func(w *world, old pipeline.Request)
		newer   func(w *world) (pipeline.Request, error)
	}{
		"an apply that has begun": {between: func(w *world, old pipeline.Request) {
			w.engine.duringApply = func() { must[pipeline.Request](w.t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push"))) }
			if applied := must[deploy.TargetResult](w.t)(w.apply(w.target(old, "staging"))); applied.Outcome != pipeline.OutcomeApplied {
				w.t.Errorf("the apply: %+v", applied)
			}
		}},
		"what a pull request does not apply": {newer: func(w *world) (pipeline.Request, error) {
			return w.send(w.ask(w.hub.commit(bothEnvironments), "pull_request"))
		}},
		"another environment": {newer: func(w *world) (pipeline.Request, error) {
			return w.send(w.ask(w.hub.commit("production two\n"), "push"))
		}},
		"what another branch does not apply": {newer: func(w *world) (pipeline.Request, error) {
			a := w.ask(w.hub.commit(bothEnvironments), "push")
			a.Ref = "refs/heads/topic"
			return w.send(a)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			old := w.waitingRequest()
			if c.between != nil {
				c.between(w, old)
			}
			if c.newer != nil {
				must[pipeline.Request](t)(c.newer(w))
				must[deploy.TargetResult](t)(w.apply(w.target(old, "staging")))
			}
			if len(w.hub.cancelled) != 0 {
				t.Errorf("cancelled runs: %v", w.hub.cancelled)
			}
		})
	}
}

// An older request that arrives behind a newer one ends itself, and not the newer.
func TestOlderRequestArrivesLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	late := w.ask(w.hub.commit(bothEnvironments), "push")
	w.tick()
	newer := w.waitingRequest()
	old := must[pipeline.Request](t)(w.send(late))
	_, err := w.plan(old, "staging")
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded || len(w.hub.cancelled) != 0 {
		t.Fatalf("plan of the older request: %v; cancelled: %v", err, w.hub.cancelled)
	}
	must[deploy.TargetResult](t)(w.apply(w.target(newer, "staging")))
}

// A newer request that is accepted while the older one is being planned finds
// nothing that waits; the older plan finds the newer request.
func TestSupersededWhilePlanning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	w.engine.duringPlan = func() {
		w.engine.duringPlan = nil
		must[pipeline.Request](t)(w.send(w.ask(w.hub.commit(bothEnvironments), "push")))
	}
	planned, err := w.plan(old, "staging")
	var refused *pipeline.RefusedError
	if planned.Outcome != pipeline.OutcomeSuperseded || !errors.As(err, &refused) || refused.Reason != pipeline.ReasonSuperseded {
		t.Fatalf("planned: %+v %v", planned, err)
	}
	if len(w.hub.cancelled) != 0 {
		t.Errorf("cancelled runs: %v", w.hub.cancelled)
	}
}
