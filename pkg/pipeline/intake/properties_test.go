package intake_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// propertied is a manager with two stacks whose customers have properties.
func propertied(t *testing.T, properties string) *pipelinetest.Setup {
	t.Helper()
	w := withStacks(t)
	rules := pipeline.DefaultPropertyRules()
	w.Current.Manager.Properties, w.Current.Manager.Tool = &rules, pipeline.ToolRule{Name: "terraform"}
	for i := range w.Current.Manager.Stacks {
		w.Current.Manager.Stacks[i].Tool = w.Current.Manager.Tool
	}
	w.Hub.Properties = properties
	return w
}

// fetch sends a push with the version rules of the real program.
func fetch(w *pipelinetest.Setup, variables string) (pipeline.Request, error) {
	w.Tick()
	f := w.Fetcher()
	f.Overlap = config.VersionsOverlap
	ask := w.Dispatch(w.Hub.Commit(variables), "push")
	return f.Run(context.Background(), w.FetchInput(ask, w.Claims(ask)))
}

// TestPropertiesOfARequest: what the properties say when the request is accepted is what
// the request works on, and its record says so. Whatever cannot be used rejects it, and
// the customer gets the answer.
func TestPropertiesOfARequest(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		properties, targets, says string
		reason                    pipeline.Reason
	}{
		"none":        {"", "staging/network staging/hosts", "", ""},
		"unset":       {`{"infrastructure_tools":null}`, "staging/network staging/hosts", "", ""},
		"one stack":   {`{"infrastructure_tools":["hosts"]}`, "staging/hosts", "", ""},
		"no tools":    {`{"infrastructure_tools":[]}`, "", "", ""},
		"app only":    {`{"repo_content_type":"app","infrastructure_tools":["hosts"]}`, "", "", ""},
		"neither":     {`{"repo_content_type":[]}`, "", "", ""},
		"both":        {`{"repo_content_type":["app","infra"]}`, "staging/network staging/hosts", "", ""},
		"no type":     {`{"repo_content_type":"docs"}`, "", `"docs" is no content type`, pipeline.ReasonProperties},
		"not offered": {`{"infrastructure_tools":["hosts","ansible"]}`, "", `"ansible" is not offered to this customer`, pipeline.ReasonProperties},
		"wrong type":  {`{"infrastructure_approval_required":false}`, "", "the value is not one text", pipeline.ReasonProperties},
		"unreadable":  {`[]`, "", "nothing is inferred", pipeline.ReasonProperties},
		"null":        {`null`, "", "nothing is inferred", pipeline.ReasonProperties},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := propertied(t, tc.properties)
			request, err := fetch(w, "staging one\n")
			var rejected *pipeline.RejectedError
			if tc.reason != "" {
				if !errors.As(err, &rejected) || rejected.Reason != tc.reason || !strings.Contains(rejected.Problems.Error(), tc.says) {
					t.Errorf("%v, want %s: %s", err, tc.reason, tc.says)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if got := namesOf(request); got != tc.targets {
				t.Errorf("targets %q, want %q", got, tc.targets)
			}
			stored, err := record.LoadRequest(t.Context(), record.Records{Store: w.Store, Sealer: w.Sealer}, "acme", request.ID)
			if err != nil || stored.Properties.Digest() != request.Properties.Digest() || (stored.Properties == nil) != (tc.reason != "") {
				t.Errorf("recorded: %+v, %v", stored.Properties, err)
			}
			report := w.Report(request, false)
			want := map[bool]pipeline.StatusState{true: pipeline.StatusFailure, false: pipeline.StatusPending}[tc.reason != ""]
			if tc.reason == "" && tc.targets == "" {
				want = pipeline.StatusSuccess
			}
			if report.Overall() != want || report.Closed != (want != pipeline.StatusPending) {
				t.Errorf("reported as %s, closed %v, want %s", report.Overall(), report.Closed, want)
			}
		})
	}
}

