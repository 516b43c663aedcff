package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// lockAge is how old a lock must be before it is released: a run that has ended a
// moment ago may still be cleaning up.
const lockAge = 2 * time.Minute

// Unlocker releases the lock that a dead run has left on a state.
type Unlocker struct {
	Store  pipeline.Store
	Locks  pipeline.LockReader
	Engine pipeline.LockReleaser
	// Runs asks GitHub for the run behind a lock; nil on a laptop without a token.
	Runs pipeline.RunReader
	// Manager is the repository of this run, for records that hold no id of theirs.
	Manager pipeline.Repository
	Now     func() time.Time
}

// UnlockInput is one call of Unlocker.Run. Request and Receipt of the target are
// not used.
type UnlockInput struct {
	pipeline.TargetInput
	LockID string
	// NoRun releases a lock that no run of ours has taken: the operator takes responsibility.
	NoRun bool
}

// Run releases the lock when it is the one that is named, old enough, and GitHub
// says that its run is over. Anything else is a *RefusedError that says who holds
// it. The release stands in the ledger.
func (u *Unlocker) Run(ctx context.Context, in UnlockInput) (pipeline.Lock, error) {
	if in.LockID == "" {
		return pipeline.Lock{}, pipeline.Usagef("--lock-id is missing").
			Nextf("pass the ID that `metapipe state show` or the message about the lock prints")
	}
	lock, known, err := u.Locks.Lock(ctx, in.Customer, in.Target())
	if err != nil {
		return pipeline.Lock{}, fmt.Errorf("read the lock of %s: %w", in.Target(), err)
	}
	if !known {
		lock = &pipeline.Lock{ID: in.LockID}
	}
	if err := u.check(ctx, in, lock, known); err != nil {
		return pipeline.Lock{}, err
	}
	return *lock, u.release(ctx, in, *lock, in.Actor)
}

func (u *Unlocker) check(ctx context.Context, in UnlockInput, lock *pipeline.Lock, known bool) error {
	target := in.Target().String()
	switch {
	case lock == nil:
		return pipeline.LockRefused("the state of "+target+" is not locked", "nothing is to be done")
	case lock.ID != in.LockID:
		return pipeline.LockRefused(fmt.Sprintf("the lock of %s is another one: %s", target, lock), "look at who holds it now before you release that one")
	case known && u.Now().Sub(lock.Created) < lockAge:
		return pipeline.LockRefused(fmt.Sprintf("the lock of %s is younger than %s: %s", target, lockAge, lock), "wait, and look again")
	}
	holders, err := ledger.LockHolders(ctx, record.UnverifiedReader{Store: u.Store}, in.Target(), *lock)
	if !known { // it may be that of any step that goes on
		holders, err = ledger.UnfinishedSteps(ctx, record.UnverifiedReader{Store: u.Store}, in.Target())
	}
	if err == nil && known && u.Runs != nil {
		holders, err = holders.Possible(ctx, *lock, func(ctx context.Context, run pipeline.Run) (pipeline.WorkflowRun, error) {
			return pipeline.FindRun(ctx, u.Runs, u.Manager, run)
		})
	}
	if err == nil {
		err = u.checkRunsEnded(ctx, target, holders, known)
	}
	if err != nil {
		return err
	}
	likely := holders.Likely()
	switch {
	case in.NoRun, known && len(likely) == 1 && likely[0].Run.ID != 0:
		return nil
	case known && len(likely) > 1:
		return pipeline.LockRefused(fmt.Sprintf("%s holds the lock of %s, and which of them cannot be seen: %s", likely, target, lock),
			"when you know that the process of each is dead, run it again with --no-run")
	case known:
		return pipeline.LockRefused(fmt.Sprintf("no run of metapipe is known to hold the lock of %s: %s", target, lock), "when you know that its process is dead, run it again with --no-run")
	}
	return pipeline.LockRefused(fmt.Sprintf("cannot determine who holds the lock of %s", target), "if you know that its process is dead, run the command again with --no-run: the tool compares the ID")
}

// checkRunsEnded refuses while the run of any step goes on that may hold the lock, however
// likely it is.
func (u *Unlocker) checkRunsEnded(ctx context.Context, target string, holders ledger.Holders, known bool) error {
	for _, h := range holders {
		if h.Run.ID == 0 {
			continue // of someone's machine: there is no run to ask
		}
		over, why, err := pipeline.RunHasEnded(ctx, u.Runs, u.Manager, h.Run)
		if err != nil {
			return err
		}
		if !over {
			holds := "holds"
			if !known || len(holders) > 1 {
				holds = "may hold"
			}
			return pipeline.LockRefused(fmt.Sprintf("%s %s the lock of %s: %s", h, holds, target, why), "wait for that run, or cancel it")
		}
	}
	return nil
}

// WhoHolds finds the steps that may hold a lock, for people. Without a key, records are
// taken as the store has them: nothing may be released on this alone.
func WhoHolds(ctx context.Context, s pipeline.Store, t pipeline.Target, lock pipeline.Lock) (ledger.Holders, error) {
	all, err := ledger.LockHolders(ctx, record.UnverifiedReader{Store: s}, t, lock)
	if err != nil {
		return nil, fmt.Errorf("look for who holds the lock of %s: %w", t, err)
	}
	return all.Likely(), nil
}

// release writes the ledger first: what cannot be recorded does not happen, and a release
// whose end cannot be recorded is in the ledger as one that was about to happen.
func (u *Unlocker) release(ctx context.Context, in UnlockInput, lock pipeline.Lock, actor string) error {
	chain := ledger.Ledger{Records: record.Records{Store: u.Store}, Now: u.Now}
	e := ledger.Entry{Event: ledger.Unlocking, Target: in.Target(), Request: in.Request, Actor: actor, Message: lock.String(), Run: in.Run}
	head, err := chain.Append(ctx, e)
	if err != nil {
		return fmt.Errorf("the lock of %s was not released, since that could not be recorded: %w", in.Target(), err)
	}
	job := pipeline.Job{Customer: in.Customer, Environment: in.Environment, Stack: in.Stack, ManagerDir: in.ManagerDir, Dir: in.RunDir, Backend: in.Backend, Log: in.LogOrDiscard()}
	if err := u.Engine.ReleaseLock(ctx, job, lock.ID); err != nil {
		return fmt.Errorf("release the lock of %s: %w", in.Target(), err)
	}
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	e.Event = ledger.Unlocked
	if _, err := chain.AppendAfter(last, head, e); err != nil {
		return fmt.Errorf("the lock of %s is released, but that could not be recorded: %w", in.Target(), err)
	}
	return nil
}
