package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Sweeper looks after the requests that nobody has closed: those whose runner was
// lost, whose run was deleted, or that wait for ever. What it costs grows with the
// number of open requests and not with that of all there ever were.
type Sweeper struct {
	Store     Store
	Sealer    Sealer
	Runs      sweepGitHub
	Customers customerRegistry
	Locks     lockReader
	// Manager is the repository of this run, for records that hold no id of theirs.
	Manager Repository
	// Unlock releases a lock under the rules of Unlocker.
	Unlock func(ctx context.Context, c Customer, env Environment, request RequestID, lockID string) error
	// Close reports on a request for the last time.
	Close func(ctx context.Context, closing Closing) error
	// Departed is what the manager's rules are for a customer that is not registered
	// any more, or is registered for another repository now.
	Departed func(request Request) Customer
	Now      func() time.Time
}

// Closing is the end of a request.
type Closing struct {
	Customer  Customer
	Request   Request
	Cancelled bool
	// Unseen: close it also where its repository cannot be seen.
	Unseen bool
}

type sweepGitHub interface {
	runReader
	runCanceller
	PendingEnvironments(ctx context.Context, repo Slug, run int64) ([]string, error)
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

// The kinds. All but the last four are repaired by the sweep.
const (
	FindingUnfinished  FindingKind = "unfinished"   // its run is over, and nobody has closed it
	FindingLock        FindingKind = "lock"         // its run is over and has left a lock
	FindingExpired     FindingKind = "expired"      // its plan is past its time, and its run still waits
	FindingSuperseded  FindingKind = "superseded"   // a newer request took its place, and its run still waits
	FindingStuck       FindingKind = "stuck"        // its run was asked to end and does not
	FindingOrphan      FindingKind = "orphan"       // an entry of the index without a request
	FindingWaiting     FindingKind = "waiting"      // reviewers let it wait for long
	FindingForeignLock FindingKind = "foreign-lock" // no run of metapipe holds the lock of its state
	FindingUnseenLock  FindingKind = "unseen-lock"  // a step died that may have left a lock where only the tool can look
	FindingUnreadable  FindingKind = "unreadable"   // the store or GitHub did not answer for it
)

// Finding is one thing that is wrong.
type Finding struct {
	Kind        FindingKind  `json:"kind"`
	Customer    CustomerName `json:"customer"`
	Environment Environment  `json:"environment,omitempty"`
	Request     RequestID    `json:"request"`
	Run         Run          `json:"run,omitzero"`
	Since       time.Time    `json:"since,omitzero"`
	Message     string       `json:"message"`
	Next        string       `json:"next,omitempty"` // what people do about it
	Fixed       bool         `json:"fixed"`
	Error       string       `json:"error,omitempty"` // why it could not be repaired
}

// Repairable reports whether the sweep can mend it.
func (f Finding) Repairable() bool {
	return f.Kind != FindingWaiting && f.Kind != FindingForeignLock && f.Kind != FindingUnseenLock && f.Kind != FindingUnreadable
}

// SweepResult is what one sweep has seen.
type SweepResult struct {
	Open     int       `json:"open"` // requests in the index
	Findings []Finding `json:"findings"`
	At       time.Time `json:"at"`
}

// Run looks at every open request, and repairs what it can when fix is set. What
// goes wrong with one request is a finding and stops no other.
func (s *Sweeper) Run(ctx context.Context, fix bool) (SweepResult, error) {
	result := SweepResult{Findings: []Finding{}, At: s.Now().UTC()}
	entries, err := openEntries(ctx, s.Store, openRoot)
	if err != nil {
		return result, err
	}
	result.Open = len(entries)
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return result, err
		}
		w := sweeping{Sweeper: s, fix: fix, entry: e}
		if err := w.look(ctx); err != nil {
			w.found(Finding{Kind: FindingUnreadable, Message: "it could not be looked at", Error: err.Error()}, nil)
		}
		result.Findings = append(result.Findings, w.findings...)
	}
	return result, nil
}

