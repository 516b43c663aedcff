package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// applying is the first step of a job behind the gate.
func (w *world) applying(request pipeline.Request, env pipeline.Environment, attempt int) (pipeline.Report, error) {
	r := &publish.Reporter{GitHub: w.hub, Store: w.store, Sealer: w.sealer, Renderer: plain{}, Now: w.tick, Logf: w.logf}
	report, summary, err := r.Run(context.Background(), publish.ReportInput{Manager: managerSlug, Customer: w.customer, Request: request.ID, Applying: env,
		Run: pipeline.Run{ID: 7, Attempt: attempt, URL: "https://hub/run"}})
	if summary != "" {
		w.t.Errorf("there is nothing to sum up yet: %q", summary)
	}
	return report, err
}

// TestReportTellsThatAnApplyBegins follows the address of a status through the
// stages of an environment with a gate and of one without.
func TestReportTellsThatAnApplyBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.hub.commit(bothEnvironments)
	request := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
	w.tellsStages(request, "staging", "#receipt-")
	w.tellsStages(request, "production", "#approval-")
	if report := w.report(request, true); report.Overall() != pipeline.StatusSuccess {
		t.Errorf("overall: %s", report.Overall())
	}
}

func (w *world) tellsStages(request pipeline.Request, env pipeline.Environment, waiting string) {
	w.t.Helper()
	statusContext := "infra/terraform-deploy/" + string(env)
	want := func(state pipeline.StatusState, url string) {
		w.t.Helper()
		if s := w.hub.status(request.Commit, statusContext); s.State != state || s.TargetURL != url {
			w.t.Errorf("%s is %s with %s, want %s with %s", statusContext, s.State, s.TargetURL, state, url)
		}
	}
	silent := func(attempt int) {
		w.t.Helper()
		writes := w.hub.writes
		if _, err := w.applying(request, env, attempt); err != nil || w.hub.writes != writes {
			w.t.Errorf("%s: %d writes, %v", env, w.hub.writes-writes, err)
		}
	}
	silent(1) // there is no plan yet
	planned := must[deploy.TargetResult](w.t)(w.plan(request, env))
	w.report(request, false)
	want(pipeline.StatusPending, "https://hub/run"+waiting+planned.Receipt)
	writes := w.hub.writes
	must[pipeline.Report](w.t)(w.applying(request, env, 1))
	want(pipeline.StatusPending, "https://hub/run#applying-"+planned.Receipt)
	if w.hub.writes != writes+1 {
		w.t.Errorf("%d writes, want one", w.hub.writes-writes)
	}
	silent(1) // the same again
	must[deploy.TargetResult](w.t)(w.apply(w.target(request, env)))
	w.report(request, false)
	want(pipeline.StatusSuccess, "https://hub/run#receipt-"+planned.Receipt)
	silent(2) // a job that is run again does not reopen what was applied
}

func TestReportApplyingIsHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	commit := w.hub.commit(bothEnvironments)
	request := must[pipeline.Request](t)(w.send(w.ask(commit, "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	var usage *pipeline.UsageError
	if _, err := w.applying(request, "nowhere", 1); !errors.As(err, &usage) || !strings.Contains(err.Error(), `no environment "nowhere"`) {
		t.Errorf("%v", err)
	}
	if report := w.report(request, true); report.Overall() == pipeline.StatusPending {
		t.Fatal("the final report leaves the request open")
	}
	open := func() int {
		keys, err := w.store.List(context.Background(), "_metapipe/open/")
		if err != nil {
			t.Fatal(err)
		}
		return len(keys)
	}
	if open() != 0 {
		t.Fatal("the request is still in the index")
	}
	// The job of the apply, run again, opens the request before anything is pending.
	must[pipeline.Report](t)(w.applying(request, "staging", 2))
	if s := w.hub.status(commit, "infra/terraform-deploy/staging"); s.State != pipeline.StatusPending || open() != 1 {
		t.Errorf("%+v, %d open requests", s, open())
	}
	w.report(request, true)
	if s := w.hub.status(commit, "infra/terraform-deploy/staging"); s.State == pipeline.StatusPending || open() != 0 {
		t.Errorf("%+v, %d open requests", s, open())
	}
}
