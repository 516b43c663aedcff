package pipelinetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// CloseRequest is how a sweep ends a request.
func (w *Setup) CloseRequest(_ context.Context, c sweep.CloseRequest) error {
	_, err := w.ReportAs(publish.ReportInput{Customer: c.Customer, Request: c.Request.ID, Final: true, Cancelled: c.Cancelled, Unseen: c.Unseen})
	return err
}

// Sweep sweeps, and closes what it finds if fix is set.
func (w *Setup) Sweep(locks *StateLocks, fix bool) sweep.Result {
	w.T.Helper()
	w.Tick()
	s := &sweep.Sweeper{Store: w.Store, Sealer: w.Sealer, Runs: w.Hub, Customers: w, Locks: locks, Now: func() time.Time { return w.Now },
		Manager: w.manager, Departed: w.Departed, Close: w.CloseRequest, Properties: w.Hub.RepositoryProperties, Overlap: w.Overlaps,
		Unlock: func(_ context.Context, c pipeline.Customer, _ pipeline.Target, _ pipeline.RequestID, id string) error {
			return w.Unlock(locks, func(in *sweep.UnlockInput) { in.Customer, in.LockID = c, id })
		}}
	result, err := s.Run(context.Background(), fix)
	if err != nil {
		w.T.Fatal(err)
	}
	return result
}

// FindingKinds is one line about the findings of a sweep.
func FindingKinds(r sweep.Result) string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, fmt.Sprintf("%s fixed=%v%s", f.Kind, f.Fixed, f.Error))
	}
	return strings.Join(list, ", ")
}

// StateLocks is the one lock of a target, and the tool that can release it.
type StateLocks struct {
	Held    *pipeline.Lock
	Unknown bool
	Err     error // of the one that is read
}

func (l *StateLocks) Lock(_ context.Context, _ pipeline.Customer, t pipeline.Target) (*pipeline.Lock, bool, error) {
	if l.Unknown {
		return nil, false, nil
	}
	if t.Environment != "staging" {
		return nil, true, nil
	}
	return l.Held, true, l.Err
}

func (l *StateLocks) ReleaseLock(_ context.Context, _ pipeline.Job, id string) error {
	if l.Held == nil || l.Held.ID != id {
		return errors.New("another lock")
	}
	l.Held = nil
	return nil
}

// KilledPlan is a request whose plan took the lock and was killed: it has begun and
// nothing more.
func (w *Setup) KilledPlan() (pipeline.Request, *StateLocks) {
	w.T.Helper()
	request := Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	w.Hub.Runs[request.ManagerRun.ID] = pipeline.WorkflowRun{ID: request.ManagerRun.ID, Attempt: 1, Status: "in_progress"}
	locks := &StateLocks{}
	w.Engine.DuringPlan = func() {
		locks.Held = &pipeline.Lock{ID: "l-1", Operation: "plan", Who: "runner@fv-1", Created: w.Now.Add(time.Second)}
		runtime.Goexit() // the process is gone
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		in := w.Target(request, "staging")
		in.Host, in.Run = "fv-1", request.ManagerRun
		_, err := w.Planner().Run(context.Background(), in)
		w.T.Errorf("the plan was not killed: %v", err)
	}()
	<-gone
	w.Engine.DuringPlan = nil
	w.Now = w.Now.Add(10 * time.Minute)
	return request, locks
}

// Unlock releases the lock of staging. change may edit the input.
func (w *Setup) Unlock(locks *StateLocks, change func(in *sweep.UnlockInput)) error {
	in := sweep.UnlockInput{TargetInput: w.Target(pipeline.Request{}, "staging"), LockID: "l-1"}
	if change != nil {
		change(&in)
	}
	u := &sweep.Unlocker{Store: w.Store, Locks: locks, Engine: locks, Runs: w.Hub, Now: func() time.Time { return w.Now }}
	_, err := u.Run(context.Background(), in)
	return err
}