// sweeping is the sweep of one open request.
type sweeping struct {
	*Sweeper
	fix      bool
	entry    openEntry
	request  Request
	customer Customer
	departed bool // the customer is not registered for that repository any more
	run      WorkflowRun
	findings []Finding
}

// found notes a finding and mends it when it may.
func (w *sweeping) found(f Finding, mend func() error) {
	f.Customer, f.Request, f.Run = w.entry.customer, w.entry.request, w.request.ManagerRun
	if w.fix && mend != nil {
		if err := mend(); err != nil {
			f.Error = err.Error()
		} else {
			f.Fixed = true
		}
	}
	w.findings = append(w.findings, f)
}

func (w *sweeping) look(ctx context.Context) error {
	var err error
	w.request, err = loadRequest(ctx, w.Store, w.entry.customer, w.entry.request)
	if errors.Is(err, ErrNotFound) {
		return w.orphan(ctx)
	}
	if err != nil {
		return err
	}
	if err := w.whose(ctx); err != nil {
		return err
	}
	if w.request.ManagerRun.ID == 0 {
		return nil // born on somebody's machine: there is no run to ask
	}
	if w.run, err = findRun(ctx, w.Runs, w.Manager, w.request.ManagerRun); err != nil {
		return err
	}
	if w.run.Status != "completed" {
		return w.going(ctx)
	}
	if w.Now().Sub(w.run.UpdatedAt) < sweepGrace {
		return nil
	}
	return w.over(ctx)
}

// whose finds the customer of the request. One who was removed from the registry, or
// has got another repository, is taken from the record: that repository still waits
// for its statuses. The record has to be authentic, since nothing else says where the
// report goes.
func (w *sweeping) whose(ctx context.Context) error {
	var registered bool
	w.customer, registered = w.Customers.Customer(w.request.Customer)
	w.departed = !registered || w.customer.RepositoryID != w.request.Repository.ID
	if !w.departed {
		return nil
	}
	w.customer = w.Departed(w.request)
	if w.request.Rejected() && w.request.Blob == "" {
		return nil // it has no variables to hold it to
	}
	if err := verifyRequest(ctx, w.Store, w.Sealer, w.request); err != nil {
		return fmt.Errorf("customer %s is not registered for %s (id %d) any more, and the record of its request cannot be used: %w", w.request.Customer, w.request.Repository, w.request.Repository.ID, err)
	}
	return nil
}

// close reports on the request for the last time.
func (w *sweeping) close(ctx context.Context, cancelled bool) error {
	since := w.run.UpdatedAt
	if since.IsZero() { // a run that was deleted
		since = w.request.CreatedAt
	}
	return w.Close(ctx, Closing{Customer: w.customer, Request: w.request, Cancelled: cancelled, Unseen: w.departed || w.Now().Sub(since) >= sweepUnseen})
}

// orphan is an entry that fetch-vars made before it died: nobody was told of that
// request.
func (w *sweeping) orphan(ctx context.Context) error {
	since := orderTime(w.entry.key)
	if w.Now().Sub(since) < sweepOrphan {
		return nil
	}
	const message = "fetch-vars began to write this request down and did not end"
	w.found(Finding{Kind: FindingOrphan, Since: since, Message: message}, func() error {
		if err := w.accountOrphan(ctx, since, message); err != nil {
			return err
		}
		return w.Store.Delete(ctx, w.entry.key)
	})
	return nil
}

