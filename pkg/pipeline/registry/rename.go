package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Renamer gives a customer another name: it copies states and records to it. It removes
// and overwrites nothing under the old name. Each write can be the last one: done again,
// it goes on where it has stopped. Before the last write the store knows the old name.
type Renamer struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Engine pipeline.StateMover
	Locks  pipeline.LockReader
	Now    func() time.Time
}

// RenameInput is one call of Renamer.
type RenameInput struct {
	Old pipeline.CustomerName
	New pipeline.Customer // as its file says
	// Kept is the customer that has the old name in a file; nil: there is none.
	Kept *pipeline.Customer
	// Backend is where the state of a target is.
	Backend    func(pipeline.Target) pipeline.Backend
	ManagerDir string // absolute
	RunDir     string // absolute, and private: states in clear pass through it
	Run        pipeline.Run
	Actor      string
}

// The kinds of moves.
const (
	MoveState        = "state"
	MoveLastApply    = "last apply"
	MoveRegistration = "registration"
	MoveRename       = "rename" // the record of a rename that was made before
)

// RenameMove is one thing that is copied, or written anew.
type RenameMove struct {
	What        string               `json:"what"` // state, last apply, registration, rename
	Environment pipeline.Environment `json:"environment,omitempty"`
	Stack       pipeline.StackName   `json:"stack,omitempty"`
	From        string               `json:"from"`
	To          string               `json:"to"`
	// Done: it is there already.
	Done bool `json:"done"`
}

// RenameResult is a plan of moves.
type RenameResult struct {
	Old   pipeline.CustomerName `json:"old"`
	New   pipeline.CustomerName `json:"new"`
	Moves []RenameMove          `json:"moves"`
	// Applied: all moves are done. Already: they were done before.
	Applied bool `json:"applied"`
	Already bool `json:"already"`
}

// Run checks that the customer can have the new name, and with apply moves it there.
func (r *Renamer) Run(ctx context.Context, in RenameInput, apply bool) (RenameResult, error) {
	result := RenameResult{Old: in.Old, New: in.New.Name, Moves: []RenameMove{}}
	known, err := r.known(ctx, in)
	if err != nil {
		return result, err
	}
	if len(known.unread) > 0 {
		return r.recordAgain(ctx, in, known, apply)
	}
	if known.name == in.New.Name && known.registered == in.New.Name {
		result.Applied, result.Already = true, true
		return result, nil
	}
	if err := r.checkIdle(ctx, in); err != nil {
		return result, err
	}
	registration := RenameMove{What: MoveRegistration, From: RegistrationKey(in.New, max(known.number, 1)), To: RegistrationKey(in.New, known.number+1)}
	if known.name == in.New.Name { // all was moved when the last write was stopped
		result.Moves = append(result.Moves, registration)
		if apply {
			result.Applied, err = true, r.finish(ctx, in, known)
		}
		return result, err
	}
	targets, err := r.targets(ctx, in, known)
	defer removeFiles(targets)
	if err != nil {
		return result, err
	}
	for _, t := range targets {
		result.Moves = append(result.Moves, t.moves()...)
	}
	result.Moves = append(result.Moves, registration)
	if !apply {
		return result, nil
	}
	if err := r.move(ctx, in, targets, known); err != nil {
		return result, fmt.Errorf("rename customer %s to %s: %w\n→ run it again: it goes on where it has stopped", in.Old, in.New.Name, err)
	}
	result.Applied = true
	return result, nil
}

func (r *Renamer) records() record.Records { return record.Records{Store: r.Store, Sealer: r.Sealer} }

// CheckNames refuses a rename of a name to itself.
func CheckNames(old, name pipeline.CustomerName) error {
	if old != name {
		return nil
	}
	return pipeline.Usagef("the old and the new name are both %s", old).Nextf("name the old one first, as `metapipe state list` shows it")
}

// known asks the store whether the place of the customer has the old name.
func (r *Renamer) known(ctx context.Context, in RenameInput) (known, error) {
	if err := CheckNames(in.Old, in.New.Name); err != nil {
		return known{}, err
	}
	k, err := NameRecords{Records: r.records()}.knownAs(ctx, in.New)
	if err != nil {
		return k, RegistrationError(err, in.New)
	}
	if err := r.oldNameLeft(ctx, in); err != nil {
		return k, err
	}
	switch {
	case k.name == in.New.Name:
		all, err := LoadRenames(ctx, r.records(), in.New.RepositoryID, in.Old)
		if errors.Is(err, pipeline.ErrUnknownKey) {
			k.unread, err = r.unreadRenames(ctx, in, err)
			return k, RegistrationError(err, in.New)
		}
		if err != nil {
			return k, RegistrationError(err, in.New)
		}
		if len(all) == 0 {
			return k, pipeline.Usagef("%s is customer %s already, and was not %s", in.New.Place(), in.New.Name, in.Old).
				Nextf("the old name comes first. To give %s the name %s, rename its file to %s.yml, and run `metapipe customer rename %s "+
					"%s`; `metapipe state list` shows what the store has", in.New.Name, in.Old, in.Old, in.New.Name, in.Old)
		}
		return k, nil
	case k.name == "":
		return k, pipeline.Usagef("the store knows no customer of %s", in.New.Place()).
			Nextf("there is nothing to rename; `metapipe state list` shows what the store has")
	case k.name != in.Old:
		return k, pipeline.Usagef("%s is registered as customer %s, not as %s", in.New.Place(), k.name, in.Old).
			Nextf("run `metapipe customer rename %s %s`", k.name, in.New.Name)
	}
	return k, nil
}
