package deploy_test

import (
	"context"
	"errors"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

// moved is a setup with an applied target and its deployment, where everything in the
// store has then gone out of sight.
func moved(t *testing.T) *pipelinetest.Setup {
	t.Helper()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	w.Report(request, true)
	if len(w.Hub.DeploymentList) != 1 {
		t.Fatalf("deployments: %+v", w.Hub.DeploymentList)
	}
	w.DeleteAll("")
	w.Engine.ChangePlanned = pipelinetest.StateFound("", 0, 0)
	return w
}

// beside has another customer in the repository of the setup's one.
func beside(w *pipelinetest.Setup, name pipeline.CustomerName, path string) {
	w.Current.SharedRepository = true
	w.Current.Siblings = []pipeline.Sibling{{Name: name, Path: path}}
}

// TestMovedStore: a store that knows nothing of an apply which GitHub remembers is
// another store, and not a new target.
func TestMovedStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*pipelinetest.Setup)
		lost   bool
	}{
		"moved":                {func(*pipelinetest.Setup) {}, true},
		"beside others before": {func(w *pipelinetest.Setup) { w.Hub.DeploymentList[0].Environment = "infra/acme/staging" }, true},
		"another environment":  {func(w *pipelinetest.Setup) { w.Hub.DeploymentList[0].Payload.Environment = "production" }, false},
		"a former name":        {func(w *pipelinetest.Setup) { w.Hub.DeploymentList[0].Payload.Customer = "crm" }, true},
		"a former name, no path": {func(w *pipelinetest.Setup) {
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Payload.Path = "crm", ""
		}, true},
		"a former path": {func(w *pipelinetest.Setup) { w.Hub.DeploymentList[0].Payload.Path = "old" }, true},
		"a former name beside others": {func(w *pipelinetest.Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Environment = "old", "infra/old/staging"
		}, true},
		"this path of the name of another": {func(w *pipelinetest.Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer = "crm"
		}, true},
		"another customer by path": {func(w *pipelinetest.Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Payload.Path = "old", "crm"
		}, false},
		"the name is that of another path": {func(w *pipelinetest.Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Path = "crm"
		}, false},
		"another customer by name": {func(w *pipelinetest.Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Payload.Customer, w.Hub.DeploymentList[0].Payload.Path = "crm", ""
		}, false},
		"not named as metapipe does": {func(w *pipelinetest.Setup) {
			beside(w, "crm", "crm")
			w.Hub.DeploymentList[0].Environment = "staging"
		}, false},
		"of the customer's own": {func(w *pipelinetest.Setup) { w.Hub.DeploymentList[0].Payload = pipeline.DeploymentPayload{} }, false},
		"state is there":        {func(w *pipelinetest.Setup) { w.Engine.ChangePlanned = pipelinetest.StateFound("l", 1, 2) }, false},
		"none":                  {func(w *pipelinetest.Setup) { w.Hub.DeploymentList = nil }, false},
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
			case c.lost && !pipelinetest.ContainsAll(err.Error(), "deployment 1 on GitHub", "`state` in metapipe.yml", "TF_STATE_BUCKET", "metapipe state accept --customer acme --environment staging"):
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
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	if w.Hub.Searches != 2 { // with and without siblings
		t.Errorf("%d searches for one target that was never applied", w.Hub.Searches)
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	w.Hub.Searches, w.Hub.SearchError = 0, errors.New("GitHub is away")
	pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
	if w.Hub.Searches != 0 {
		t.Errorf("%d searches for an applied target", w.Hub.Searches)
	}
	w.DeleteAll("")
	if _, err := w.Send(w.Dispatch(w.Hub.Commit("staging three\n"), "push")); err == nil {
		t.Error("a target that GitHub does not answer for was accepted")
	}
}
