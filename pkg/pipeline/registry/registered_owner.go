package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// registeredOwner is the rule about a target that failed applies alone have changed, so that
// no record is of them: it belongs to the repository of the newest verified registration of
// the name. A registration that was written because an operator gave some targets to another
// repository counts for these alone. One that cannot be verified decides nothing, unless none
// that can be is there: then it can only refuse.
func (s NameRecords) registeredOwner(ctx context.Context, c pipeline.Customer, t pipeline.Target) error {
	return s.ownerBy(ctx, s, c, t)
}

// ownerBy is registeredOwner for one of the readers.
func (s NameRecords) ownerBy(ctx context.Context, read record.Reader, c pipeline.Customer, t pipeline.Target) error {
	_, unverified := read.(record.UnverifiedReader)
	all, err := registrationsOf(ctx, read, t.Customer)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(r Registration) bool { return len(r.Accepted) > 0 && !slices.Contains(r.Accepted, t.Part()) })
	if len(all) == 0 {
		return s.claimedByOther(ctx, c, t)
	}
	newest := newestOf(all)
	if newest.RepositoryID == c.RepositoryID {
		return nil
	}
	return &pipeline.OwnerError{Customer: c, Target: t, Owner: newest.RepositoryID, Registered: true, Claimed: unverified}
}

// claimedByOther refuses a target while any registration of its name claims to be of another
// repository. It verifies nothing. So a registration of c itself is no answer to one of
// another repository, however new it claims to be.
func (s NameRecords) claimedByOther(ctx context.Context, c pipeline.Customer, t pipeline.Target) error {
	all, err := registrationsOf(ctx, record.UnverifiedReader{Store: s.Store}, t.Customer)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(r Registration) bool { return r.RepositoryID == c.RepositoryID })
	if len(all) == 0 {
		return nil
	}
	return &pipeline.OwnerError{Customer: c, Target: t, Owner: newestOf(all).RepositoryID, Registered: true, Claimed: true}
}

// newestOf is the latest of at least one registration.
func newestOf(all []Registration) Registration {
	return slices.MaxFunc(all, func(a, b Registration) int { return a.At.Compare(b.At) })
}

// registrationsOf are the registrations of a name that can be read, by all repositories, in
// the order of their keys. A damaged one is refused where its own repository asks for it.
func registrationsOf(ctx context.Context, read record.Reader, name pipeline.CustomerName) ([]Registration, error) {
	keys, err := read.List(ctx, Registrations)
	if err != nil {
		return nil, fmt.Errorf("look for the repository of customer %s: %w", name, err)
	}
	_, unverified := read.(record.UnverifiedReader)
	var all []Registration
	for _, key := range keys {
		if _, _, renamed := RenameOf(key); renamed || !strings.HasSuffix(key, ".json") {
			continue
		}
		r, err := LoadRegistrationAt(ctx, read, key[:strings.LastIndex(key, "/")+1], key)
		switch {
		case err == nil && r.Customer == name:
			all = append(all, r)
		case err == nil, unverified, errors.Is(err, pipeline.ErrTampered), errors.Is(err, pipeline.ErrUnknownKey), errors.Is(err, pipeline.ErrNotFound):
		default:
			return nil, fmt.Errorf("look for the repository of customer %s: %w", name, err)
		}
	}
	return all, nil
}

// CheckRegisteredOwner is the rule about the history of a target for one that has none yet, and
// is about to get it: the registrations say who owns it.
func CheckRegisteredOwner(ctx context.Context, s record.Records, c pipeline.Customer, t pipeline.Target) error {
	return NameRecords{Records: s}.registeredOwner(ctx, c, t)
}

// OwnsUnrecorded reports whether the verified registrations say that a target without a record
// of an apply belongs to the repository of c.
func OwnsUnrecorded(ctx context.Context, s record.Records, c pipeline.Customer, t pipeline.Target) (bool, error) {
	err := CheckRegisteredOwner(ctx, s, c, t)
	var owner *pipeline.OwnerError
	if errors.As(err, &owner) {
		return false, nil
	}
	return err == nil, err
}
