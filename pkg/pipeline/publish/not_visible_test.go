package publish_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

func forEver(cause pipeline.RefusalCause) error {
	return &pipeline.PermanentError{Cause: cause, Err: errors.New("HTTP 403: no")}
}

// What GitHub refuses for ever is reported once and fails nothing; the request is
// closed, so that no sweep comes back to it.
func TestReportRefusedForEver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuses func(op string) error
		causes  string
	}{
		"a locked conversation": {causes: "conversation-locked", refuses: func(op string) error {
			if op == "comment" || op == "edit" {
				return forEver(pipeline.CauseLocked)
			}
			return nil
		}},
		"an archived repository": {causes: "repository-archived repository-archived repository-archived repository-archived", refuses: func(string) error { return forEver(pipeline.CauseArchived) }},
		"too many statuses": {causes: "status-limit", refuses: func(op string) error {
			if op == "status infra/terraform-deploy/staging" {
				return forEver(pipeline.CauseStatusLimit)
			}
			return nil
		}},
		"a commit that is gone": {causes: "gone gone gone", refuses: func(op string) error {
			if strings.HasPrefix(op, "status") {
				return pipelinetest.Gone()
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, locks := pipelinetest.New(t), &pipelinetest.StateLocks{}
			r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
			for _, target := range r.Targets {
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, target.Environment))
			}
			w.Hub.Refuse = c.refuses
			report, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: r.ID, Final: true})
			if err != nil {
				t.Fatal(err)
			}
			var causes []string
			for _, u := range report.Unreported {
				causes = append(causes, string(u.Cause))
			}
			if got := strings.Join(causes, " "); got != c.causes {
				t.Errorf("causes %q, want %q", got, c.causes)
			}
			if keys := w.OpenKeys(); len(keys) != 0 {
				t.Errorf("open: %v", keys)
			}
			if got := w.LastEvent(pipeline.Target{Customer: "acme", Environment: "staging"}); got.Event != ledger.Unreported || !strings.Contains(got.Message, report.Unreported[0].Cause.String()) {
				t.Errorf("ledger: %+v", got)
			}
			if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != "" {
				t.Errorf("a sweep finds %q", got)
			}
		})
	}
}

// A refusal that may pass, or that has two causes, fails the report as before.
func TestReportFailsForWhatMayPass(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"no right to write": pipelinetest.NotVisible(),
		"a limit":           errors.New("HTTP 403: You have exceeded a secondary rate limit"),
		"two causes":        errors.Join(forEver(pipeline.CauseLocked), errors.New("HTTP 502")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, "staging"))
			w.Hub.Refuse = func(string) error { return cause }
			report, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: r.ID, Final: true})
			if err == nil || len(report.Unreported) != 0 || len(w.OpenKeys()) != 1 {
				t.Errorf("%v, %+v, open %v", err, report.Unreported, w.OpenKeys())
			}
			if errors.Is(err, pipeline.ErrNotFound) {
				t.Error("an answer of GitHub is taken for one of the store")
			}
		})
	}
}

// Only a record that is not in the store means that there is no request: what GitHub
// does not show means nothing of the kind.
func TestReportWithoutARecord(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	var none *pipeline.NoRequestError
	if _, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: pipeline.NewRequestID()}); !errors.As(err, &none) {
		t.Errorf("%v", err)
	}
	r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
	w.Hub.Refuse = func(string) error { return pipelinetest.NotVisible() }
	if _, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: r.ID}); err == nil || errors.As(err, &none) {
		t.Errorf("a 404 of GitHub: %v", err)
	}
}

// An apply begins whatever becomes of the status that announces it.
func TestApplyingIsRefusedForEver(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	r := w.WaitingRequest()
	w.Hub.Refuse = func(string) error { return forEver(pipeline.CauseArchived) }
	if _, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: r.ID, Applying: w.Current.Name.In("staging")}); err != nil {
		t.Error(err)
	}
	if _, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")); err != nil {
		t.Errorf("fetch-vars: %v", err)
	}
}

// A comment that GitHub says not to find is deleted only when no list shows it.
func TestCommentThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"edit", "delete"} {
		w := pipelinetest.New(t)
		r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, "staging"))
		w.Report(r, false)
		if op == "delete" {
			w.Hub.CommentList = append(w.Hub.CommentList, pipeline.Comment{ID: 77, Author: "metapipe-bot", Body: w.Hub.CommentList[0].Body})
		} else {
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, "production"))
		}
		w.Hub.Refuse = func(asked string) error {
			if asked == op {
				return pipelinetest.NotVisible()
			}
			return nil
		}
		if _, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: r.ID}); !pipeline.NotVisible(err) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// A branch that is gone for an ordinary reason is no lack of rights: the request is
// superseded, and its commit gets a final status.
func TestBranchIsGone(t *testing.T) {
	t.Parallel()
	queue := "gh-readonly-queue/main/pr-5-" + strings.Repeat("a", 40)
	for name, c := range map[string]struct {
		event, branch string
		happens       func(w *pipelinetest.Setup, commit pipeline.SHA, branch string)
		superseded    bool
	}{
		"a queue's branch is deleted":    {"merge_group", queue, func(w *pipelinetest.Setup, _ pipeline.SHA, b string) { w.Hub.Deleted[b] = true }, true},
		"a queue's branch is made anew":  {"merge_group", queue, func(w *pipelinetest.Setup, c pipeline.SHA, _ string) { w.Hub.Unreachable[c] = true }, true},
		"a pushed branch is deleted":     {"push", "main", func(w *pipelinetest.Setup, _ pipeline.SHA, b string) { w.Hub.Deleted[b] = true }, true},
		"a commit that is on no branch":  {"push", "main", func(w *pipelinetest.Setup, c pipeline.SHA, _ string) { w.Hub.Unreachable[c] = true }, false},
		"a branch by hand that was lost": {"workflow_dispatch", "main", func(w *pipelinetest.Setup, _ pipeline.SHA, b string) { w.Hub.Deleted[b] = true }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			commit := w.Hub.Commit(pipelinetest.BothEnvironments)
			a := w.Dispatch(commit, c.event)
			a.Ref = "refs/heads/" + c.branch
			run := w.Hub.Runs[a.RunID]
			run.HeadBranch = c.branch
			w.Hub.Runs[a.RunID] = run
			c.happens(w, commit, c.branch)
			request, err := w.Send(a)
			var rejected *pipeline.RejectedError
			if !errors.As(err, &rejected) {
				t.Fatalf("%+v %v", request, err)
			}
			if superseded := rejected.Reason == pipeline.ReasonSuperseded; superseded != c.superseded || superseded != (request.ID != "") {
				t.Fatalf("%s: %v", rejected.Reason, fmt.Sprint(err))
			}
			if !c.superseded {
				return
			}
			w.Report(request, false)
			if s := w.Hub.Status(commit, "infra/terraform-deploy"); s.State != pipeline.StatusError {
				t.Errorf("status: %+v", s)
			}
			if keys := w.OpenKeys(); len(keys) != 0 {
				t.Errorf("open: %v", keys)
			}
		})
	}
}