// TestNoToolsDestroysNothing: a customer that has deployed and then switches all tools off
// keeps its states, and a destroy of one is still possible.
func TestNoToolsDestroysNothing(t *testing.T) {
	t.Parallel()
	w := propertied(t, `{"infrastructure_tools":["hosts"]}`)
	request := pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging one\n"))
	in := pipelinetest.Stack(w.Target(request, "staging"), "hosts")
	pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
	w.Report(request, true)
	w.Hub.Properties = `{"infrastructure_tools":[]}`
	request = pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging two\n"))
	if !request.NoTools() || len(request.Targets) != 0 || len(request.RemovedStacks) != 0 || len(request.Disabled) != 1 || request.Disabled[0].Stack != "hosts" {
		t.Errorf("got %+v", request)
	}
	w.Hub.Properties = `[]` // a destroy does not read them: its approval is needed in any case
	request, err := w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch",
		intake.ManualRequest{Environment: "staging", Stack: "hosts", Mode: pipeline.ModeDestroy, Confirm: "acme/staging/hosts"}))
	if err != nil || namesOf(request) != "staging/hosts" || request.Properties != nil {
		t.Errorf("got %+v, %v", request, err)
	}
}

// TestAppOnlyDestroysNothing: a repository that holds no infrastructure any more needs no
// variables.yml, and what was built stays and is named.
func TestAppOnlyDestroysNothing(t *testing.T) {
	t.Parallel()
	w := propertied(t, `{"repo_content_type":"both"}`)
	request := pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging one\n"))
	in := pipelinetest.Stack(w.Target(request, "staging"), "hosts")
	pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
	w.Report(request, true)
	w.Hub.Properties = `{"repo_content_type":["app"]}`
	for _, variables := range []string{"staging two\n", ""} { // without any text the file is not there
		request = pipelinetest.Must[pipeline.Request](t)(fetch(w, variables))
		if !request.NoTools() || len(request.Targets) != 0 || len(request.Removed) != 0 || !slices.ContainsFunc(request.Disabled, func(t pipeline.Target) bool { return t.Stack == "hosts" }) {
			t.Errorf("%q: got %+v", variables, request)
		}
		if report := w.Report(request, false); report.Overall() != pipeline.StatusSuccess || !report.Closed {
			t.Errorf("%q: reported as %s", variables, report.Overall())
		}
	}
}

// TestManualRequestForADisabledStack: an operator cannot deploy what the customer has
// switched off.
func TestManualRequestForADisabledStack(t *testing.T) {
	t.Parallel()
	w := propertied(t, `{"infrastructure_tools":["network"]}`)
	w.Hub.Commit(pipelinetest.BothEnvironments)
	_, err := w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", intake.ManualRequest{Stack: "hosts", Mode: pipeline.ModeApply}))
	var rejected *pipeline.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonProperties || !strings.Contains(rejected.Problems.Error(), "does not enable stack hosts") {
		t.Errorf("got %v", err)
	}
}

// TestPropertyChoosesNoOlderVersion: what a newer version has applied is not planned with
// an older one, also where the manager takes any version.
func TestPropertyChoosesNoOlderVersion(t *testing.T) {
	t.Parallel()
	w := propertied(t, `{"infrastructure_tools":["hosts"]}`)
	request := pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging one\n"))
	in := pipelinetest.Stack(w.Target(request, "staging"), "hosts")
	pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in)) // with 1.11.4
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
	w.Report(request, true)
	for version, good := range map[string]bool{"1.11": true, "1.12": true, "1.11.4": true, "latest": true, "1.11.3": false, "1.10": false, "0.13": false} {
		w.Hub.Properties = `{"infrastructure_tools":["hosts"],"terraform_version":"` + version + `"}`
		request, err := fetch(w, "staging "+version+"\n")
		var rejected *pipeline.RejectedError
		if good && err != nil || !good && (!errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonProperties || len(request.Targets) > 0) {
			t.Errorf("%s: %+v, %v", version, request.Targets, err)
		}
	}
}

// countingHub counts the reads of the repository.
type countingHub struct {
	*pipelinetest.Hub
	reads *int
}

func (h countingHub) Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	*h.reads++
	return h.Hub.Repository(ctx, repo)
}

func (h countingHub) RepositoryProperties(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error) {
	*h.reads++
	return h.Hub.RepositoryProperties(ctx, repo)
}

