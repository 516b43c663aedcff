package pipeline_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

// moved is a world with an applied target and its deployment, where everything in the
// store has then gone out of sight.
func moved(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\nproduction one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
	w.report(request, true)
	if len(w.hub.deployments) != 1 {
		t.Fatalf("deployments: %+v", w.hub.deployments)
	}
	w.forget("")
	w.engine.finds = stateFound("", 0, 0)
	return w
}

// beside has another customer in the repository of the world's one.
func (w *world) beside(name pipeline.CustomerName, path string) {
	w.customer.SharedRepository = true
	w.customer.Siblings = []pipeline.Sibling{{Name: name, Path: path}}
}

// forget removes all objects with a prefix.
func (w *world) forget(prefix string) {
	w.t.Helper()
	for _, key := range must[[]string](w.t)(w.store.List(context.Background(), prefix)) {
		if err := w.store.Delete(context.Background(), key); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestMovedStore: a store that knows nothing of an apply which GitHub remembers is
// another store, and not a new target.
func TestMovedStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		lost   bool
	}{
		"moved":                {func(*world) {}, true},
		"beside others before": {func(w *world) { w.hub.deployments[0].Environment = "infra/acme/staging" }, true},
		"another environment":  {func(w *world) { w.hub.deployments[0].Payload.Environment = "production" }, false},
		"a former name":        {func(w *world) { w.hub.deployments[0].Payload.Customer = "crm" }, true},
		"a former name, no path": {func(w *world) {
			w.hub.deployments[0].Payload.Customer, w.hub.deployments[0].Payload.Path = "crm", ""
		}, true},
		"a former path": {func(w *world) { w.hub.deployments[0].Payload.Path = "old" }, true},
		"a former name beside others": {func(w *world) {
			w.beside("crm", "crm")
			w.hub.deployments[0].Payload.Customer, w.hub.deployments[0].Environment = "old", "infra/old/staging"
		}, true},
		"this path of the name of another": {func(w *world) {
			w.beside("crm", "crm")
			w.hub.deployments[0].Payload.Customer = "crm"
		}, true},
		"another customer by path": {func(w *world) {
			w.beside("crm", "crm")
			w.hub.deployments[0].Payload.Customer, w.hub.deployments[0].Payload.Path = "old", "crm"
		}, false},
		"the name is that of another path": {func(w *world) {
			w.beside("crm", "crm")
			w.hub.deployments[0].Payload.Path = "crm"
		}, false},
		"another customer by name": {func(w *world) {
			w.beside("crm", "crm")
			w.hub.deployments[0].Payload.Customer, w.hub.deployments[0].Payload.Path = "crm", ""
		}, false},
		"not named as metapipe does": {func(w *world) {
			w.beside("crm", "crm")
			w.hub.deployments[0].Environment = "staging"
		}, false},
		"of the customer's own": {func(w *world) { w.hub.deployments[0].Payload = pipeline.DeploymentPayload{} }, false},
		"state is there":        {func(w *world) { w.engine.finds = stateFound("l", 1, 2) }, false},
		"none":                  {func(w *world) { w.hub.deployments = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := moved(t)
			c.change(w)
			err := w.planAgain()
			var refused *pipeline.RefusedError
			switch {
			case !c.lost && err != nil:
				t.Errorf("err = %v", err)
			case c.lost && (!errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost):
				t.Errorf("err = %v", err)
			case c.lost && !contains(err.Error(), "deployment 1 on GitHub", "`state` in metapipe.yml", "TF_STATE_BUCKET", "metapipe state accept --customer acme --environment staging"):
				t.Errorf("the operator reads: %v", err)
			}
		})
	}
}

// TestMovedStoreAccepted: what the operator accepts is planned as new, and GitHub is not
// asked again.
func TestMovedStoreAccepted(t *testing.T) {
	t.Parallel()
	w := moved(t)
	restorer := &recovery.Restorer{Store: w.store, Sealer: w.sealer, Now: w.tick}
	if err := restorer.Accept(context.Background(), w.target(pipeline.Request{}, "staging"), recovery.Acceptable{Reason: "destroyed"}); err != nil {
		t.Fatal(err)
	}
	if err := w.planAgain(); err != nil {
		t.Errorf("after it was accepted: %v", err)
	}
}

// TestDeploymentsAreLookedForOnce: GitHub is asked for targets without a record only, and
// an answer that does not come is not taken for "never applied".
func TestDeploymentsAreLookedForOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	if w.hub.searches != 2 { // with and without siblings
		t.Errorf("%d searches for one target that was never applied", w.hub.searches)
	}
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
	w.hub.searches, w.hub.unsearchable = 0, errors.New("GitHub is away")
	must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging two\n"), "push")))
	if w.hub.searches != 0 {
		t.Errorf("%d searches for an applied target", w.hub.searches)
	}
	w.forget("")
	if _, err := w.send(w.ask(w.hub.commit("staging three\n"), "push")); err == nil {
		t.Error("a target that GitHub does not answer for was accepted")
	}
}

// TestPayloadThatGitHubDoesNotTake: what was applied stays applied, the small outputs
// arrive, and the report names those that do not.
func TestPayloadThatGitHubDoesNotTake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		room int
		kept []string
		Left []string
	}{
		"all fit":      {0, []string{"large", "medium", "url"}, nil},
		"some fit":     {20_000, []string{"medium", "url"}, []string{"large"}},
		"none do":      {5_000, nil, []string{"large", "medium", "url"}},
		"no room ever": {10, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.engine.outputs = []pipeline.Output{{Name: "large", Value: `"` + strings.Repeat("x", 70_000) + `"`}, {Name: "medium", Value: `"` + strings.Repeat("x", 10_000) + `"`}}
			w.hub.room = c.room
			request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
			must[deploy.TargetResult](t)(w.plan(request, "staging"))
			must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
			report, err := w.reportAs(publish.ReportInput{Customer: w.customer, Request: request.ID, Final: true})
			if err != nil || report.Overall() != pipeline.StatusSuccess {
				t.Fatalf("%s: %v", report.Overall(), err)
			}
			if (len(c.Left) > 0 || c.room == 10) != (len(report.Unreported) == 1 && report.Unreported[0].Cause == pipeline.CauseTooLarge) {
				t.Errorf("unreported: %+v", report.Unreported)
			}
			if c.room == 10 {
				return
			}
			d := w.hub.deployments[0].Payload
			if kept := slices.Sorted(maps.Keys(d.Outputs)); !slices.Equal(kept, c.kept) || !slices.Equal(d.LeftOut, c.Left) || d.Ledger == nil {
				t.Errorf("kept %v, left out %v", kept, d.LeftOut)
			}
		})
	}
}
