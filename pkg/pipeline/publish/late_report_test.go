package publish_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

func TestALateReportLeavesTheStatusesOfANewerRequestAlone(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	older := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	w.Tick()
	newer := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(newer, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging")))
	w.Report(newer, false)
	want := w.Hub.Status(commit, "infra/terraform-deploy/staging")
	w.Report(older, true)
	if got := w.Hub.Status(commit, "infra/terraform-deploy/staging"); got != want || got.State != pipeline.StatusSuccess {
		t.Fatalf("%+v", got)
	}
	if got := w.Hub.Status(commit, "infra/terraform-deploy"); got.State != pipeline.StatusPending {
		t.Fatalf("overall: %+v", got)
	}
}
