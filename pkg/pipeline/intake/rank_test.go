package intake_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// sameSecond lets the runs of two pushes be created in one second, in the wrong
// order: the ids of runs do not follow the commits.
func sameSecond(w *pipelinetest.Setup, older, newer pipeline.SHA) (first, second pipeline.DispatchRequest) {
	second, first = w.Dispatch(newer, "push"), w.Dispatch(older, "push")
	if first.RunID < second.RunID {
		w.T.Fatal("the runs are in order")
	}
	return first, second
}

// Of two pushes the newer commit wins, whatever the order of their runs and
// that of their arrival.
func TestTheNewerCommitWins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late   bool // the older commit arrives later
		forced bool // the older one was thrown away by a push, and no one descends from it
	}{"in order": {}, "the older one later": {late: true}, "forced": {forced: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			olderCommit, newerCommit := w.Hub.Commit(pipelinetest.BothEnvironments), w.Hub.Commit(pipelinetest.BothEnvironments)
			if c.forced {
				olderCommit, newerCommit = newerCommit, olderCommit // the commits alone do not tell
			}
			first, second := sameSecond(w, olderCommit, newerCommit)
			asks := []pipeline.DispatchRequest{first, second}
			if c.late {
				slices.Reverse(asks)
			}
			requests := map[pipeline.SHA]pipeline.Request{}
			for i, ask := range asks {
				if i == 1 && c.forced {
					w.Hub.Unreachable[olderCommit] = true
				}
				request := pipelinetest.Must[pipeline.Request](t)(w.Send(ask))
				requests[ask.Commit] = request
				if i == 0 || c.late {
					_, err := w.Plan(request, "staging")
					if (err != nil) != (i == 1) {
						t.Fatalf("plan of request %d: %v", i+1, err)
					}
				}
			}
			older, newer := requests[olderCommit], requests[newerCommit]
			if !c.late {
				if !slices.Equal(w.Hub.Cancelled, []int64{older.ManagerRun.ID}) {
					t.Errorf("cancelled runs: %v", w.Hub.Cancelled)
				}
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(newer, "staging"))
			}
			_, err := w.Apply(w.Target(older, "staging"))
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || w.Engine.Applies != 0 {
				t.Fatalf("the older commit: %v, %d applies", err, w.Engine.Applies)
			}
			if got := w.Report(older, true).Targets[0]; got.Outcome != pipeline.OutcomeSuperseded {
				t.Errorf("report of the older commit: %+v", got)
			}
			if got := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging"))); got.Outcome != pipeline.OutcomeApplied {
				t.Errorf("the newer commit: %+v", got)
			}
			if w.Hub.Compared != 1 {
				t.Errorf("%d comparisons for one pair", w.Hub.Compared)
			}
		})
	}
}

// Three pushes whose runs came in any order end with the newest commit on top.
func TestTheNewestOfThreeWins(t *testing.T) {
	t.Parallel()
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := pipelinetest.New(t)
		commits := []pipeline.SHA{w.Hub.Commit(pipelinetest.BothEnvironments), w.Hub.Commit(pipelinetest.BothEnvironments), w.Hub.Commit(pipelinetest.BothEnvironments)}
		asks := []pipeline.DispatchRequest{w.Dispatch(commits[1], "push"), w.Dispatch(commits[2], "push"), w.Dispatch(commits[0], "push")}
		byCommit := map[pipeline.SHA]pipeline.Request{}
		for _, i := range order {
			byCommit[asks[i].Commit] = pipelinetest.Must[pipeline.Request](t)(w.Send(asks[i]))
		}
		for i, commit := range commits {
			_, err := w.Plan(byCommit[commit], "staging")
			if (err == nil) != (i == 2) {
				t.Errorf("arrival %v, commit %d: %v", order, i, err)
			}
		}
	}
}

func TestWhatIsNotCompared(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(w *pipelinetest.Setup, first pipeline.DispatchRequest) pipeline.DispatchRequest{
		"the same commit": func(w *pipelinetest.Setup, first pipeline.DispatchRequest) pipeline.DispatchRequest {
			return w.Dispatch(first.Commit, "push")
		},
		"a pull request": func(w *pipelinetest.Setup, _ pipeline.DispatchRequest) pipeline.DispatchRequest {
			return w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")
		},
		"a push long after": func(w *pipelinetest.Setup, _ pipeline.DispatchRequest) pipeline.DispatchRequest {
			w.Now = w.Now.Add(time.Hour)
			return w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
		},
		"a request by hand": func(w *pipelinetest.Setup, _ pipeline.DispatchRequest) pipeline.DispatchRequest {
			return w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "workflow_dispatch")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			first := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
			pipelinetest.Must[pipeline.Request](t)(w.Send(first))
			pipelinetest.Must[pipeline.Request](t)(w.Send(second(w, first)))
			if w.Hub.Compared != 0 {
				t.Errorf("%d comparisons", w.Hub.Compared)
			}
		})
	}
}
