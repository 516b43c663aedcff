package publish_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestStacksAreReportedApart: each stack of an environment has a status, a deployment with
// its outputs and an anchor of its own, and the last report closes each as it ended.
func TestStacksAreReportedApart(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit("staging one\n")
	w.NameStacks("network", "hosts", "apps")
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	work := func(stack pipeline.StackName, fail bool) {
		in := pipelinetest.Stack(w.Target(request, "staging"), stack)
		w.Tick()
		pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
		w.Engine.ApplyErr = nil
		if fail {
			w.Engine.ApplyErr = &pipeline.FailedError{Message: "no capacity"}
		}
		if _, err := w.Apply(in); (err != nil) != fail {
			t.Fatalf("%s: %v", in.Target(), err)
		}
	}
	work("network", false)
	work("hosts", true)
	report := w.Report(request, true)
	states := map[string]pipeline.StatusState{}
	for _, s := range pipelinetest.Must[[]pipeline.Status](t)(w.Hub.Statuses(t.Context(), request.Repository.Slug, commit)) {
		if name, ok := strings.CutPrefix(s.Context, "infra/terraform-deploy/staging/"); ok {
			states[name] = s.State
		}
	}
	if states["network"] != pipeline.StatusSuccess || states["hosts"] != pipeline.StatusFailure || states["apps"] == pipeline.StatusPending || states["apps"] == pipeline.StatusSuccess {
		t.Errorf("statuses %v", states)
	}
	if got := report.Targets[2]; got.Outcome != pipeline.OutcomeSkipped || got.Message != "staging/hosts did not succeed" {
		t.Errorf("the stack after the failed one: %+v", got)
	}
	if n := len(w.Hub.DeploymentList); n != 1 {
		t.Fatalf("%d deployments", n)
	}
	d := w.Hub.DeploymentList[0]
	if d.Environment != "infra/staging/network" || d.Payload.Environment != "staging" || d.Payload.Stack != "network" || d.Payload.Ledger == nil {
		t.Errorf("%+v", d)
	}
	for stack, event := range map[pipeline.StackName]ledger.Event{"network": ledger.Applied, "hosts": ledger.Failed, "apps": ledger.Closed} {
		entries, _, err := w.Ledger().Read(t.Context(), pipeline.Target{Customer: "acme", Environment: "staging", Stack: stack})
		if n := len(entries); err != nil || n == 0 || entries[n-1].Event != event {
			t.Errorf("the ledger of %s: %+v, %v", stack, entries, err)
		}
	}
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		audit, err := ledger.Auditor{Ledger: w.Ledger()}.Chain(t.Context(), pipeline.Target{Customer: "acme", Environment: "staging", Stack: stack})
		if err != nil || len(audit.Findings) != 0 || audit.Stack != stack || audit.Name() != "acme/staging/"+string(stack) {
			t.Errorf("the audit of %s: %+v, %v", stack, audit, err)
		}
	}
}
