package publish_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// TestReportsWriteOnlyNews: fetch-vars says of the whole request what a report would say, and
// a report writes nothing that the commit and the pull request have.
func TestReportsWriteOnlyNews(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	writes := func() (n int) { n, w.Hub.Writes = w.Hub.Writes, 0; return n }
	sent := w.Dispatch(commit, "push")
	in := w.FetchInput(sent, w.Claims(sent))
	request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), in))
	if got := writes(); got != 1 {
		t.Errorf("fetch-vars: %d writes", got)
	}
	w.Report(request, false)
	if got := writes(); got != 2 {
		t.Errorf("the report after fetch-vars: %d writes", got)
	}
	for _, env := range request.Environments() {
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, env))
		w.Report(request, false)
		if got := writes(); got != 2 {
			t.Errorf("the report after the plan of %s: %d writes", env, got)
		}
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, env)))
		report := w.Report(request, false)
		if got := writes(); got != 3 || len(w.Hub.DeploymentList) == 0 {
			t.Errorf("the report after the apply of %s: %d writes", env, got)
		}
		if report.Closed != (env == "production") {
			t.Errorf("the report after the apply of %s: closed %v", env, report.Closed)
		}
	}
	for range 2 {
		w.Report(request, true)
		if got := writes(); got != 0 {
			t.Errorf("the last report: %d writes", got)
		}
	}
	// The run once more: what it has said already is so.
	pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), in))
	w.Report(request, false)
	if got := writes(); got != 0 {
		t.Errorf("fetch-vars and the report, run again: %d writes", got)
	}
}

// TestClosingReport: a report that leaves nothing to report says so, and deletes the plans of
// the pull request as the last report would.
func TestClosingReport(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
	for _, env := range request.Environments() {
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, env))
		kept := len(w.Keys("acme/" + string(env) + "/plans/"))
		w.Hub.Refuse = func(string) error { return errors.New("HTTP 502") }
		if report, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Run: pipelinetest.JobRun}); err == nil || report.Closed {
			t.Errorf("%s: closed %v without its report, %v", env, report.Closed, err)
		}
		w.Hub.Refuse = nil
		last := env == "production"
		if report := w.Report(request, false); report.Closed != last || len(w.OpenKeys()) == 0 != last {
			t.Errorf("%s: closed %v, open %v", env, report.Closed, w.OpenKeys())
		}
		if left := len(w.Keys("acme/" + string(env) + "/plans/")); (left < kept) != last {
			t.Errorf("%s: %d objects of the plan, %d before the report", env, left, kept)
		}
	}
	if left := strings.Join(w.Keys("acme/staging/plans/"), " "); strings.Contains(left, "artifacts.sealed") {
		t.Errorf("kept: %s", left)
	}
}

// TestStatusesLostWithTheirRun: fetch-vars died between the request and its status. Run again,
// it knows the request, and the report says all of it.
func TestStatusesLostWithTheirRun(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	sent := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
	in := w.FetchInput(sent, w.Claims(sent))
	request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), in))
	w.Hub.StatusOf = map[string]pipeline.Status{}
	pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), in))
	w.Report(request, false)
	for _, part := range []string{"", "/staging", "/production"} {
		if s := w.Hub.Status(request.Commit, "infra/terraform-deploy"+part); s.State != pipeline.StatusPending {
			t.Errorf("%q: %+v", part, s)
		}
	}
}

// TestDeploymentIsMadeOnce: a status of an applied target that says that there is a
// deployment is believed, and one that says nothing of it is not.
func TestDeploymentIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	asked := 0
	w.Hub.Refuse = func(op string) error {
		if op != "deployment" {
			return nil
		}
		if asked++; asked == 1 {
			return errors.New("HTTP 502")
		}
		return nil
	}
	url := func() string { return w.Hub.Status(request.Commit, "infra/terraform-deploy/staging").TargetURL }
	if err := w.ReportError(request.ID, false); err == nil || !strings.Contains(url(), "#undeployed-") || len(w.Hub.DeploymentList) != 0 {
		t.Errorf("%v, %s, %d deployments", err, url(), len(w.Hub.DeploymentList))
	}
	if digest, _ := pipeline.ReceiptOf(url()); !pipeline.IsDigest(digest) {
		t.Errorf("%s anchors no receipt", url())
	}
	w.Report(request, false)
	if !strings.Contains(url(), "#receipt-") || len(w.Hub.DeploymentList) != 1 || asked != 2 {
		t.Errorf("%s, %d deployments, asked %d times", url(), len(w.Hub.DeploymentList), asked)
	}
	w.Report(request, false)
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// TestFirstDeploymentIsNotLookedFor: the first report after an apply, in its job, knows that
// there is no deployment; any other one looks, and makes one again that was deleted.
func TestFirstDeploymentIsNotLookedFor(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	apply := func(env pipeline.Environment) {
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, env))
		w.Report(request, false)
		pipelinetest.Must[pipeline.Report](t)(w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Applying: w.Current.Name.In(env), Run: pipelinetest.JobRun}))
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, env)))
	}
	last := func() pipeline.Deployment { return w.Hub.DeploymentList[0] }
	apply("staging")
	w.Report(request, false)
	if len(w.Hub.DeploymentList) != 1 || !last().First {
		t.Errorf("the report of the job: %+v", w.Hub.DeploymentList)
	}
	again := pipelinetest.JobRun
	again.Attempt++
	for name, run := range map[string]pipeline.Run{"by hand": {}, "the run once more": again, "another run": {ID: 9}} {
		w.Hub.DeploymentList = nil
		pipelinetest.Must[pipeline.Report](t)(w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Run: run}))
		if len(w.Hub.DeploymentList) != 1 || last().First {
			t.Errorf("%s: %+v", name, w.Hub.DeploymentList)
		}
	}
	w.Hub.DeploymentList = nil
	w.Report(request, false)
	if len(w.Hub.DeploymentList) != 0 {
		t.Error("a report of the same attempt asks for what the status says to exist")
	}
	apply("production")
	w.Report(request, true)
	if len(w.Hub.DeploymentList) != 1 || last().First {
		t.Errorf("the last report of the run does not look: %+v", w.Hub.DeploymentList)
	}
}

