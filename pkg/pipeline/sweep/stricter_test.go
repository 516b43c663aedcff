package sweep_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// waitsUnderProperties is a request whose plan of staging waits, under properties that ask
// for nothing.
func waitsUnderProperties(t *testing.T) (*pipelinetest.Setup, pipeline.Request) {
	t.Helper()
	w := pipelinetest.New(t)
	rules := pipeline.DefaultPropertyRules()
	w.Current.Manager.Properties, w.Current.Manager.Tool, w.Hub.Properties = &rules, pipeline.ToolRule{Name: "terraform"}, `{}`
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Report(request, false)
	w.SetRun(request, "waiting", "")
	return w, request
}

const asksForApproval = `{"infrastructure_approval_required":"true"}`

// TestStricterProperty: the sweep, and each report on the request, take a plan out of use that
// a custom property does not allow any more. The apply is refused after that, also when the
// property is taken back, and the customer reads why.
func TestStricterProperty(t *testing.T) {
	t.Parallel()
	for name, withdraw := range map[string]func(*pipelinetest.Setup, pipeline.Request) error{
		"sweep": func(w *pipelinetest.Setup, _ pipeline.Request) error {
			if found := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); found != "stricter fixed=true" {
				return errors.New("found " + found)
			}
			return nil
		},
		"report": func(w *pipelinetest.Setup, r pipeline.Request) error { w.Report(r, false); return nil },
		"report before the apply": func(w *pipelinetest.Setup, r pipeline.Request) error {
			_, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: r.ID, Applying: w.Current.Name.In("staging"), Run: pipelinetest.JobRun})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, request := waitsUnderProperties(t)
			w.Hub.Properties = asksForApproval
			if err := withdraw(w, request); err != nil {
				t.Fatal(err)
			}
			w.Hub.Properties = `{}`
			_, err := w.Apply(w.Target(request, "staging"))
			pipelinetest.WantRefused(t, name, err, pipeline.ReasonStaleProperties)
			report := w.Report(request, true)
			if got := report.Targets[0]; got.Outcome != pipeline.OutcomeRefused || got.Reason != pipeline.ReasonStaleProperties || !strings.Contains(got.Message, "infrastructure_approval_required asks for an approval") {
				t.Errorf("reported: %+v", got)
			}
		})
	}
}

