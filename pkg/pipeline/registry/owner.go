package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// CheckOwner is the rule about the history of a target: it belongs to the repository id
// that its last authenticated apply names. Where no apply went well, any registration of the
// name by another repository keeps c out. A command that would plan, apply or rename on top
// of the history of another repository id refuses: the error is a *pipeline.OwnerError. A target that was
// ended, or accepted as one without a state, has no history that keeps others out.
//
// Without a sealer, as on a laptop, and under a key that is not at hand, a record can only
// refuse.
func CheckOwner(ctx context.Context, s record.Records, c pipeline.Customer, env pipeline.Environment) error {
	if s.Sealer == nil {
		owner, found, err := NameRecords{Records: s}.claimedOwner(ctx, c.Name, env)
		return ownerError(c, env, owner, found, err)
	}
	known, err := ledger.Remember(ctx, s, c.Name, env)
	if err != nil {
		return err
	}
	return CheckKnownOwner(ctx, s, known, c, env)
}

// CheckKnownOwner is CheckOwner for what the store remembers of a target.
func CheckKnownOwner(ctx context.Context, s record.Records, known ledger.Remembered, c pipeline.Customer, env pipeline.Environment) error {
	owner, found, err := NameRecords{Records: s}.owner(ctx, known, c, env)
	return ownerError(c, env, owner, found, err)
}

func ownerError(c pipeline.Customer, env pipeline.Environment, owner int64, found bool, err error) error {
	if err != nil || !found || owner == c.RepositoryID {
		return err
	}
	return &pipeline.OwnerError{Customer: c, Environment: env, Owner: owner}
}

// CheckOwners is CheckOwner for every environment that the store has of a name.
func CheckOwners(ctx context.Context, s record.Records, c pipeline.Customer) error {
	envs, err := StoredEnvironments(ctx, s, c.Name)
	if err != nil {
		return err
	}
	for _, env := range envs {
		err := CheckOwner(ctx, s, c, env)
		var refused *pipeline.RefusedError
		if errors.As(err, &refused) && refused.Reason == pipeline.ReasonUnknownKey { // a plan says which key it needs
			err = CheckOwner(ctx, record.Records{Store: s.Store}, c, env)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// owner is the repository id that the history of a target belongs to. found is false where
// there is no history, or where nothing says of whom it is.
func (s NameRecords) owner(ctx context.Context, known ledger.Remembered, c pipeline.Customer, env pipeline.Environment) (id int64, found bool, err error) {
	switch {
	case known.Unread != nil:
		return s.claimedOwner(ctx, c.Name, env)
	case known.Nothing() || known.NoneLeft():
		return 0, false, nil
	case known.Record != nil:
		return known.Record.Receipt.RepositoryID, true, nil
	}
	return s.registeredOwner(ctx, c)
}

// claimedOwner reads the newest record of the last apply of a target without its key.
func (s NameRecords) claimedOwner(ctx context.Context, name pipeline.CustomerName, env pipeline.Environment) (id int64, found bool, err error) {
	keys, err := s.List(ctx, record.LastApplyPrefix(name, env))
	if err != nil {
		return 0, false, fmt.Errorf("look for the last apply of %s: %w", pipeline.TargetName(name, env), err)
	}
	for _, key := range slices.Backward(keys) {
		if !strings.HasSuffix(key, ".json") {
			continue
		}
		var claimed record.LastApply
		err := record.UnverifiedReader{Store: s.Store}.ReadRecord(ctx, record.LastApplyRecord(name, env), key, &claimed)
		if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
			return 0, false, fmt.Errorf("read the record of the last apply of %s: %w", pipeline.TargetName(name, env), err)
		}
		gone := claimed.Destroyed() || claimed.State != nil && claimed.State.Lineage == ""
		return claimed.Receipt.RepositoryID, claimed.Receipt.RepositoryID != 0 && !gone, nil
	}
	return 0, false, nil
}

// registeredOwner is another repository than that of c with a registration of its name, the
// newest one where there are several. It is for a target that failed applies alone have
// changed, so that no record is of them. It verifies nothing: the roles of a target have no
// key of the fleet. So a registration of c itself is no answer to one of another repository,
// however new it claims to be: the answer can only refuse.
func (s NameRecords) registeredOwner(ctx context.Context, c pipeline.Customer) (id int64, found bool, err error) {
	keys, err := s.List(ctx, Registrations)
	if err != nil {
		return 0, false, fmt.Errorf("look for the repository of customer %s: %w", c.Name, err)
	}
	var newest Registration
	read := record.UnverifiedReader{Store: s.Store}
	for _, key := range keys {
		if strings.HasPrefix(key, Renames) || !strings.HasSuffix(key, ".json") {
			continue
		}
		r, err := LoadRegistrationAt(ctx, read, key[:strings.LastIndex(key, "/")+1], key)
		if err != nil {
			continue // it is read, and refused, where its own repository asks for it
		}
		if r.Customer == c.Name && r.RepositoryID != c.RepositoryID && !r.At.Before(newest.At) {
			newest, found = r, true
		}
	}
	return newest.RepositoryID, found, nil
}
