package publish_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// appNotInstalled is how GitHub's client answers when the App has no installation.
type appNotInstalled struct{}

func (appNotInstalled) Error() string { return "the App is not installed" }

func (appNotInstalled) IsNotInstalled() bool { return true }

// TestApplyWithoutReport: an apply with a job that could not record its end is in the ledger
// after a report that cannot reach its repository, whatever the cause, and there only once.
func TestApplyWithoutReport(t *testing.T) {
	t.Parallel()
	answer := func(repo pipeline.Repository, err error) func() (pipeline.Repository, error) {
		return func() (pipeline.Repository, error) { return repo, err }
	}
	own := pipeline.Slug{Owner: "acme", Name: "app"}
	for name, c := range map[string]struct {
		repository func() (pipeline.Repository, error)
		offboarded bool
		fails      bool
	}{
		"another repository":     {repository: answer(pipeline.Repository{Slug: own, ID: 8}, nil)},
		"another account":        {repository: answer(pipeline.Repository{Slug: pipeline.Slug{Owner: "mallory", Name: "app"}, ID: 7}, nil)},
		"offboarded, unseen":     {repository: answer(pipeline.Repository{}, pipelinetest.NotVisible()), offboarded: true},
		"offboarded, no App":     {repository: answer(pipeline.Repository{}, appNotInstalled{}), offboarded: true},
		"no App":                 {repository: answer(pipeline.Repository{}, appNotInstalled{}), fails: true},
		"unseen":                 {repository: answer(pipeline.Repository{}, pipelinetest.NotVisible()), fails: true},
		"GitHub does not answer": {repository: answer(pipeline.Repository{}, errors.New("HTTP 502")), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := unrecordedApply(w)
			w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, applying")
			w.Hub.AnswerRepository, w.Current.Offboarded = c.repository, c.offboarded
			for range 2 {
				report, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Final: true})
				if (err != nil) != c.fails || (len(report.Unreported) == 0) != c.fails {
					t.Errorf("%v, not reported: %v", err, report.Unreported)
				}
				if events := w.Events(pipeline.Target{Customer: "acme", Environment: "staging"}); strings.Count(events, "applied") != 1 || !strings.HasPrefix(events, "requested dev, planned, applying, applied") {
					t.Errorf("the ledger has %s", events)
				}
			}
			if len(w.Hub.DeploymentList) != 0 {
				t.Errorf("deployments: %+v", w.Hub.DeploymentList)
			}
		})
	}
}

// unrecordedApply applies a request for staging, as a job that could not record its end in
// the ledger any more.
func unrecordedApply(w *pipelinetest.Setup) pipeline.Request {
	w.T.Helper()
	request := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](w.T)(w.Apply(w.Target(request, "staging")))
	entries := w.Keys("acme/staging/ledger/")
	w.DeleteAll(entries[0]) // the newest
	return request
}