// TestPropertiesCostNoCall: the answer about the repository, which is read once in any
// case, holds its properties.
func TestPropertiesCostNoCall(t *testing.T) {
	t.Parallel()
	for _, rules := range []bool{false, true} {
		w := propertied(t, `{"infrastructure_tools":["hosts"]}`)
		if !rules {
			w.Current.Manager.Properties = nil
		}
		f, reads := w.Fetcher(), 0
		f.GitHub = countingHub{w.Hub, &reads}
		ask := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
		pipelinetest.Must[pipeline.Request](t)(f.Run(t.Context(), w.FetchInput(ask, w.Claims(ask))))
		if reads != 1 {
			t.Errorf("rules %v: the repository was read %d times", rules, reads)
		}
	}
}

// TestAutoDeploy: the property takes the automatic apply of a push away. Its `true` counts only where
// metapipe.yml asks for it, and takes no gate away. What someone starts by hand is applied.
func TestAutoDeploy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		property, event string
		allowed         pipeline.AutoDeploy
		planned         bool
	}{
		"unset":              {property: `null`, event: "push"},
		"true":               {property: `"true"`, event: "push"},
		"false":              {property: `"false"`, event: "push", planned: true},
		"false, by hand":     {property: `"false"`, event: "workflow_dispatch"},
		"allowed, unset":     {property: `null`, event: "push", allowed: pipeline.AutoDeployAllowed, planned: true},
		"allowed, true":      {property: `"true"`, event: "push", allowed: pipeline.AutoDeployAllowed},
		"allowed, false":     {property: `"false"`, event: "push", allowed: pipeline.AutoDeployAllowed, planned: true},
		"allowed, by hand":   {property: `null`, event: "workflow_dispatch", allowed: pipeline.AutoDeployAllowed},
		"allowed, PR, false": {property: `"false"`, event: "pull_request", allowed: pipeline.AutoDeployAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := propertied(t, `{"spacelift_auto_deploy":`+tc.property+`}`)
			w.Current.Manager.Stacks = nil
			w.Current.Manager.Environments[1].AutoDeploy = tc.allowed
			w.Tick()
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), tc.event)))
			production := request.Find(w.Current.Name.In("production"))
			if (production.PlanOnly != "") != tc.planned || tc.planned && !strings.Contains(production.PlanOnly, "spacelift_auto_deploy is") {
				t.Errorf("production is only planned: %q", production.PlanOnly)
			}
			if staging := request.Find(w.Current.Name.In("staging")); (staging.PlanOnly != "") != (tc.property == `"false"` && tc.event == "push") {
				t.Errorf("staging is only planned: %q", staging.PlanOnly)
			}
			if rule, _ := w.Current.Manager.Rule("production"); !rule.Gated {
				t.Error("the gate is gone")
			}
		})
	}
}

// TestPropertiesInTheToken: with claims in metapipe.yml a property that was changed after the run
// signed its request rejects it. A manual request has no token, and needs none.
func TestPropertiesInTheToken(t *testing.T) {
	t.Parallel()
	w := propertied(t, `{"infrastructure_tools":["hosts"]}`)
	w.Current.Manager.Properties.Claims = true
	for token, good := range map[string]bool{`{"infrastructure_tools":["hosts"]}`: true, `{"infrastructure_tools":["network"]}`: false, `{}`: false} {
		w.Tick()
		ask := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
		f := w.Fetcher()
		verify := f.Verify
		f.Verify = func(ctx context.Context, signed, audience string, at time.Time) (pipeline.Claims, error) {
			claims, err := verify(ctx, signed, audience, at)
			claims.Properties, _ = pipeline.ParseProperties([]byte(token))
			return claims, err
		}
		_, err := f.Run(t.Context(), w.FetchInput(ask, w.Claims(ask)))
		var rejected *pipeline.RejectedError
		if good && err != nil || !good && (!errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonProperties || !strings.Contains(rejected.Problems.Error(), "property infrastructure_tools")) {
			t.Errorf("%s: %v", token, err)
		}
	}
	if _, err := w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", intake.ManualRequest{Stack: "hosts", Mode: pipeline.ModeApply})); err != nil {
		t.Errorf("manual: %v", err)
	}
}