// TestPropertyThatStays: a plan waits on while its properties allow it, are looser, or cannot
// be read, and where another repository has the name.
func TestPropertyThatStays(t *testing.T) {
	t.Parallel()
	for name, happens := range map[string]func(*pipelinetest.Setup){
		"the same":           func(*pipelinetest.Setup) {},
		"looser":             func(w *pipelinetest.Setup) { w.Hub.Properties = `{"infrastructure_approval_required":"false"}` },
		"unreadable":         func(w *pipelinetest.Setup) { w.Hub.Properties = `[]` },
		"not used any more":  func(w *pipelinetest.Setup) { w.Hub.Properties, w.Current.Manager.Properties = asksForApproval, nil },
		"not in the answer":  func(w *pipelinetest.Setup) { w.Hub.Properties = "" },
		"a destroy has none": func(w *pipelinetest.Setup) { w.Hub.Properties = `{"infrastructure_tools":null}` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, request := waitsUnderProperties(t)
			happens(w)
			w.Report(request, false)
			if found := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); found != "" {
				t.Errorf("found %s", found)
			}
			if _, err := w.Apply(w.Target(request, "staging")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestApplyIsFasterThanTheSweep: a property that gets stricter while the apply goes on stops nothing.
func TestApplyIsFasterThanTheSweep(t *testing.T) {
	t.Parallel()
	w, request := waitsUnderProperties(t)
	w.Engine.DuringApply = func() {
		w.Hub.Properties = asksForApproval
		if found := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); found != "" {
			t.Errorf("found %s", found)
		}
		w.Report(request, false)
	}
	if _, err := w.Apply(w.Target(request, "staging")); err != nil {
		t.Error(err)
	}
	if got := w.Report(request, true).Targets[0].Outcome; got != pipeline.OutcomeApplied {
		t.Errorf("reported: %s", got)
	}
}

// TestStricterBesideANewerRequest: a dry run or a pull request of the same commit has its statuses,
// and takes no look at the properties away from the apply that waits.
func TestStricterBesideANewerRequest(t *testing.T) {
	t.Parallel()
	w, request := waitsUnderProperties(t)
	dry := w.Dispatch(request.Commit, "workflow_dispatch")
	dry.Mode = pipeline.ModePlan
	w.Tick()
	if second := pipelinetest.Must[pipeline.Request](t)(w.Send(dry)); second.Applies(w.Current.Name.In("staging")) {
		t.Fatal("it is no dry run")
	}
	w.Hub.Properties = asksForApproval
	if _, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Applying: w.Current.Name.In("staging"), Run: pipelinetest.JobRun}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Apply(w.Target(request, "staging"))
	pipelinetest.WantRefused(t, "after a dry run", err, pipeline.ReasonStaleProperties)
}

// TestStricterWithoutStatuses: where the statuses of the commit cannot be read, the answer about the
// repository has the properties.
func TestStricterWithoutStatuses(t *testing.T) {
	t.Parallel()
	w, request := waitsUnderProperties(t)
	w.Hub.Properties, w.Hub.StatusesError = asksForApproval, errors.New("HTTP 502")
	if _, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Applying: w.Current.Name.In("staging"), Run: pipelinetest.JobRun}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Apply(w.Target(request, "staging"))
	pipelinetest.WantRefused(t, "without statuses", err, pipeline.ReasonStaleProperties)
}

// TestExpiredWithoutProperties: a plan that ends anyway needs no properties.
func TestExpiredWithoutProperties(t *testing.T) {
	t.Parallel()
	w, _ := waitsUnderProperties(t)
	w.Now = w.Now.Add(2 * time.Hour)
	s := &sweep.Sweeper{Store: w.Store, Sealer: w.Sealer, Runs: w.Hub, Customers: w, Locks: &pipelinetest.StateLocks{}, Now: func() time.Time { return w.Now },
		Manager: pipeline.Repository{Slug: pipelinetest.ManagerSlug, ID: pipelinetest.ManagerID}, Departed: w.Departed, Overlap: w.Overlaps,
		Close: func(context.Context, sweep.CloseRequest) error { return nil },
		Properties: func(context.Context, pipeline.Slug) (pipeline.Repository, pipeline.Properties, error) {
			return pipeline.Repository{}, pipeline.Properties{}, errors.New("HTTP 403: Resource not accessible")
		}}
	result, err := s.Run(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if got := pipelinetest.FindingKinds(result); got != "expired fixed=true" {
		t.Errorf("found %s", got)
	}
}

// TestChangeOfTheProvider: what metapipe.yml says now is no change of a property, and revokes no plan.
func TestChangeOfTheProvider(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(m *pipeline.Manager){
		"tool.version": func(m *pipeline.Manager) { m.Tool.Constraint = "~> 1.12.0" },
		"auto_deploy":  func(m *pipeline.Manager) { m.Environments[0].AutoDeploy = pipeline.AutoDeployAllowed },
	} {
		w := pipelinetest.New(t)
		w.Overlaps = config.VersionsOverlap
		rules := pipeline.DefaultPropertyRules()
		w.Current.Manager.Properties, w.Current.Manager.Tool, w.Hub.Properties = &rules, pipeline.ToolRule{Name: "terraform"}, `{"terraform_version":"1.11"}`
		request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
		w.Report(request, false)
		w.SetRun(request, "waiting", "")
		change(&w.Current.Manager)
		if found := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); found != "" {
			t.Errorf("%s: found %s", name, found)
		}
	}
}
