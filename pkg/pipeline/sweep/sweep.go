package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Sweeper looks after the requests that no one has closed: those whose runner was
// lost, whose run was deleted, or that wait for ever. What it costs grows with the
// number of open requests and not with that of all there ever were.
type Sweeper struct {
	// Manager is the repository of the runs that are looked at and cancelled; zero
	// outside of a workflow run.
	Manager   pipeline.Repository
	Store     pipeline.Store
	Sealer    pipeline.Sealer
	Runs      sweepGitHub
	Customers pipeline.CustomerRegistry
	// Registered are the customers that are looked at for applied targets that nothing plans
	// any more.
	Registered []pipeline.Customer
	Locks      pipeline.LockReader
	// Properties reads a customer's repository and its custom properties.
	Properties func(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error)
	// Overlap reports whether a version can fulfill two constraints.
	Overlap func(a, b string) bool
	// Unlock releases a lock under the rules of Unlocker.
	Unlock func(ctx context.Context, c pipeline.Customer, t pipeline.Target, request pipeline.RequestID, lockID string) error
	// Close reports on a request for the last time.
	Close func(ctx context.Context, closing CloseRequest) error
	// Departed is what the manager's rules are for a customer that is not registered
	// any more, or is registered for another repository now.
	Departed func(request pipeline.Request) pipeline.Customer
	Now      func() time.Time
}

// CloseRequest is the end of a request.
type CloseRequest struct {
	Customer  pipeline.Customer
	Request   pipeline.Request
	Cancelled bool
	// Unseen: close it also where its repository cannot be seen.
	Unseen bool
}

type sweepGitHub interface {
	pipeline.RunReader
	pipeline.RunCanceller
	PendingEnvironments(ctx context.Context, repo pipeline.Slug, run int64) ([]string, error)
}

// The waits of the sweep.
const (
	sweepGrace   = 5 * time.Minute  // after the end of a run, for what it wrote last
	sweepOrphan  = time.Hour        // for a fetch-vars that has announced a request and not written it
	sweepCancel  = 10 * time.Minute // for a run that was asked to end
	sweepPatient = 24 * time.Hour   // for a reviewer
	// sweepUnseen is for a repository that the token does not see: it was deleted, or
	// the access may come back.
	sweepUnseen = 7 * 24 * time.Hour
)

// FindingKind says what is wrong with an open request.
type FindingKind string

// The kinds. Repairable says which of them the sweep repairs.
const (
	FindingUnfinished  FindingKind = "unfinished"   // its run is over, and no one has closed it
	FindingLock        FindingKind = "lock"         // its run is over and has left a lock
	FindingExpired     FindingKind = "expired"      // its plan is past its time, and its run still waits
	FindingSuperseded  FindingKind = "superseded"   // a newer request took its place, and its run still waits
	FindingStricter    FindingKind = "stricter"     // a custom property has become stricter than its plan allows, and its run still waits
	FindingStuck       FindingKind = "stuck"        // its run was asked to end and does not
	FindingOrphan      FindingKind = "orphan"       // an entry of the index without a request
	FindingTampered    FindingKind = "tampered"     // the record of the request is not what was stored
	FindingUnknownKey  FindingKind = "unknown-key"  // the record of the request is sealed with a key that is not available
	FindingWaiting     FindingKind = "waiting"      // reviewers let it wait for long
	FindingForeignLock FindingKind = "foreign-lock" // no run of metapipe holds the lock of its state
	FindingSharedLock  FindingKind = "shared-lock"  // one of several steps holds the lock of its state
	FindingDamagedLock FindingKind = "damaged-lock" // the record of the lock of its state cannot be read as one
	FindingUnseenLock  FindingKind = "unseen-lock"  // a step died that may have left a lock where only the tool can look
	FindingBusy        FindingKind = "busy"         // the service that keeps its state still works on it
	FindingLeft        FindingKind = "left"         // its customer may not use the environment of an applied target any more
	FindingUnreadable  FindingKind = "unreadable"   // the store or GitHub did not answer for it
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind        FindingKind           `json:"kind"`
	Customer    pipeline.CustomerName `json:"customer"`
	Environment pipeline.Environment  `json:"environment,omitempty"`
	Stack       pipeline.StackName    `json:"stack,omitempty"`
	Request     pipeline.RequestID    `json:"request"`
	Run         pipeline.Run          `json:"run,omitzero"`
	Since       time.Time             `json:"since,omitzero"`
	Message     string                `json:"message"`
	Next        string                `json:"next,omitempty"` // what people do about it
	Fixed       bool                  `json:"fixed"`
	Error       string                `json:"error,omitempty"` // why it could not be repaired
}