// TestPropertyChangesWhereFetchVarsDied: a run that goes on where it died may find other properties
// than before, which is no sign that someone wrote to the store.
func TestPropertyChangesWhereFetchVarsDied(t *testing.T) {
	t.Parallel()
	w := propertied(t, `{"infrastructure_tools":["hosts"]}`)
	w.Tick()
	f := w.Fetcher()
	ask := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
	in := w.FetchInput(ask, w.Claims(ask))
	request := pipelinetest.Must[pipeline.Request](t)(f.Run(t.Context(), in))
	w.Delete(record.RequestKey("acme", request.ID)) // it is written last
	w.Hub.Properties = `{"infrastructure_tools":["hosts","network"],"infrastructure_approval_required":"true"}`
	again, err := f.Run(t.Context(), in)
	if err != nil || !again.NeedsPropertyApproval() || namesOf(again) != "staging/network staging/hosts" {
		t.Errorf("got %+v, %v", again, err)
	}
}

// TestDisabledEnds: a target is switched off until it is planned or applied again, or a destroy has ended
// it. A destroy that is only asked for ends nothing.
func TestDisabledEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ends func(w *pipelinetest.Setup, waits pipeline.TargetInput, a pipeline.Request)
		want bool // it is switched off still
	}{
		"nothing happens": {func(*pipelinetest.Setup, pipeline.TargetInput, pipeline.Request) {}, true},
		"an earlier plan is applied": {func(w *pipelinetest.Setup, waits pipeline.TargetInput, a pipeline.Request) {
			w.Hub.Properties = `{"infrastructure_tools":["hosts"]}`
			pipelinetest.Must[deploy.TargetResult](w.T)(w.Apply(waits))
			w.Report(a, true)
		}, false},
		"a destroy is asked for": {func(w *pipelinetest.Setup, _ pipeline.TargetInput, _ pipeline.Request) {
			d := pipelinetest.Must[pipeline.Request](w.T)(w.Fetcher().Run(context.Background(), w.ManualInput("workflow_dispatch",
				intake.ManualRequest{Environment: "staging", Stack: "hosts", Mode: pipeline.ModeDestroy, Confirm: "acme/staging/hosts"})))
			w.Report(d, true)
		}, true},
		"a request for it": {func(w *pipelinetest.Setup, _ pipeline.TargetInput, _ pipeline.Request) {
			w.Hub.Properties = `{}`
			pipelinetest.Must[pipeline.Request](w.T)(fetch(w, "staging three\n"))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := propertied(t, `{"infrastructure_tools":["hosts"]}`)
			first := pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging zero\n"))
			in := pipelinetest.Stack(w.Target(first, "staging"), "hosts")
			pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
			pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
			w.Report(first, true)
			a := pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging one\n"))
			waits := pipelinetest.Stack(w.Target(a, "staging"), "hosts")
			pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), waits))
			w.Report(a, false)
			w.Hub.Properties = `{"infrastructure_tools":[]}`
			w.Report(pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging two\n")), true)
			tc.ends(w, waits, a)
			tip := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), in.Target()))
			if (tip.Fold.Disabled != nil) != tc.want {
				t.Errorf("disabled: %+v, want %v", tip.Fold.Disabled, tc.want)
			}
		})
	}
}

// TestManualRequestOfAnAppRepository: a repository that became one of application code sends nothing
// itself. A request of the operator records what it leaves behind.
func TestManualRequestOfAnAppRepository(t *testing.T) {
	t.Parallel()
	w := propertied(t, `{"infrastructure_tools":["hosts"]}`)
	first := pipelinetest.Must[pipeline.Request](t)(fetch(w, "staging zero\n"))
	in := pipelinetest.Stack(w.Target(first, "staging"), "hosts")
	pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(t.Context(), in))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in))
	w.Report(first, true)
	w.Hub.Properties = `{"infrastructure_tools":["hosts"],"repo_content_type":["app"]}`
	manual := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", intake.ManualRequest{Mode: pipeline.ModePlan})))
	tip := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), in.Target()))
	if !manual.NoTools() || len(manual.Disabled) != 1 || tip.Fold.Disabled == nil || tip.Fold.Disabled.Property != "repo_content_type" {
		t.Errorf("got %+v, %+v", manual.Disabled, tip.Fold.Disabled)
	}
}
