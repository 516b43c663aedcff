package publish_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// TestNewerRequestDuringAReport: a newer request for the same commit that comes while a report of an older one
// makes its deployment keeps its statuses.
func TestNewerRequestDuringAReport(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit("staging one\n")
	older := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	w.Report(older, false)
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(older, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(older, "staging")))
	var newer pipeline.Request
	w.Hub.Refuse = func(op string) error {
		if op == "deployment" && newer.ID == "" {
			w.Engine.PlanErr = &pipeline.FailedError{Message: "broken"}
			newer = pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
			w.Report(newer, false)
			if _, err := w.Plan(newer, "staging"); err == nil {
				t.Error("the newer request has a plan")
			}
			w.Report(newer, true)
		}
		return nil
	}
	w.Report(older, true)
	for _, name := range []string{"infra/terraform-deploy", "infra/terraform-deploy/staging"} {
		if s := w.Hub.Status(commit, name); !strings.HasSuffix(s.Description, pipeline.RequestTag(newer.ID)) {
			t.Errorf("%s shows the older request: %+v", name, s)
		}
	}
}

// oneFault fails one read of an object.
type oneFault struct {
	pipeline.Store
	key  string
	left int
}

func (s *oneFault) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if s.left > 0 && key == s.key {
		s.left--
		return nil, errors.New("503 slow down")
	}
	return s.Store.Open(ctx, key)
}

// deployments are the anchors that the audit of a ledger reads.
type deployments struct{ *pipelinetest.Hub }

func (d deployments) AllDeployments(ctx context.Context, _ pipeline.Slug, env string) ([]pipeline.Deployment, error) {
	return d.Hub.Deployments(ctx, pipeline.Slug{}, "", env)
}

func (deployments) StatusHistory(context.Context, pipeline.Slug, pipeline.SHA) ([]pipeline.Status, error) {
	return nil, nil
}

// TestAnchorAfterAFailedRead: an apply whose entry did not get the place that it was made for, and a report that cannot
// read that place once: no deployment remembers an entry that was never written.
func TestAnchorAfterAFailedRead(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Engine.DuringApply = func() {
		w.Tick()
		pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	fault := &oneFault{Store: w.Store, key: w.Keys("acme/staging/ledger/")[1], left: 1}
	w.Store = fault
	if err := w.ReportError(request.ID, false); err == nil || fault.left > 0 {
		t.Errorf("the report has not met the fault: %v", err)
	}
	if err := w.ReportError(request.ID, false); err != nil {
		t.Error(err)
	}
	target := pipeline.Target{Customer: "acme", Environment: "staging"}
	audit := ledger.Auditor{Ledger: w.Ledger(), GitHub: deployments{w.Hub}}
	if r, err := audit.Target(t.Context(), w.Current, target); err != nil || len(r.Findings) > 0 || len(w.Hub.DeploymentList) == 0 {
		t.Errorf("%v: the audit finds %q with %d deployments", err, r.Findings, len(w.Hub.DeploymentList))
	}
}

// TestReplacedEntryOfAWaitingPlan: a plan whose last entry in the ledger was replaced without the key is not offered
// for approval.
func TestReplacedEntryOfAWaitingPlan(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit("staging one\n")
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Write(w.Keys("acme/staging/ledger/")[0], []byte("{}"))
	if err := w.ReportError(request.ID, false); err == nil {
		t.Error("the report finds nothing wrong")
	}
	begins := publish.ReportInput{Customer: w.Current, Request: request.ID, Applying: w.Current.Name.In("staging"), Run: pipelinetest.JobRun}
	if report, err := w.ReportAs(begins); err == nil && len(report.Targets) > 0 {
		t.Errorf("the customer is told of an apply that begins: %+v", report.Targets)
	}
	if s := w.Hub.Status(commit, "infra/terraform-deploy/staging"); strings.Contains(s.Description, "approv") {
		t.Errorf("the customer is told %q", s.Description)
	}
	if _, err := w.Apply(w.Target(request, "staging")); err == nil {
		t.Error("the plan was applied")
	}
}
