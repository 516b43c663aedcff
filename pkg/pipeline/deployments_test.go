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

// moved is a setup with an applied target and its deployment, where everything in the
// store has then gone out of sight.
func moved(t *testing.T) *Setup {
	t.Helper()
	w := New(t)
	request := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), "push")))
	Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	w.Report(request, true)
	if len(w.Hub.DeploymentList) != 1 {
		t.Fatalf("deployments: %+v", w.Hub.DeploymentList)
	}
	w.DeleteAll("")
	w.Engine.ChangePlanned = StateFound("", 0, 0)
	return w
}

// beside has another customer in the repository of the setup's one.
func beside(w *Setup, name pipeline.CustomerName, path string) {
	w.Current.SharedRepository = true
	w.Current.Siblings = []pipeline.Sibling{{Name: name, Path: path}}
}

// DeleteAll removes all objects with a prefix.
func (w *Setup) DeleteAll(prefix string) {
	w.T.Helper()
	for _, key := range Must[[]string](w.T)(w.Store.List(context.Background(), prefix)) {
		if err := w.Store.Delete(context.Background(), key); err != nil {
			w.T.Fatal(err)
		}
	}
}

// TestMovedStore: a store that knows nothing of an apply which GitHub remembers is
// another store, and not a new target.
func TestMovedStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Setup)
		lost   bool
	}{
		"moved":                {func(*Setup) {}, true},
		"beside others before": {func(w *Setup) { w.Hub.DeploymentList[0].Environment = "infra/acme/staging" }, true},
		"another environment":  {func(w *Setup) { w.Hub.DeploymentList[0].Payload.Environment = "production" }, false},
		"a former name":        {func(w *Setup) { w.Hub.DeploymentList[0].Payload.Customer = "crm" }, true},
		"a former name, no path": {func(w *Setup) {
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Payload.Path = "crm", ""
		}, true},
		"a former path": {func(w *Setup) { w.Hub.DeploymentList[0].Payload.Path = "old" }, true},
		"a former name beside others": {func(w *Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Environment = "old", "infra/old/staging"
		}, true},
		"this path of the name of another": {func(w *Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer = "crm"
		}, true},
		"another customer by path": {func(w *Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Payload.Path = "old", "crm"
		}, false},
		"the name is that of another path": {func(w *Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Path = "crm"
		}, false},
		"another customer by name": {func(w *Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Payload.Path = "crm", ""
		}, false},
		"not named as metapipe does": {func(w *Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Environment = "staging"
		}, false},
		"of the customer's own": {func(w *Setup) { w.Hub.DeploymentList[0].Payload = pipeline.DeploymentPayload{} }, false},
		"state is there":        {func(w *Setup) { w.Engine.ChangePlanned = StateFound("l", 1, 2) }, false},
		"none":                  {func(w *Setup) { w.Hub.DeploymentList = nil }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := moved(t)
			c.change(w)
			err := w.PlanAgain()
			var refused *pipeline.RefusedError
			switch {
			case !c.lost && err != nil:
				t.Errorf("err = %v", err)
			case c.lost && (!errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost):
				t.Errorf("err = %v", err)
			case c.lost && !ContainsAll(err.Error(), "deployment 1 on GitHub", "`state` in metapipe.yml", "TF_STATE_BUCKET", "metapipe state accept --customer acme --environment staging"):
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
	restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
	if err := restorer.Accept(context.Background(), w.Target(pipeline.Request{}, "staging"), recovery.Acceptable{Reason: "destroyed"}); err != nil {
		t.Fatal(err)
	}
	if err := w.PlanAgain(); err != nil {
		t.Errorf("after it was accepted: %v", err)
	}
}

// TestDeploymentsAreLookedForOnce: GitHub is asked for targets without a record only, and
// an answer that does not come is not taken for "never applied".
func TestDeploymentsAreLookedForOnce(t *testing.T) {
	t.Parallel()
	w := New(t)
	request := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	if w.Hub.Searches != 2 { // with and without siblings
		t.Errorf("%d searches for one target that was never applied", w.Hub.Searches)
	}
	Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	w.Hub.Searches, w.Hub.SearchError = 0, errors.New("GitHub is away")
	Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
	if w.Hub.Searches != 0 {
		t.Errorf("%d searches for an applied target", w.Hub.Searches)
	}
	w.DeleteAll("")
	if _, err := w.Send(w.Dispatch(w.Hub.Commit("staging three\n"), "push")); err == nil {
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
			w := New(t)
			w.Engine.Outputs = []pipeline.Output{{Name: "large", Value: `"` + strings.Repeat("x", 70_000) + `"`}, {Name: "medium", Value: `"` + strings.Repeat("x", 10_000) + `"`}}
			w.Hub.PayloadRoom = c.room
			request := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
			report, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Final: true})
			if err != nil || report.Overall() != pipeline.StatusSuccess {
				t.Fatalf("%s: %v", report.Overall(), err)
			}
			if (len(c.Left) > 0 || c.room == 10) != (len(report.Unreported) == 1 && report.Unreported[0].Cause == pipeline.CauseTooLarge) {
				t.Errorf("unreported: %+v", report.Unreported)
			}
			if c.room == 10 {
				return
			}
			d := w.Hub.DeploymentList[0].Payload
			if kept := slices.Sorted(maps.Keys(d.Outputs)); !slices.Equal(kept, c.kept) || !slices.Equal(d.LeftOut, c.Left) || d.Ledger == nil {
				t.Errorf("kept %v, left out %v", kept, d.LeftOut)
			}
		})
	}
}
