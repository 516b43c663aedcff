package sweep_test

import (
	"errors"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

func TestUnlock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(w *pipelinetest.Setup, request pipeline.Request, locks *pipelinetest.StateLocks)
		change  func(in *sweep.UnlockInput)
		refused bool
	}{
		"its run is over": {},
		"its run goes on": {refused: true, happens: func(w *pipelinetest.Setup, r pipeline.Request, _ *pipelinetest.StateLocks) {
			w.Hub.Runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
		}},
		"its run was started again": {happens: func(w *pipelinetest.Setup, r pipeline.Request, _ *pipelinetest.StateLocks) {
			w.Hub.Runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 2, Status: "in_progress"}
		}},
		"its run was deleted": {happens: func(w *pipelinetest.Setup, r pipeline.Request, _ *pipelinetest.StateLocks) {
			delete(w.Hub.Runs, r.ManagerRun.ID)
		}},
		"the token sees neither the run nor its repository": {refused: true, happens: func(w *pipelinetest.Setup, _ pipeline.Request, _ *pipelinetest.StateLocks) {
			w.Hub.ManagerError = pipelinetest.NotVisible()
		}},
		"the token sees the repository and not its runs": {refused: true, happens: func(w *pipelinetest.Setup, r pipeline.Request, _ *pipelinetest.StateLocks) {
			delete(w.Hub.Runs, r.ManagerRun.ID)
			w.Hub.ListError = errors.New("HTTP 403: Resource not accessible by integration")
		}},
		"the name belongs to another repository": {refused: true, happens: func(w *pipelinetest.Setup, r pipeline.Request, _ *pipelinetest.StateLocks) {
			delete(w.Hub.Runs, r.ManagerRun.ID)
			w.Hub.ManagerID++
		}},
		"the run is one of another repository": {refused: true, happens: func(w *pipelinetest.Setup, r pipeline.Request, _ *pipelinetest.StateLocks) {
			run := w.Hub.Runs[r.ManagerRun.ID]
			run.RepoID = pipelinetest.ManagerID + 1
			w.Hub.Runs[r.ManagerRun.ID] = run
		}},
		"another lock": {refused: true, change: func(in *sweep.UnlockInput) { in.LockID = "l-2" }},
		"a young lock": {refused: true, happens: func(w *pipelinetest.Setup, _ pipeline.Request, l *pipelinetest.StateLocks) {
			l.Held.Created = w.Now.Add(-time.Minute)
		}},
		"no lock":            {refused: true, happens: func(_ *pipelinetest.Setup, _ pipeline.Request, l *pipelinetest.StateLocks) { l.Held = nil }},
		"of another machine": {refused: true, happens: func(_ *pipelinetest.Setup, _ pipeline.Request, l *pipelinetest.StateLocks) { l.Held.Who = "me@laptop" }},
		"older than its run": {refused: true, happens: func(w *pipelinetest.Setup, _ pipeline.Request, l *pipelinetest.StateLocks) {
			l.Held.Created = w.Now.Add(-time.Hour)
		}},
		"of another machine, and somebody vouches for it": {change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(_ *pipelinetest.Setup, _ pipeline.Request, l *pipelinetest.StateLocks) { l.Held.Who = "me@laptop" }},
		"its run goes on, and somebody vouches for it": {refused: true, change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(w *pipelinetest.Setup, r pipeline.Request, _ *pipelinetest.StateLocks) {
				w.Hub.Runs[r.ManagerRun.ID] = pipeline.WorkflowRun{ID: r.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
			}},
		"where only the tool sees locks": {refused: true, happens: func(_ *pipelinetest.Setup, _ pipeline.Request, l *pipelinetest.StateLocks) { l.Unknown = true }},
		"where only the tool sees locks, and somebody vouches for it": {change: func(in *sweep.UnlockInput) { in.NoRun = true },
			happens: func(_ *pipelinetest.Setup, _ pipeline.Request, l *pipelinetest.StateLocks) { l.Unknown = true }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request, locks := w.KilledPlan()
			w.Hub.Runs[request.ManagerRun.ID] = pipeline.WorkflowRun{ID: request.ManagerRun.ID, Attempt: 1, Status: "completed", Conclusion: "failure"}
			if c.happens != nil {
				c.happens(w, request, locks)
			}
			had := locks.Held
			err := w.Unlock(locks, c.change)
			var refused *pipeline.RefusedError
			if errors.As(err, &refused) != c.refused || !c.refused && err != nil {
				t.Fatalf("got %v, want a refusal: %v", err, c.refused)
			}
			if c.refused && locks.Held != had {
				t.Error("the lock was released")
			}
			if !c.refused && locks.Held != nil {
				t.Error("the lock was not released")
			}
		})
	}
}