// Target is where it is wrong: without an environment, at the customer as a whole.
func (f Finding) Target() pipeline.Target {
	return pipeline.Target{Customer: f.Customer, Environment: f.Environment, Stack: f.Stack}
}

// Repairable reports whether the sweep can repair it.
func (f Finding) Repairable() bool {
	switch f.Kind {
	case FindingWaiting, FindingLeft, FindingForeignLock, FindingSharedLock, FindingDamagedLock, FindingUnseenLock, FindingBusy, FindingUnreadable, FindingUnknownKey:
		return false
	}
	return true
}

// Result is what one sweep has seen.
type Result struct {
	Open     int       `json:"open"` // requests in the index
	Findings []Finding `json:"findings"`
	At       time.Time `json:"at"`
}

// Run looks at every open request, and repairs what it can when fix is set. What
// goes wrong with one request is a finding and stops no other.
func (s *Sweeper) Run(ctx context.Context, fix bool) (Result, error) {
	result := Result{Findings: []Finding{}, At: s.Now().UTC()}
	entries, err := record.OpenEntries(ctx, s.Store, record.OpenRoot)
	if err != nil {
		return result, err
	}
	result.Open = len(entries)
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return result, err
		}
		w := sweeping{Sweeper: s, fix: fix, entry: e}
		if err := w.inspect(ctx); err != nil {
			w.found(Finding{Kind: FindingUnreadable, Message: "it could not be looked at", Error: err.Error()}, nil)
		}
		result.Findings = append(result.Findings, w.findings...)
	}
	result.Findings = append(result.Findings, s.left(ctx)...)
	return result, nil
}

// sweeping is the sweep of one open request.
type sweeping struct {
	*Sweeper
	fix      bool
	entry    record.OpenEntry
	request  pipeline.Request
	customer pipeline.Customer
	departed bool // the customer is not registered for that repository any more
	run      pipeline.WorkflowRun
	findings []Finding
	busy     bool // the service still works on one of its targets
}

// found notes a finding and repairs it when it may.
func (w *sweeping) found(f Finding, fix func() error) {
	f.Customer, f.Request, f.Run = w.entry.Customer, w.entry.Request, w.request.ManagerRun
	if w.fix && fix != nil {
		if err := fix(); err != nil {
			f.Error = err.Error()
		} else {
			f.Fixed = true
		}
	}
	w.findings = append(w.findings, f)
}

func (w *sweeping) inspect(ctx context.Context) error {
	request, err := record.LoadRequest(ctx, w.records(), w.entry.Customer, w.entry.Request)
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return w.orphan(ctx)
	case errors.Is(err, pipeline.ErrTampered), errors.Is(err, pipeline.ErrUnknownKey):
		w.reportTampered(ctx, err)
		return nil
	case err != nil:
		return err
	case record.OpenKey(request) != w.entry.Key:
		w.checkMisplaced(ctx, request)
		return nil
	}
	w.request = request
	w.findCustomer()
	if w.request.ManagerRun.ID == 0 {
		return nil // born on someone's machine: there is no run to ask
	}
	run := w.request.ManagerRun
	if run.Repository, err = w.Manager.RunOf(run); err != nil {
		if errors.Is(err, pipeline.ErrOtherRepositoryRun) && w.managerReplaced() {
			return w.endedRun(ctx)
		}
		return err
	}
	if w.run, err = pipeline.FindRun(ctx, w.Runs, w.Manager, run); err != nil {
		return err
	}
	if w.run.Status != "completed" {
		return w.checkRunning(ctx)
	}
	if w.Now().Sub(w.run.UpdatedAt) < sweepGrace {
		return nil
	}
	return w.endedRun(ctx)
}

