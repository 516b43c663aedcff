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
func CheckOwner(ctx context.Context, s record.Records, c pipeline.Customer, t pipeline.Target) error {
	if s.Sealer == nil {
		return NameRecords{Records: s}.checkClaimed(ctx, c, t)
	}
	known, err := ledger.Remember(ctx, s, t)
	if err != nil {
		return err
	}
	return CheckKnownOwner(ctx, s, known, c, t)
}

// CheckKnownOwner is CheckOwner for what the store remembers of a target.
func CheckKnownOwner(ctx context.Context, s record.Records, known ledger.Remembered, c pipeline.Customer, t pipeline.Target) error {
	names := NameRecords{Records: s}
	switch {
	case known.Unread != nil:
		return names.checkClaimed(ctx, c, t)
	case known.Nothing() || known.NoneLeft():
		return nil
	case known.Record != nil:
		return names.checkEvidence(ctx, c, t, known.Record.From())
	}
	if err := names.registeredOwner(ctx, c, t); err != nil {
		return err
	}
	return names.checkUnrecordedPath(ctx, names, known, c, t)
}

// CheckTargetOwner is CheckOwner for a job of one target, which has no key of the fleet to
// verify a registration with. Verified says that fetch-vars did
// (RequestTarget.OwnerVerified).
func CheckTargetOwner(ctx context.Context, s record.Records, verified bool, c pipeline.Customer, t pipeline.Target) error {
	known, err := ledger.Remember(ctx, s, t)
	if err != nil {
		return err
	}
	if known.Record != nil || known.Unread != nil || known.Nothing() || known.NoneLeft() {
		return CheckKnownOwner(ctx, s, known, c, t)
	}
	names := NameRecords{Records: s}
	if !verified {
		if err := names.claimedByOther(ctx, c, t); err != nil {
			return err
		}
	}
	return names.checkUnrecordedPath(ctx, record.UnverifiedReader{Store: s.Store}, known, c, t)
}

// checkClaimed is CheckOwner for a record of the last apply that cannot be verified.
func (s NameRecords) checkClaimed(ctx context.Context, c pipeline.Customer, t pipeline.Target) error {
	e, found, err := s.claimedEvidence(ctx, t)
	if err != nil {
		return err
	}
	if !found {
		return s.checkClaimedUnrecorded(ctx, c, t)
	}
	err = s.checkEvidence(ctx, c, t, e)
	var owner *pipeline.OwnerError
	if errors.As(err, &owner) {
		owner.Claimed = true
	}
	return err
}

// checkClaimedUnrecorded is CheckOwner without a key for a target that the ledger knows a state
// of, and no record of an apply. What the registrations and the request of the last change
// claim can only refuse.
func (s NameRecords) checkClaimedUnrecorded(ctx context.Context, c pipeline.Customer, t pipeline.Target) error {
	known, err := ledger.RememberLedger(ctx, s.Records, t)
	if err != nil || known.Nothing() || known.NoneLeft() || known.Ended() {
		return err
	}
	read := record.UnverifiedReader{Store: s.Store}
	if err := s.ownerBy(ctx, read, c, t); err != nil {
		return err
	}
	return s.checkUnrecordedPath(ctx, read, known, c, t)
}

func (s NameRecords) checkEvidence(ctx context.Context, c pipeline.Customer, t pipeline.Target, e pipeline.Evidence) error {
	if e.RepositoryID != c.RepositoryID {
		return &pipeline.OwnerError{Customer: c, Target: t, Owner: e.RepositoryID}
	}
	for _, former := range append([]string{e.Path}, e.FailedPaths...) {
		if err := s.checkFormerPath(ctx, c, t, former); err != nil {
			return err
		}
	}
	return nil
}

// CheckOwners is CheckOwner for every target that the store has of a name.
func CheckOwners(ctx context.Context, s record.Records, c pipeline.Customer) error {
	stored, err := StoredTargets(ctx, s, c.Name)
	if err != nil {
		return err
	}
	for _, t := range stored {
		err := CheckOwner(ctx, s, c, t)
		var refused *pipeline.RefusedError
		if errors.As(err, &refused) && refused.Reason == pipeline.ReasonUnknownKey { // a plan says which key it needs
			err = CheckOwner(ctx, record.Records{Store: s.Store}, c, t)
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
		gone := claimed.Destroyed() || claimed.State != nil && claimed.State.IsNone()
		return claimed.From(), claimed.Receipt.RepositoryID != 0 && !gone, nil
	}
	return pipeline.Evidence{}, false, nil
}
