package publish_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// wantReported wants an apply that is known everywhere, once.
func wantReported(w *pipelinetest.Setup, request pipeline.Request) {
	w.T.Helper()
	if s := w.Hub.Status(request.Commit, "infra/terraform-deploy"); s.State != pipeline.StatusSuccess {
		w.T.Errorf("the status is %s: %s", s.State, s.Description)
	}
	if s := w.Hub.Status(request.Commit, "infra/terraform-deploy/staging"); s.State != pipeline.StatusSuccess {
		w.T.Errorf("the status of staging is %s: %s", s.State, s.Description)
	}
	if len(w.Hub.DeploymentList) == 0 {
		w.T.Error("there is no deployment")
	}
	if events := w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}); !strings.HasSuffix(events, "applying, applied") || strings.Count(events, "applied") != 1 {
		w.T.Errorf("the ledger has %s", events)
	}
}

// TestFaultsOfReport: a report of an apply whose job could not record its end, with each
// call broken in turn, does not say that it is done before it is, and the next one ends it.
func TestFaultsOfReport(t *testing.T) {
	t.Parallel()
	pipelinetest.EachCall(t, func(t *testing.T, n *pipelinetest.Fault) {
		t.Helper()
		w := pipelinetest.New(t)
		request := unrecordedApply(w)
		before := w.Keys("")
		r := &publish.Reporter{GitHub: pipelinetest.FaultHub{Hub: w.Hub, Fault: n}, Store: pipelinetest.FaultStore{Store: w.Store, Fault: n}, Sealer: w.Sealer, Renderer: pipelinetest.PlainRenderer{}, Now: func() time.Time { return w.Now }, Logf: func(string, ...any) {}}
		in := publish.ReportInput{Manager: pipelinetest.ManagerSlug, Customer: w.Current, Request: request.ID, Final: true}
		_, _, err := r.Run(context.Background(), in)
		open := len(w.Keys("acme/open/")) + len(w.Keys("_metapipe/open/"))
		if err == nil || len(w.Keys("_metapipe/closed/")) > 0 || open == 0 {
			wantReported(w, request)
		}
		w.Report(request, true)
		wantReported(w, request)
		if len(w.Hub.DeploymentList) > 2 {
			t.Errorf("%d deployments", len(w.Hub.DeploymentList))
		}
		for _, key := range before {
			if strings.Contains(key, "ledger/") && len(w.Keys(key)) == 0 {
				t.Errorf("%s is lost", key)
			}
		}
	})
}
