package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// Restorer sets what is remembered of the state of a target: after it has restored a
// lost one, or where the operator accepts the state as it is.
type Restorer struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Engine pipeline.StatePusher // of use to Restore only
	States states               // likewise, where it replaces something
	// WayBack is the command that brings an object of the store, by its key, back as the
	// state of a target. Nil: messages name the key alone.
	WayBack func(in pipeline.TargetInput, key string) string
	// ReadState reads the head of a state that lies in the store; an empty one has none. Nil: the states lie in
	// another backend, and only records and ledgers say which target has which.
	ReadState func(io.Reader) (pipeline.StateRecord, error)
	Now       func() time.Time

	lineages *lineages // of all targets, once they were read
}

// Fit is how a state compares with what is remembered.
type Fit struct {
	Misfit *pipeline.LostState // what it lacks; nil where nothing speaks against it
	Doubt  string              // why it is not known to fit, where nothing speaks against it
	Owner  *pipeline.Target    // another target that has a state of this lineage; nil: none
}

// Compare compares a state that is there now, or that could be restored, with what is
// remembered.
func (r *Restorer) Compare(ctx context.Context, in pipeline.TargetInput, now pipeline.StateRecord) (Fit, error) {
	known, err := ledger.Remember(ctx, record.Records{Store: r.Store, Sealer: r.Sealer}, in.Target())
	if err != nil {
		return Fit{}, err
	}
	owner, unread := r.owner(ctx, in.Target(), known, now.Lineage)
	if owner != nil {
		why := fmt.Sprintf("the state of %s would be that of another target: %s has a state of lineage %s", in.Target(), *owner, pipeline.PlainLine(now.Lineage))
		return Fit{Misfit: &pipeline.LostState{Target: in.Target(), Why: why}, Owner: owner}, nil
	}
	fit := Fit{Misfit: known.Lost(now, in.Backend.String())}
	if fit.Misfit != nil {
		return fit, nil
	}
	if fit.Doubt = known.Doubt(now); fit.Doubt == "" && unread != nil {
		fit.Doubt = "whether it is the state of another target is not known: " + pipeline.PlainLine(unread.Error())
	}
	return fit, nil
}

// CheckReason refuses an acceptance without a reason.
func CheckReason(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return pipeline.Usagef("no reason is given").
			Nextf("say with --reason why this state is the right one: it is recorded in the ledger")
	}
	return nil
}

// Acceptable is a state that an operator accepts as the right one.
type Acceptable struct {
	State  pipeline.StateRecord // that is there now; without a lineage: there is none
	Reason string
	// RepositoryID is the repository that the target belongs to from now on, where its
	// history is of another one; 0: the owner stays.
	RepositoryID int64
}

// Accept remembers the state that is there now, or that there is none, as the right
// one: later plans build on it.
func (r *Restorer) Accept(ctx context.Context, in pipeline.TargetInput, a Acceptable) error {
	if err := CheckReason(a.Reason); err != nil {
		return err
	}
	if err := checkRepositoryID(in.Customer, a.RepositoryID); err != nil {
		return err
	}
	if err := r.checkOwn(ctx, in, "the state of "+in.Target().String(), a.State.Lineage); err != nil {
		return err
	}
	s := record.Records{Store: r.Store, Sealer: r.Sealer}
	owner := registry.CheckOwner(ctx, s, in.Customer, in.Target())
	var other *pipeline.OwnerError
	if errors.As(owner, &other) {
		return r.takeOver(ctx, in, a, other)
	}
	// A record that was changed, or whose key is gone, is what the operator may accept.
	known, err := ledger.Remember(ctx, s, in.Target())
	if err == nil && owner == nil && known.Nothing() { // what is accepted is its first memory
		if err := registry.CheckRegisteredOwner(ctx, s, in.Customer, in.Target()); errors.As(err, &other) {
			return r.takeOver(ctx, in, a, other)
		} else if err != nil {
			return err
		}
	}
	var refused *pipeline.RefusedError
	switch {
	case errors.As(err, &refused):
	case err != nil:
		return err
	case owner != nil:
		return owner
	case !known.Nothing() && known.Unread == nil && known.Doubted == nil && known.Lost(a.State, in.Backend.String()) == nil:
		return pipeline.Usagef("the state of %s is the one that was left: there is nothing to accept", in.Target()).
			Nextf("`metapipe state list` says which states are lost")
	}
	if err := r.note(ctx, in, ledger.Accepted, a.State, a.Reason); err != nil {
		return err
	}
	return registry.RegisterAgain(ctx, s, in.Customer, r.Now())
}

// checkRepositoryID refuses a repository id that is not the one of the customer's file.
func checkRepositoryID(c pipeline.Customer, id int64) error {
	if id == 0 || id == c.RepositoryID {
		return nil
	}
	return pipeline.Usagef("%s has repository_id %d, and %d is given", c.File, c.RepositoryID, id).
		Nextf("correct the file, or --repository-id: a target belongs to the repository that its customer's file names")
}

// takeOver gives a target with the history of another repository to that of the customer's
// file, where the operator has named it. The registration comes first: a plan is refused
// until the record is written, and all of it can be done again.
func (r *Restorer) takeOver(ctx context.Context, in pipeline.TargetInput, a Acceptable, other *pipeline.OwnerError) error {
	if a.RepositoryID == 0 {
		return other
	}
	if err := forgetOutputs(ctx, r.Store, in); err != nil {
		return err
	}
	s, now := record.Records{Store: r.Store, Sealer: r.Sealer}, r.Now().UTC()
	if err := registry.RegisterOwner(ctx, s, in.Customer, in.Target(), now); err != nil {
		return err
	}
	if err := record.NoteOwner(ctx, s, in.Customer, in.Target(), a.State, record.Acceptance{Actor: in.Actor, Reason: pipeline.PlainLine(a.Reason), At: now}); err != nil {
		return err
	}
	why := fmt.Sprintf("repository id %d in place of %d: %s", a.RepositoryID, other.Owner, a.Reason)
	return r.appendLedger(ctx, in, ledger.Entry{Event: ledger.Accepted, Message: why, State: &a.State})
}

// note writes the sealed record first, and then the ledger, which can only make the
// target look worse: done again after an interruption, both agree.
func (r *Restorer) note(ctx context.Context, in pipeline.TargetInput, event ledger.Event, state pipeline.StateRecord, why string) error {
	if err := forgetOutputs(ctx, r.Store, in); err != nil {
		return err
	}
	if err := record.NoteState(ctx, record.Records{Store: r.Store, Sealer: r.Sealer}, in.Target(), state,
		record.Acceptance{Actor: in.Actor, Reason: pipeline.PlainLine(why), At: r.Now().UTC()}); err != nil {
		return err
	}
	return r.appendLedger(ctx, in, ledger.Entry{Event: event, Message: why, State: &state})
}

// appendLedger completes an entry with its target, its actor and its run.
func (r *Restorer) appendLedger(ctx context.Context, in pipeline.TargetInput, e ledger.Entry) error {
	e.Target, e.Actor, e.Run = in.Target(), in.Actor, in.Run
	_, err := ledger.Ledger{Records: record.Records{Store: r.Store, Sealer: r.Sealer}, Now: r.Now}.Append(ctx, e)
	return err
}
