package sweep_test

import (
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// A sweep whose token sees neither the manager nor its runs touches nothing: the runs
// may go on.
func TestSweepWithABlindToken(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *pipelinetest.Setup, r pipeline.Request){
		"no repository": func(w *pipelinetest.Setup, _ pipeline.Request) { w.Hub.ManagerError = pipelinetest.NotVisible() },
		"no list of runs": func(w *pipelinetest.Setup, r pipeline.Request) {
			delete(w.Hub.Runs, r.ManagerRun.ID)
			w.Hub.ListError = pipelinetest.NotVisible()
		},
		"another repository": func(w *pipelinetest.Setup, r pipeline.Request) {
			delete(w.Hub.Runs, r.ManagerRun.ID)
			w.Hub.ManagerID = 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request, locks := w.KilledPlan()
			w.Now = w.Now.Add(24 * time.Hour)
			change(w, request)
			before, writes := *locks.Held, w.Hub.Writes
			result := w.Sweep(locks, true)
			if len(result.Findings) != 1 || result.Findings[0].Kind != sweep.FindingUnreadable || !strings.Contains(result.Findings[0].Error, "cannot be asked") || result.Findings[0].Fixed {
				t.Fatalf("%+v", result.Findings)
			}
			if locks.Held == nil || *locks.Held != before || w.Hub.Writes != writes || len(w.OpenKeys()) != 1 {
				t.Errorf("something was touched: lock %v, %d writes, open %v", locks.Held, w.Hub.Writes-writes, w.OpenKeys())
			}
		})
	}
}

// A customer who was removed gets final statuses, from the record of the request.
func TestSweepOfARemovedCustomer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens  func(w *pipelinetest.Setup, r pipeline.Request)
		want     string
		state    pipeline.StatusState
		MarkOpen int
	}{
		"removed": {func(w *pipelinetest.Setup, _ pipeline.Request) { w.Current.Name = "other" }, "unfinished fixed=true", pipeline.StatusFailure, 0},
		"registered for another repository": {func(w *pipelinetest.Setup, _ pipeline.Request) {
			w.Current.RepositoryID, w.Current.Repository.Name = 8, "new"
			w.Hub.AnswerRepository = func() (pipeline.Repository, error) {
				return pipeline.Repository{Slug: pipeline.Slug{Owner: "acme", Name: "infra"}, ID: 7}, nil
			}
		}, "unfinished fixed=true", pipeline.StatusFailure, 0},
		"removed, and its repository is gone": {func(w *pipelinetest.Setup, _ pipeline.Request) {
			w.Current.Name = "other"
			w.Hub.AnswerRepository = func() (pipeline.Repository, error) { return pipeline.Repository{}, pipelinetest.NotVisible() }
		}, "unfinished fixed=true", pipeline.StatusPending, 0},
		"removed, and the name belongs to another repository": {func(w *pipelinetest.Setup, _ pipeline.Request) {
			w.Current.Name = "other"
			w.Hub.AnswerRepository = func() (pipeline.Repository, error) {
				return pipeline.Repository{Slug: w.Current.Repository, ID: 70}, nil
			}
		}, "unfinished fixed=true", pipeline.StatusPending, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, locks := pipelinetest.New(t), &pipelinetest.StateLocks{}
			r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			w.Report(r, false)
			w.SetRun(r, "completed", "failure")
			w.Now = w.Now.Add(time.Hour)
			c.happens(w, r)
			if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != c.want {
				t.Fatalf("got %q", got)
			}
			for _, env := range []string{"", "/staging", "/production"} {
				if s := w.Hub.Status(r.Commit, "infra/terraform-deploy"+env); (s.State == pipeline.StatusPending) != (c.state == pipeline.StatusPending) {
					t.Errorf("%s: %+v", env, s)
				}
			}
			if keys := w.OpenKeys(); len(keys) != c.MarkOpen {
				t.Errorf("open: %v", keys)
			}
			if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != "" {
				t.Errorf("the next sweep: %q", got)
			}
		})
	}
}

// A repository that the token does not see is asked for again for some days: it may
// be the token. Then the request is closed in the ledger, and the sweep goes on.
func TestSweepOfARepositoryThatIsNotSeen(t *testing.T) {
	t.Parallel()
	w, locks := pipelinetest.New(t), &pipelinetest.StateLocks{}
	r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	w.SetRun(r, "completed", "failure")
	w.Hub.AnswerRepository = func() (pipeline.Repository, error) { return pipeline.Repository{}, pipelinetest.NotVisible() }
	w.Now = w.Now.Add(6 * 24 * time.Hour)
	if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); !strings.HasPrefix(got, "unfinished fixed=false") || len(w.OpenKeys()) != 1 {
		t.Fatalf("after six days: %q, open %v", got, w.OpenKeys())
	}
	w.Now = w.Now.Add(2 * 24 * time.Hour)
	if got := pipelinetest.FindingKinds(w.Sweep(locks, true)); got != "unfinished fixed=true" || len(w.OpenKeys()) != 0 {
		t.Fatalf("after eight days: %q, open %v", got, w.OpenKeys())
	}
	if got := w.LastEvent(pipeline.Target{Customer: "acme", Environment: "production"}); got.Event != ledger.Unreported || !strings.Contains(got.Message, "does not exist any more, or the token may not see it") {
		t.Errorf("ledger: %+v", got)
	}
}
