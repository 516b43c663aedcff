package drift_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// noPlan fails where a target is planned.
type noPlan struct{}

func (noPlan) Plan(context.Context, pipeline.Job) (pipeline.Planned, error) {
	return pipeline.Planned{}, errors.New("it was planned")
}

// scanOne looks at staging and returns what is found.
func scanOne(t *testing.T, w *pipelinetest.Setup, state func(context.Context, pipeline.Job, bool) (pipeline.StateRecord, error)) drift.Result {
	t.Helper()
	now := func() time.Time { return w.Tick() }
	c := []pipeline.Customer{w.Current}
	stored := drift.Scans(w.Store, w.Sealer, now)
	list := pipelinetest.Must[scans.Listing](t)(stored.List(t.Context(), scans.ListInput{Manager: pipelinetest.ManagerSlug, Customers: c, Filter: scans.Filter{Environments: []pipeline.Environment{"staging"}}, Shards: 1}))
	s := &drift.Scanner{Store: w.Store, Sealer: w.Sealer, Engine: noPlan{}, Parse: w.Fetcher().Parse, State: state, Now: now}
	if err := s.Run(t.Context(), drift.ScanInput{Scan: list.Scan, Workers: 1, Customers: c, ManagerDir: w.ManagerDir, Dir: t.TempDir(), Backend: w.Backend}); err != nil {
		t.Fatal(err)
	}
	scan := pipelinetest.Must[drift.Scan](t)(drift.Summarize(t.Context(), stored, list.Scan, c))
	if len(scan.Results) != 1 {
		t.Fatalf("results: %+v", scan.Results)
	}
	return scan.Results[0]
}

// switchedOff is a setup whose staging was applied, and whose customer has then
// switched all tools off.
func switchedOff(t *testing.T, applied bool) *pipelinetest.Setup {
	t.Helper()
	w := pipelinetest.New(t)
	rules := pipeline.DefaultPropertyRules()
	w.Current.Manager.Properties, w.Current.Manager.Tool, w.Hub.Properties = &rules, pipeline.ToolRule{Name: "terraform"}, `{}`
	if applied {
		w.ApplyOnce()
	}
	w.Hub.Properties = `{"infrastructure_tools":[]}`
	send(t, w, "staging off\n")
	return w
}

func send(t *testing.T, w *pipelinetest.Setup, variables string) pipeline.Request {
	t.Helper()
	return pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(variables), "push")))
}

func statusOf(t *testing.T, w *pipelinetest.Setup) fleetstatus.Target {
	t.Helper()
	wanted := fleetstatus.Wanted{Target: w.Current.Name.In("staging"), Properties: w.Current.Manager.Properties}
	return fleetstatus.Read(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), []fleetstatus.Wanted{wanted}, w.Now).Targets[0]
}

// TestAbandoned: what was built and is switched off is neither planned nor applied again: the ledger,
// the status and the scan say so, once, until a request works on it again.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	w := switchedOff(t, true)
	result := scanOne(t, w, nil)
	if len(result.Kinds) != 1 || result.Kinds[0] != pipeline.DriftAbandoned || result.Failure != nil || !strings.Contains(result.Message, "not enabled by the property infrastructure_tools since 2026-03-01") {
		t.Errorf("the scan found %+v", result)
	}
	if s := statusOf(t, w); s.State != fleetstatus.Disabled || s.WaitsFor != "" || s.LastApply == nil {
		t.Errorf("status: %+v", s)
	}
	send(t, w, "staging off again\n")
	w.WantEvents(w.Current.Name.In("staging"), "requested dev, planned, applying, applied, disabled dev")
	w.WantEvents(pipeline.Target{Customer: "acme"}, "disabled dev, disabled dev")
	w.Current.Manager.Drift.Remediate = []pipeline.Environment{"staging"}
	s := &starter{}
	done, err := drift.Remediator{Store: w.Store, Sealer: w.Sealer, GitHub: s}.Run(t.Context(), pipelinetest.ManagerSlug, drift.Scan{Results: []drift.Result{result}}, []pipeline.Customer{w.Current})
	if err != nil || len(done)+len(s.started) > 0 {
		t.Errorf("remediated: %+v, %v", done, err)
	}

	w.Hub.Properties = `{}`
	request := send(t, w, "staging on\n")
	if len(request.Disabled) > 0 {
		t.Errorf("switched off: %v", request.Disabled)
	}
	if s := statusOf(t, w); s.State != fleetstatus.State(pipeline.OutcomeRequested) {
		t.Errorf("status: %+v", s)
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
}

// TestNotAbandoned: where nothing was built, where the rules ignore it, where metapipe.yml has
// stopped to use properties, and where a destroy has ended it, nothing is abandoned. A state that is
// lost is that all the same.
func TestNotAbandoned(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		applied bool
		change  func(*pipelinetest.Setup)
		lost    bool
		says    string // in Skipped
	}{
		"nothing was built": {says: "metapipe has applied nothing here"},
		"ignored": {applied: true, says: "not enabled by the property infrastructure_tools", change: func(w *pipelinetest.Setup) {
			w.Current.Manager.Drift.Actions = map[pipeline.DriftKind]pipeline.DriftAction{pipeline.DriftAbandoned: pipeline.DriftIgnore}
		}},
		"lost": {applied: true, lost: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := switchedOff(t, tc.applied)
			if tc.change != nil {
				tc.change(w)
			}
			state := func(context.Context, pipeline.Job, bool) (pipeline.StateRecord, error) {
				if tc.lost {
					return pipeline.StateRecord{}, nil
				}
				return pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 1}, Resources: pipeline.UnknownResources}, nil
			}
			if !tc.applied {
				state = nil
			}
			result := scanOne(t, w, state)
			switch {
			case tc.lost && (len(result.Kinds) != 1 || result.Kinds[0] != pipeline.DriftLost):
				t.Errorf("the scan found %+v", result)
			case !tc.lost && (!result.Clean() || !strings.Contains(result.Skipped, tc.says)):
				t.Errorf("the scan found %+v, want %q", result, tc.says)
			}
		})
	}
}

// TestPropertiesNotUsedAnyMore: without properties in metapipe.yml what they said before counts
// for nothing: the target is planned.
func TestPropertiesNotUsedAnyMore(t *testing.T) {
	t.Parallel()
	w := switchedOff(t, true)
	use := w.Current.Manager.Properties
	for _, rules := range []*pipeline.PropertyRules{{Names: map[pipeline.PropertyMeaning]string{pipeline.MeaningApproval: use.Names[pipeline.MeaningApproval]}}, nil} {
		w.Current.Manager.Properties = rules
		if result := scanOne(t, w, nil); result.Failure == nil || !strings.Contains(result.Failure.Message, "it was planned") {
			t.Errorf("the scan found %+v", result)
		}
	}
	if s := statusOf(t, w); s.State != fleetstatus.State(pipeline.OutcomeApplied) {
		t.Errorf("status: %+v", s)
	}
}

// TestGateOfAProperty: the status of a target names the gate that a property adds.
func TestGateOfAProperty(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	rules := pipeline.DefaultPropertyRules()
	w.Current.Manager.Properties, w.Hub.Properties = &rules, `{"infrastructure_approval_required":"true"}`
	request := send(t, w, "staging one\n")
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	if s := statusOf(t, w); s.WaitsFor != "an approval in staging-apply" || s.Request == nil || s.Request.Event != ledger.Planned {
		t.Errorf("status: %+v", s)
	}
}
