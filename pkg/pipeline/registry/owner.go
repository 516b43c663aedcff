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
// that its last authenticated apply names, and to the path that checkFormerPath says. Where no
// apply went well, it belongs to the repository that registeredOwner finds, and to the path
// that checkUnrecordedPath finds. A command
// that would plan, apply, destroy, restore or rename on top of the history of another one
// refuses: the error is a *pipeline.OwnerError or a *pipeline.RenamedError. A target that was
// ended, or accepted as one without a state, has no history that keeps others out.
//
// Without a sealer, as on a laptop, and under a key that is not at hand, a record can only
// refuse.
func CheckOwner(ctx context.Context, s record.Records, c pipeline.Customer, env pipeline.Environment) error {
	if s.Sealer == nil {
		return NameRecords{Records: s}.checkClaimed(ctx, c, env)
	}
	known, err := ledger.Remember(ctx, s, c.Name.In(env))
	if err != nil {
		return err
	}
	return CheckKnownOwner(ctx, s, known, c, env)
}

// CheckKnownOwner is CheckOwner for what the store remembers of a target.
func CheckKnownOwner(ctx context.Context, s record.Records, known ledger.Remembered, c pipeline.Customer, env pipeline.Environment) error {
	names := NameRecords{Records: s}
	switch {
	case known.Unread != nil:
		return names.checkClaimed(ctx, c, env)
	case known.Nothing() || known.NoneLeft():
		return nil
	case known.Record != nil:
		return names.checkEvidence(ctx, c, env, known.Record.From())
	}
	if err := names.registeredOwner(ctx, c, env); err != nil {
		return err
	}
	return names.checkUnrecordedPath(ctx, names, known, c, env)
}

// CheckTargetOwner is CheckOwner for a job of one target, which has no key of the fleet to
// verify a registration with. Verified says that fetch-vars did
// (Request.OwnerVerified).
func CheckTargetOwner(ctx context.Context, s record.Records, verified bool, c pipeline.Customer, env pipeline.Environment) error {
	known, err := ledger.Remember(ctx, s, c.Name.In(env))
	if err != nil {
		return err
	}
	if known.Record != nil || known.Unread != nil || known.Nothing() || known.NoneLeft() {
		return CheckKnownOwner(ctx, s, known, c, env)
	}
	names := NameRecords{Records: s}
	if !verified {
		if err := names.claimedByOther(ctx, c, env); err != nil {
			return err
		}
	}
	return names.checkUnrecordedPath(ctx, record.UnverifiedReader{Store: s.Store}, known, c, env)
}

// checkClaimed is CheckOwner for a record of the last apply that cannot be verified.
func (s NameRecords) checkClaimed(ctx context.Context, c pipeline.Customer, env pipeline.Environment) error {
	e, found, err := s.claimedEvidence(ctx, c.Name.In(env))
	if err != nil {
		return err
	}
	if !found {
		return s.checkClaimedUnrecorded(ctx, c, env)
	}
	err = s.checkEvidence(ctx, c, env, e)
	var owner *pipeline.OwnerError
	if errors.As(err, &owner) {
		owner.Claimed = true
	}
	return err
}

// checkClaimedUnrecorded is CheckOwner without a key for a target that the ledger knows a state
// of, and no record of an apply. What the registrations and the request of the last change
// claim can only refuse.
func (s NameRecords) checkClaimedUnrecorded(ctx context.Context, c pipeline.Customer, env pipeline.Environment) error {
	known, err := ledger.RememberUnverified(ctx, s.Store, c.Name.In(env))
	if err != nil || known.Nothing() || known.NoneLeft() || known.Ended() {
		return err
	}
	read := record.UnverifiedReader{Store: s.Store}
	if err := s.ownerBy(ctx, read, c, env); err != nil {
		return err
	}
	return s.checkUnrecordedPath(ctx, read, known, c, env)
}

func (s NameRecords) checkEvidence(ctx context.Context, c pipeline.Customer, env pipeline.Environment, e pipeline.Evidence) error {
	if e.RepositoryID != c.RepositoryID {
		return &pipeline.OwnerError{Customer: c, Environment: env, Owner: e.RepositoryID}
	}
	for _, former := range append([]string{e.Path}, e.FailedPaths...) {
		if err := s.checkFormerPath(ctx, c, env, former); err != nil {
			return err
		}
	}
	return nil
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

// claimedEvidence reads the newest record of the last apply of a target without its key.
func (s NameRecords) claimedEvidence(ctx context.Context, t pipeline.Target) (e pipeline.Evidence, found bool, err error) {
	keys, err := s.List(ctx, record.LastApplyPrefix(t))
	if err != nil {
		return pipeline.Evidence{}, false, fmt.Errorf("look for the last apply of %s: %w", t, err)
	}
	for _, key := range slices.Backward(keys) {
		if !strings.HasSuffix(key, ".json") {
			continue
		}
		var claimed record.LastApply
		err := record.UnverifiedReader{Store: s.Store}.ReadRecord(ctx, record.LastApplyRecord(t), key, &claimed)
		if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
			return pipeline.Evidence{}, false, fmt.Errorf("read the record of the last apply of %s: %w", t, err)
		}
		gone := claimed.Destroyed() || claimed.State != nil && claimed.State.Lineage == ""
		return claimed.From(), claimed.Receipt.RepositoryID != 0 && !gone, nil
	}
	return pipeline.Evidence{}, false, nil
}
