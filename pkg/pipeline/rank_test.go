package pipeline_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// sameSecond lets the runs of two pushes be created in one second, in the wrong
// order: the ids of runs do not follow the commits.
func (w *world) sameSecond(older, newer pipeline.SHA) (first, second pipeline.DispatchRequest) {
	second, first = w.ask(newer, "push"), w.ask(older, "push")
	if first.RunID < second.RunID {
		w.t.Fatal("the runs are in order")
	}
	return first, second
}

// Of two pushes the newer commit wins, whatever the order of their runs and
// that of their arrival.
func TestTheNewerCommitWins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late   bool // the older commit arrives later
		forced bool // the older one was thrown away by a push, and nobody descends from it
	}{"in order": {}, "the older one later": {late: true}, "forced": {forced: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			olderCommit, newerCommit := w.hub.commit(bothEnvironments), w.hub.commit(bothEnvironments)
			if c.forced {
				olderCommit, newerCommit = newerCommit, olderCommit // the commits alone do not tell
			}
			first, second := w.sameSecond(olderCommit, newerCommit)
			asks := []pipeline.DispatchRequest{first, second}
			if c.late {
				slices.Reverse(asks)
			}
			requests := map[pipeline.SHA]pipeline.Request{}
			for i, ask := range asks {
				if i == 1 && c.forced {
					w.hub.unreachable[olderCommit] = true
				}
				request := must[pipeline.Request](t)(w.send(ask))
				requests[ask.Commit] = request
				if i == 0 || c.late {
					_, err := w.plan(request, "staging")
					if (err != nil) != (i == 1) {
						t.Fatalf("plan of request %d: %v", i+1, err)
					}
				}
			}
			older, newer := requests[olderCommit], requests[newerCommit]
			if !c.late {
				if !slices.Equal(w.hub.cancelled, []int64{older.ManagerRun.ID}) {
					t.Errorf("cancelled runs: %v", w.hub.cancelled)
				}
				must[deploy.TargetResult](t)(w.plan(newer, "staging"))
			}
			_, err := w.apply(w.target(older, "staging"))
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || w.engine.applies != 0 {
				t.Fatalf("the older commit: %v, %d applies", err, w.engine.applies)
			}
			if got := w.report(older, true).Targets[0]; got.Outcome != pipeline.OutcomeSuperseded {
				t.Errorf("report of the older commit: %+v", got)
			}
			if got := must[deploy.TargetResult](t)(w.apply(w.target(newer, "staging"))); got.Outcome != pipeline.OutcomeApplied {
				t.Errorf("the newer commit: %+v", got)
			}
			if w.hub.compared != 1 {
				t.Errorf("%d comparisons for one pair", w.hub.compared)
			}
		})
	}
}

// Three pushes whose runs came in any order end with the newest commit on top.
func TestTheNewestOfThreeWins(t *testing.T) {
	t.Parallel()
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		w := newWorld(t)
		commits := []pipeline.SHA{w.hub.commit(bothEnvironments), w.hub.commit(bothEnvironments), w.hub.commit(bothEnvironments)}
		asks := []pipeline.DispatchRequest{w.ask(commits[1], "push"), w.ask(commits[2], "push"), w.ask(commits[0], "push")}
		byCommit := map[pipeline.SHA]pipeline.Request{}
		for _, i := range order {
			byCommit[asks[i].Commit] = must[pipeline.Request](t)(w.send(asks[i]))
		}
		for i, commit := range commits {
			_, err := w.plan(byCommit[commit], "staging")
			if (err == nil) != (i == 2) {
				t.Errorf("arrival %v, commit %d: %v", order, i, err)
			}
		}
	}
}

func TestWhatIsNotCompared(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(w *world, first pipeline.DispatchRequest) pipeline.DispatchRequest{
		"the same commit": func(w *world, first pipeline.DispatchRequest) pipeline.DispatchRequest {
			return w.ask(first.Commit, "push")
		},
		"a pull request": func(w *world, _ pipeline.DispatchRequest) pipeline.DispatchRequest {
			return w.ask(w.hub.commit(bothEnvironments), "pull_request")
		},
		"a push long after": func(w *world, _ pipeline.DispatchRequest) pipeline.DispatchRequest {
			w.now = w.now.Add(time.Hour)
			return w.ask(w.hub.commit(bothEnvironments), "push")
		},
		"a request by hand": func(w *world, _ pipeline.DispatchRequest) pipeline.DispatchRequest {
			return w.ask(w.hub.commit(bothEnvironments), "workflow_dispatch")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			first := w.ask(w.hub.commit(bothEnvironments), "push")
			must[pipeline.Request](t)(w.send(first))
			must[pipeline.Request](t)(w.send(second(w, first)))
			if w.hub.compared != 0 {
				t.Errorf("%d comparisons", w.hub.compared)
			}
		})
	}
}