// findCustomer finds the customer of the request. One who was removed from the registry, or
// has got another repository, is taken from the record, which is verified: that
// repository still waits for its statuses.
func (w *sweeping) findCustomer() {
	var registered bool
	w.customer, registered = w.Customers.Customer(w.request.Customer)
	w.departed = !registered || w.customer.RepositoryID != w.request.Repository.ID
	if w.departed {
		w.customer = w.Departed(w.request)
	}
}

// close reports on the request for the last time.
func (w *sweeping) close(ctx context.Context, cancelled bool) error {
	since := w.run.UpdatedAt
	if since.IsZero() { // a run that was deleted
		since = w.request.CreatedAt
	}
	return w.Close(ctx, CloseRequest{Customer: w.customer, Request: w.request, Cancelled: cancelled, Unseen: w.departed || w.Now().Sub(since) >= sweepUnseen})
}

// orphan is an entry that fetch-vars made before it died: no one learned of that
// request.
func (w *sweeping) orphan(ctx context.Context) error {
	since := record.OrderTime(w.entry.Key)
	if age := w.Now().Sub(since); age > -sweepOrphan && age < sweepOrphan { // a time that is far ahead is none of ours
		return nil
	}
	const message = "fetch-vars began to write this request down and did not end"
	w.found(Finding{Kind: FindingOrphan, Since: since, Message: message}, func() error {
		if err := w.appendOrphan(ctx, since, message); err != nil {
			return err
		}
		return w.Store.Delete(ctx, w.entry.Key)
	})
	return nil
}