// accountOrphan closes the request in the ledgers that fetch-vars has got to: they
// come before the request itself.
func (w *sweeping) accountOrphan(ctx context.Context, since time.Time, message string) error {
	customer, registered := w.Customers.Customer(w.entry.customer)
	if !registered {
		return nil // and its ledgers are not looked at any more
	}
	ledger := Ledger{Store: w.Store, Now: w.Now}
	for _, rule := range customer.Manager.Environments {
		last, found, err := ledger.lastOf(ctx, customer.Name, rule.Name, w.entry.request, since)
		if err == nil && found && last.Event == LedgerRequested {
			_, err = ledger.Append(ctx, LedgerEntry{Event: LedgerClosed, Customer: customer.Name, Environment: rule.Name, Request: last.Request, Commit: last.Commit,
				Outcome: OutcomeFailed, Message: message, Run: last.Run})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// over is a request whose run can do nothing any more.
func (w *sweeping) over(ctx context.Context) error {
	locked, err := w.locks(ctx, w.customer)
	if err != nil {
		return err
	}
	if closed, err := w.closed(ctx); err != nil || closed {
		if err != nil || !w.fix || locked {
			return err
		}
		return errors.Join(w.close(ctx, true), settle(ctx, w.Store, w.request))
	}
	w.found(Finding{Kind: FindingUnfinished, Since: w.run.UpdatedAt, Message: fmt.Sprintf("its run is over (%s), and nobody has closed it", w.run.Conclusion)}, func() error {
		if err := w.close(ctx, w.run.Conclusion == "cancelled"); err != nil || locked {
			return err
		}
		return settle(ctx, w.Store, w.request)
	})
	return nil
}

// closed reports whether somebody has ended the request and told so: what is left
// is to see that its run is over and that it holds no lock.
func (w *sweeping) closed(ctx context.Context) (bool, error) {
	for _, env := range w.request.Targets {
		st, err := targetStanding(ctx, records{w.Store, w.Sealer}, w.request, env)
		if err != nil || !st.ended.Outcome.Final() {
			return false, err
		}
		if st.use.voided() {
			return true, nil
		}
	}
	return w.request.Rejected(), nil
}

// locks looks for locks that the run has left; remain tells that one is still there.
func (w *sweeping) locks(ctx context.Context, customer Customer) (remain bool, err error) {
	for _, env := range w.request.Targets {
		if !w.request.Applies(env) {
			continue
		}
		lock, known, err := w.Locks.Lock(ctx, customer, env)
		if err != nil {
			return true, err
		}
		if !known {
			if err := w.unseen(ctx, customer.Name, env); err != nil {
				return true, err
			}
		}
		if lock == nil {
			continue
		}
		holder, err := LockHolder(ctx, w.Store, customer.Name, env, *lock)
		switch {
		case err != nil:
			return true, err
		case holder == nil:
			w.found(Finding{Kind: FindingForeignLock, Environment: env, Since: lock.Created, Message: "the state is locked: " + lock.String(),
				Next: fmt.Sprintf("when you know that its process is dead: metapipe unlock --customer %s --environment %s --lock-id %s --no-run", customer.Name, env, lock.ID)}, nil)
		case holder.Request.ID == w.request.ID:
			w.found(Finding{Kind: FindingLock, Environment: env, Since: lock.Created, Message: fmt.Sprintf("%s has left a lock: %s", holder, lock)}, func() error {
				return w.Unlock(ctx, customer, env, w.request.ID, lock.ID)
			})
			remain = remain || !w.findings[len(w.findings)-1].Fixed
		}
	}
	return remain, nil
}

// unseen tells of a lock that the run may have left where only the tool can look.
func (w *sweeping) unseen(ctx context.Context, c CustomerName, env Environment) error {
	step, err := stepIn(ctx, w.Store, w.request, env, func(_ Begun, ended *Ended) bool { return ended == nil })
	if err != nil || step == nil {
		return err
	}
	w.found(Finding{Kind: FindingUnseenLock, Environment: env, Since: step.Begun, Message: fmt.Sprintf("%s did not end, and a lock that it may have left cannot be seen from here", step),
		Next: fmt.Sprintf("when the next plan meets a lock, it tells its id: metapipe unlock --customer %s --environment %s --lock-id ID --no-run", c, env)}, nil)
	return nil
}

// orderTime reads the time out of the key of an index.
func orderTime(key string) time.Time {
	const layout, rest = "20060102T150405.000000000Z", 1 + 20 + 1 + 6 + 1 + 36
	if at := len(key) - rest; at >= len(layout) {
		if t, err := time.Parse(layout, key[at-len(layout):at]); err == nil {
			return t
		}
	}
	return time.Time{}
}
