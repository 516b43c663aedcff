package publish_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

func TestALateReportLeavesTheStatusesOfANewerRequestAlone(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	older := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	w.Tick()
	newer := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(newer, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging")))
	w.Report(newer, false)
	want := w.Hub.Status(commit, "infra/terraform-deploy/staging")
	w.Report(older, true)
	if got := w.Hub.Status(commit, "infra/terraform-deploy/staging"); got != want || got.State != pipeline.StatusSuccess {
		t.Fatalf("%+v", got)
	}
	if got := w.Hub.Status(commit, "infra/terraform-deploy"); got.State != pipeline.StatusPending {
		t.Fatalf("overall: %+v", got)
	}
}

// TestOlderRequestThatComesLater: a request that was pushed before another one for the same
// commit, and reaches the manager after it, leaves the statuses of the newer one alone.
func TestOlderRequestThatComesLater(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	first, second := w.Dispatch(commit, "push"), w.Dispatch(commit, "push")
	newer := pipelinetest.Must[pipeline.Request](t)(w.Send(second))
	w.Report(newer, false)
	written := maps.Clone(w.Hub.StatusOf)
	older := pipelinetest.Must[pipeline.Request](t)(w.Send(first))
	if older.Order() >= newer.Order() || !newer.HasCommit(slices.Collect(maps.Values(w.Hub.StatusOf))) {
		t.Fatalf("%s is not older than %s, or has the statuses", older.Order(), newer.Order())
	}
	w.Report(older, true)
	if !maps.Equal(written, w.Hub.StatusOf) {
		t.Errorf("%v", w.Hub.StatusOf)
	}
}

// TestReportLooksForNewerRequests: a report looks for a newer request for its commit where
// another one has posted the status of the whole request, and where no one knows who has.
func TestReportLooksForNewerRequests(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	listed := &listing{Store: w.Store, of: "/requests/by-commit/"}
	w.Store = listed
	commit := w.Hub.Commit(pipelinetest.BothEnvironments)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(commit, "push")))
	overall := request.StatusContext(pipeline.Target{})
	own := w.Hub.Status(commit, overall)
	foreign, trigger := own, own
	foreign.Description = pipeline.WithRequestTag("waiting", "00000000-0000-4000-8000-000000000000")
	trigger.TargetURL = "https://github.com/acme/shop/actions/runs/1"
	for name, c := range map[string]struct {
		status pipeline.Status
		want   bool
	}{"its own": {own, false}, "of another request": {foreign, true}, "of the trigger": {trigger, true}, "none": {pipeline.Status{}, true}} {
		for _, applying := range []pipeline.Environment{"", "staging"} {
			w.Hub.StatusOf[string(commit)+" "+overall] = c.status
			listed.times = 0
			in := publish.ReportInput{Customer: w.Current, Request: request.ID, Run: pipelinetest.JobRun}
			if applying != "" {
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, applying))
				in.Applying = w.Current.Name.In(applying)
			}
			pipelinetest.Must[pipeline.Report](t)(w.ReportAs(in))
			if got := listed.times > 0; got != c.want {
				t.Errorf("%s, applying %q: it looks %d times", name, applying, listed.times)
			}
		}
	}
}

// listing counts the lists of a store below a part of their prefix.
type listing struct {
	pipeline.Store
	of    string
	times int
}

func (s *listing) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	if strings.Contains(prefix, s.of) {
		s.times++
	}
	return s.Store.ListAfter(ctx, prefix, after)
}