// TestLaterJobsLookForDeployments: the status of an earlier target that says again that its
// apply begins, as a customer can write it, makes no second deployment.
func TestLaterJobsLookForDeployments(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[pipeline.Report](t)(w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Applying: w.Current.Name.In("staging"), Run: pipelinetest.JobRun}))
	begun := w.Hub.Status(request.Commit, "infra/terraform-deploy/staging")
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	w.Report(request, false)
	if err := w.Hub.SetStatus(t.Context(), request.Repository.Slug, request.Commit, begun, nil); err != nil {
		t.Fatal(err)
	}
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "production"))
	w.Report(request, false)
	if len(w.Hub.DeploymentList) != 1 {
		t.Errorf("%d deployments", len(w.Hub.DeploymentList))
	}
}

// TestForgedStatuses: customers can write statuses of their own. What they write hides
// neither a status of a report, nor an entry of the ledger.
func TestForgedStatuses(t *testing.T) {
	t.Parallel()
	const statusContext = "infra/terraform-deploy/staging"
	for name, forge := range map[string]func(s pipeline.Status) pipeline.Status{
		"other words":     func(s pipeline.Status) pipeline.Status { s.Description = "nothing to see"; return s },
		"another state":   func(s pipeline.Status) pipeline.Status { s.State = pipeline.StatusPending; return s },
		"another address": func(s pipeline.Status) pipeline.Status { s.TargetURL = "https://example.com/"; return s },
		"the very same":   func(s pipeline.Status) pipeline.Status { return s },
		"another case": func(s pipeline.Status) pipeline.Status {
			s.Context = strings.ToUpper(s.Context)
			s.State = "error"
			return s
		},
		"without a receipt": func(s pipeline.Status) pipeline.Status { s.TargetURL, _, _ = strings.Cut(s.TargetURL, "#"); return s },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			r := unrecordedApply(w)
			w.Report(r, false)
			want := w.Hub.Status(r.Commit, statusContext)
			// As if the customer had written it before any report: no entry, no deployment.
			entries := w.Keys("acme/staging/ledger/")
			w.DeleteAll(entries[0]) // the newest
			w.Hub.DeploymentList = nil
			if err := w.Hub.SetStatus(t.Context(), r.Repository.Slug, r.Commit, forge(want), nil); err != nil {
				t.Fatal(err)
			}
			w.Report(r, true)
			if got := w.Hub.Status(r.Commit, statusContext); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, applying, applied")
			// Who can say that there is a deployment can delete one, too.
			if claimed := name == "the very same" || name == "other words"; claimed != (len(w.Hub.DeploymentList) == 0) {
				t.Errorf("%d deployments", len(w.Hub.DeploymentList))
			}
		})
	}
}

// TestKilledReportOfAMerge: a report of a merge with each of its calls broken in turn, before
// or after its effect, is completed by the next one: one comment, one deployment, true statuses.
func TestKilledReportOfAMerge(t *testing.T) {
	t.Parallel()
	pipelinetest.EachCall(t, func(t *testing.T, n *pipelinetest.Fault) {
		t.Helper()
		w := pipelinetest.New(t)
		commit := w.Hub.Commit("staging one\n")
		w.Hub.Merged[commit] = 5
		request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
		w.Report(request, false)
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
		pipelinetest.Must[pipeline.Report](t)(w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Applying: w.Current.Name.In("staging"), Run: pipelinetest.JobRun}))
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
		r := &publish.Reporter{GitHub: pipelinetest.FaultHub{Hub: w.Hub, Fault: n}, Store: pipelinetest.FaultStore{Store: w.Store, Fault: n}, Sealer: w.Sealer, Renderer: pipelinetest.PlainRenderer{},
			Now: func() time.Time { return w.Now }, Logf: func(string, ...any) {}}
		_, _, _ = r.Run(context.Background(), publish.ReportInput{Manager: pipelinetest.ManagerSlug, Customer: w.Current, Request: request.ID, Run: pipelinetest.JobRun})
		w.Report(request, true)
		wantReported(w, request)
		if len(w.Hub.DeploymentList) != 1 {
			t.Errorf("%d deployments", len(w.Hub.DeploymentList))
		}
		if c := w.Hub.CommentList; len(c) != 1 || !strings.Contains(c[0].Body, string(request.ID)+" staging=applied") {
			t.Errorf("comments: %+v", c)
		}
		if keys := w.OpenKeys(); len(keys) != 0 {
			t.Errorf("open: %v", keys)
		}
	})
}
