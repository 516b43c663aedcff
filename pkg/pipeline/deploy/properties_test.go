package deploy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// gatedByProperty is a setup with the plan of staging, which metapipe.yml does not gate.
func gatedByProperty(t *testing.T, properties string) (*pipelinetest.Setup, pipeline.Request) {
	t.Helper()
	w := pipelinetest.New(t)
	rules := pipeline.DefaultPropertyRules()
	w.Current.Manager.Properties, w.Current.Manager.Tool, w.Hub.Properties = &rules, pipeline.ToolRule{Name: "terraform"}, properties
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	return w, request
}

// TestPropertyAddsAGate: the property demands an approval where metapipe.yml does not. It
// fails closed where no one could give one, and `false` changes nothing.
func TestPropertyAddsAGate(t *testing.T) {
	t.Parallel()
	approved := []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "staging-apply")}
	for name, tc := range map[string]struct {
		value     string
		reviewers int
		approvals []deploy.Approval
		want      pipeline.Reason
	}{
		"true, no reviewers":    {`"true"`, 0, approved, pipeline.ReasonMissingProtection},
		"true, no approval":     {`"true"`, 1, nil, pipeline.ReasonMissingProtection},
		"true, approved":        {`"true"`, 1, approved, ""},
		"false, no reviewers":   {`"false"`, 0, nil, ""},
		"not set, no reviewers": {`null`, 0, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, request := gatedByProperty(t, `{"infrastructure_approval_required":`+tc.value+`}`)
			report := w.Report(request, false)
			if gated := tc.value == `"true"`; report.Targets[0].Gated != gated {
				t.Errorf("reported as gated: %v", report.Targets[0].Gated)
			}
			w.Hub.Reviewers, w.Hub.ApprovalList = tc.reviewers, tc.approvals
			// The customer may take the property back: the request keeps what it was accepted with.
			w.Hub.Properties = `{"infrastructure_approval_required":"false"}`
			_, err := w.Apply(w.Target(request, "staging"))
			if tc.want != "" {
				pipelinetest.WantRefused(t, name, err, tc.want)
				if tc.reviewers == 0 && !strings.Contains(err.Error(), "the property infrastructure_approval_required of acme/app asks for an approval") {
					t.Errorf("the refusal does not name the property: %v", err)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPropertiesAreInTheReceipt: a plan that was made under other properties than those of
// the request is not applied.
func TestPropertiesAreInTheReceipt(t *testing.T) {
	t.Parallel()
	w, request := gatedByProperty(t, `{"infrastructure_approval_required":"true"}`)
	records := record.Records{Store: w.Store, Sealer: w.Sealer}
	status, err := ledger.ReadTargetStatus(t.Context(), records, request, w.Target(request, "staging").Target())
	if err != nil || status.Receipt == nil || status.Receipt.Evidence.Properties() != request.Properties.Digest() || request.Properties.Digest() == "" {
		t.Fatalf("the receipt %+v, %v", status.Receipt, err)
	}
	if err := status.Receipt.Evidence.CheckNames(); err != nil {
		t.Errorf("an engine refuses the evidence: %v", err)
	}
	// Someone with the key of the records writes the request anew, without the gate.
	request.Properties.Approval, request.Properties.Used = false, request.Properties.Used[:1]
	w.Delete(pipelinetest.RequestFile(request.ID))
	if err := records.CreateRecord(t.Context(), record.PlanAttempt{Target: pipeline.Target{Customer: "acme"}}, pipelinetest.RequestFile(request.ID), request); err != nil {
		t.Fatal(err)
	}
	_, err = w.Apply(w.Target(request, "staging"))
	pipelinetest.WantRefused(t, "other properties", err, pipeline.ReasonTampered)
}

// TestRecordedPropertiesAreSealed: who can write to the store cannot take a gate away.
func TestRecordedPropertiesAreSealed(t *testing.T) {
	t.Parallel()
	w, request := gatedByProperty(t, `{"infrastructure_approval_required":"true"}`)
	w.EditRequest(request.ID, [2]string{`"approval": true`, `"approval": false`})
	_, err := w.Apply(w.Target(request, "staging"))
	pipelinetest.WantRefused(t, "an edited request", err, pipeline.ReasonTampered)
}

// versionSpy notes the version constraint of each job.
type versionSpy struct {
	pipeline.Engine
	seen *[]string
}

func (e versionSpy) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	*e.seen = append(*e.seen, "plan "+job.Tool().Constraint)
	return e.Engine.Plan(ctx, job)
}

func (e versionSpy) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	*e.seen = append(*e.seen, "apply "+job.Tool().Constraint)
	return e.Engine.Apply(ctx, job, plan)
}

// TestVersionReachesTheEngine: the engine gets the constraints of the manager and of the
// property, for the plan and for the apply.
func TestVersionReachesTheEngine(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	rules := pipeline.DefaultPropertyRules()
	w.Current.Manager.Properties, w.Current.Manager.Tool = &rules, pipeline.ToolRule{Name: "terraform", Constraint: ">= 1.6"}
	w.Hub.Properties = `{"terraform_version":"1.11"}`
	fetch, ask := w.Fetcher(), w.Dispatch(w.Hub.Commit("staging one\n"), "push")
	fetch.Overlap = func(a, b string) bool { return a == ">= 1.6" && b == "~> 1.11.0" }
	request := pipelinetest.Must[pipeline.Request](t)(fetch.Run(t.Context(), w.FetchInput(ask, w.Claims(ask))))
	var seen []string
	planner, applier := w.Planner(), w.Applier()
	planner.Engine, applier.Engine = versionSpy{w.Engine, &seen}, versionSpy{w.Engine, &seen}
	pipelinetest.Must[deploy.TargetResult](t)(planner.Run(t.Context(), w.Target(request, "staging")))
	pipelinetest.Must[deploy.TargetResult](t)(applier.Run(t.Context(), w.Target(request, "staging")))
	if got := strings.Join(seen, "; "); got != "plan >= 1.6, ~> 1.11.0; apply >= 1.6, ~> 1.11.0" {
		t.Errorf("got %s", got)
	}
}