// appendOrphan closes the request in the ledgers that fetch-vars has got to: they
// come before the request itself.
func (w *sweeping) appendOrphan(ctx context.Context, since time.Time, message string) error {
	customer, registered := w.Customers.Customer(w.entry.Customer)
	if !registered {
		return nil // and its ledgers are not looked at any more
	}
	chain := ledger.Ledger{Records: w.records(), Now: w.Now}
	for _, t := range customer.Manager.Chain() {
		t.Customer = customer.Name
		last, found, err := chain.LastOf(ctx, t, w.entry.Request, since)
		if err == nil && found && last.Event == ledger.Requested {
			_, err = chain.Append(ctx, ledger.Entry{Event: ledger.Closed, Target: t, Request: last.Request, Commit: last.Commit,
				Outcome: pipeline.OutcomeFailed, Message: message, Run: last.Run})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endedRun is a request whose run can do nothing any more.
func (w *sweeping) endedRun(ctx context.Context) error {
	locked, err := w.locks(ctx, w.customer)
	if err != nil {
		return err
	}
	if w.busy { // how it ends is not known yet
		return nil
	}
	if closed, err := w.closed(ctx); err != nil || closed {
		if err != nil || !w.fix || locked {
			return err
		}
		return errors.Join(w.close(ctx, true), record.MarkClosed(ctx, w.Store, w.request))
	}
	w.found(Finding{Kind: FindingUnfinished, Since: w.run.UpdatedAt, Message: fmt.Sprintf("its run is over (%s), but the request is still open", w.run.Conclusion)}, func() error {
		if err := w.close(ctx, w.run.Conclusion == "cancelled"); err != nil || locked {
			return err
		}
		return record.MarkClosed(ctx, w.Store, w.request)
	})
	return nil
}

// closed reports whether the request has ended and that was reported: what is left
// is to see that its run is over and that it holds no lock.
func (w *sweeping) closed(ctx context.Context) (bool, error) {
	for _, t := range w.request.Targets {
		st, err := ledger.ReadTargetStatus(ctx, w.records(), w.request, t.Target)
		if err != nil || !st.Result.Outcome.Final() {
			return false, err
		}
		if st.Attempt.Revoked() {
			return true, nil
		}
	}
	return w.request.Rejected(), nil
}

// locks looks for locks that the run has left; remain says that one is still there.
func (w *sweeping) locks(ctx context.Context, customer pipeline.Customer) (remain bool, err error) {
	for _, t := range w.request.Targets {
		if !w.request.Applies(t.Target) {
			continue
		}
		left, targetErr := w.lockOf(ctx, customer, t.Target)
		remain, err = remain || left, errors.Join(err, targetErr)
	}
	return remain, err
}

// lockOf looks for the lock that the run has left of one target.
func (w *sweeping) lockOf(ctx context.Context, customer pipeline.Customer, t pipeline.Target) (remain bool, err error) {
	lock, known, err := w.Locks.Lock(ctx, customer, t)
	var damaged *pipeline.DamagedLock
	switch {
	case errors.As(err, &damaged):
		w.found(Finding{Kind: FindingDamagedLock, Environment: t.Environment, Stack: t.Stack, Message: fmt.Sprintf("the record of the lock of its state is damaged (%s), so it is not known who holds it", damaged.Why),
			Next: "when you know that no process works on the state, remove " + damaged.Place}, nil)
		return true, nil
	case err != nil:
		return true, fmt.Errorf("read the lock of %s: %w", t, err)
	case !known:
		err = w.reportUnseenLock(ctx, t)
	}
	if lock == nil || err != nil {
		return err != nil, err
	}
	return w.lock(ctx, customer, t, *lock)
}

// lock finds out whether the request has left a lock, and releases it when no other step
// may hold it.
func (w *sweeping) lock(ctx context.Context, customer pipeline.Customer, t pipeline.Target, lock pipeline.Lock) (remain bool, err error) {
	if lock.Ends {
		w.busy = true
		w.found(Finding{Kind: FindingBusy, Environment: t.Environment, Stack: t.Stack, Since: lock.Created, Message: fmt.Sprintf("its run is over, and what it has begun goes on: %s", lock),
			Next: "wait until it has ended: the next sweep looks again, and then closes the request"}, nil)
		return true, nil
	}
	holders, err := ledger.LockHolders(ctx, w.records(), t, lock)
	if err != nil {
		return true, err
	}
	holders, err = holders.Possible(ctx, lock, func(ctx context.Context, run pipeline.Run) (pipeline.WorkflowRun, error) {
		var err error
		if run.Repository, err = w.Manager.RunOf(run); err != nil {
			return pipeline.WorkflowRun{}, err
		}
		return pipeline.FindRun(ctx, w.Runs, w.Manager, run)
	})
	if err != nil {
		return true, err
	}
	likely := holders.Likely()
	byHand := fmt.Sprintf("metapipe unlock %s --lock-id %s --no-run", t.Flags(), lock.ID)
	switch {
	case len(likely) == 0:
		w.found(Finding{Kind: FindingForeignLock, Environment: t.Environment, Stack: t.Stack, Since: lock.Created, Message: "the state is locked: " + lock.String(),
			Next: "when you know that its process is dead: " + byHand}, nil)
		return false, nil
	case !likely.Of(w.request.ID):
		return false, nil
	case len(likely) > 1:
		w.found(Finding{Kind: FindingSharedLock, Environment: t.Environment, Stack: t.Stack, Since: lock.Created, Message: fmt.Sprintf("%s has taken a lock, and which of them cannot be seen: %s", likely, lock),
			Next: "when you know that the process of each is dead: " + byHand}, nil)
		return true, nil
	}
	w.found(Finding{Kind: FindingLock, Environment: t.Environment, Stack: t.Stack, Since: lock.Created, Message: fmt.Sprintf("%s has left a lock: %s", likely, lock)}, func() error {
		return w.Unlock(ctx, customer, t, w.request.ID, lock.ID)
	})
	return !w.findings[len(w.findings)-1].Fixed, nil
}

// reportUnseenLock reports a lock that the run may have left where only the tool can look.
func (w *sweeping) reportUnseenLock(ctx context.Context, t pipeline.Target) error {
	steps, err := ledger.StepsOf(ctx, w.records(), []pipeline.Request{w.request}, t, ledger.IsRunning)
	if err != nil || len(steps) == 0 {
		return err
	}
	step := steps[len(steps)-1]
	w.found(Finding{Kind: FindingUnseenLock, Environment: t.Environment, Stack: t.Stack, Since: step.StartedAt, Message: fmt.Sprintf("%s did not end, and a lock that it may have left cannot be seen from here", step),
		Next: fmt.Sprintf("if the next plan finds a lock, it prints the lock ID: metapipe unlock %s --lock-id ID --no-run", t.Flags())}, nil)
	return nil
}
