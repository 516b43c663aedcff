package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestForgedEntries: entries of an index that are laid by hand move no request.
func TestForgedEntries(t *testing.T) {
	t.Parallel()
	const late = "29990101T000000.000000000Z-00000000000000000001-000001-"
	for _, body := range []string{"", "%s", `"%s"`, `{"record": "%s"}`, `{"record": "%s", "seal": "bWV0YXBpcGU="}`} {
		w := pipelinetest.New(t)
		old := w.WaitingRequest()
		w.Now = w.Now.Add(time.Hour)
		newer := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(newer, "staging"))
		for _, prefix := range []string{"acme/staging/queue/", "acme/requests/by-commit/" + string(newer.Commit) + "/", "acme/pulls/5/"} {
			w.Write(prefix+late+string(old.ID), []byte(strings.ReplaceAll(body, "%s", string(old.ID))))
		}
		if got := w.Report(newer, false).Targets[0]; got.Outcome != pipeline.OutcomeWaiting {
			t.Errorf("%q: the newer request is %s", body, got.Outcome)
		}
		if got := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging"))); got.Outcome != pipeline.OutcomeApplied {
			t.Errorf("%q: the newer request is %s", body, got.Outcome)
		}
		_, err := w.Apply(w.Target(old, "staging"))
		pipelinetest.WantRefused(t, "the older request", err, pipeline.ReasonSuperseded)
	}
}
