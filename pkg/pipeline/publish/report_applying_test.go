package publish_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// applying is the first step of a job behind the gate.
func applying(w *pipelinetest.Setup, request pipeline.Request, env pipeline.Environment, attempt int) (pipeline.Report, error) {
	r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: pipelinetest.PlainRenderer{}, Now: w.Tick, Logf: w.Logf}
	report, summary, err := r.Run(context.Background(), publish.ReportInput{Manager: pipelinetest.ManagerSlug, Customer: w.Current, Request: request.ID, Applying: w.Current.Name.In(env),
		Run: pipeline.Run{ID: 7, Attempt: attempt, URL: "https://hub/run"}})
	if summary != "" {
		w.T.Errorf("there is nothing to sum up yet: %q", summary)
	}
	return report, err
}

// TestReportTellsThatAnApplyBegins follows the address of a status through the
// stages of an environment with a gate and of one without.
func TestReportTellsThatAnApplyBegins(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	tellsStages(w, request, "staging", "#receipt-")
	tellsStages(w, request, "production", "#approval-")
	if report := w.Report(request, true); report.Overall() != pipeline.StatusSuccess {
		t.Errorf("overall: %s", report.Overall())
	}
}

func tellsStages(w *pipelinetest.Setup, request pipeline.Request, env pipeline.Environment, waiting string) {
	w.T.Helper()
	statusContext := "infra/terraform-deploy/" + string(env)
	want := func(state pipeline.StatusState, url string) {
		w.T.Helper()
		if s := w.Hub.Status(request.Commit, statusContext); s.State != state || s.TargetURL != url {
			w.T.Errorf("%s is %s with %s, want %s with %s", statusContext, s.State, s.TargetURL, state, url)
		}
	}
	silent := func(attempt int) {
		w.T.Helper()
		writes := w.Hub.Writes
		if _, err := applying(w, request, env, attempt); err != nil || w.Hub.Writes != writes {
			w.T.Errorf("%s: %d writes, %v", env, w.Hub.Writes-writes, err)
		}
	}
	announced := func() bool {
		w.T.Helper()
		keys := pipelinetest.Must[[]string](w.T)(w.Store.List(context.Background(), record.PlansPrefix(w.Current.Name.In(env), request.ID)))
		return slices.ContainsFunc(keys, func(key string) bool {
			return strings.Contains(key, "/announced-") && strings.HasSuffix(key, "-7.json")
		})
	}
	silent(1) // there is no plan yet
	planned := pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, env))
	w.Report(request, false)
	want(pipeline.StatusPending, "https://hub/run"+waiting+planned.Receipt)
	writes := w.Hub.Writes
	if announced() {
		w.T.Errorf("%s is announced before its apply begins", env)
	}
	pipelinetest.Must[pipeline.Report](w.T)(applying(w, request, env, 1))
	if !announced() {
		w.T.Errorf("%s is not announced to its apply", env)
	}
	want(pipeline.StatusPending, "https://hub/run#applying-"+planned.Receipt)
	if w.Hub.Writes != writes+1 {
		w.T.Errorf("%d writes, want one", w.Hub.Writes-writes)
	}
	silent(1) // the same again
	pipelinetest.Must[deploy.TargetResult](w.T)(w.Apply(w.Target(request, env)))
	w.Report(request, false)
	want(pipeline.StatusSuccess, "https://hub/run#receipt-"+planned.Receipt)
	silent(2) // a job that is run again does not reopen what was applied
}

func TestReportApplyingIsHarmless(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	var usage *pipeline.UsageError
	if _, err := applying(w, request, "nowhere", 1); !errors.As(err, &usage) || !strings.Contains(err.Error(), `no environment "nowhere"`) {
		t.Errorf("%v", err)
	}
	if report := w.Report(request, true); report.Overall() == pipeline.StatusPending {
		t.Fatal("the final report leaves the request open")
	}
	open := func() int {
		keys, err := w.Store.List(context.Background(), "_metapipe/open/")
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	if open() != 0 {
		t.Fatal("the request is still in the index")
	}
	// The job of the apply, run again, opens the request before anything is pending.
	pipelinetest.Must[pipeline.Report](t)(applying(w, request, "staging", 2))
	if s := w.Hub.Status(commit, "infra/terraform-deploy/staging"); s.State != pipeline.StatusPending || open() != 1 {
		t.Errorf("%+v, %d open requests", s, open())
	}
	w.Report(request, true)
	if s := w.Hub.Status(commit, "infra/terraform-deploy/staging"); s.State == pipeline.StatusPending || open() != 0 {
		t.Errorf("%+v, %d open requests", s, open())
	}
}
