package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Registrations lie under the fleet's root and not under a customer's: the path of a
// repository keeps its records when the customer's file has another name.
const Registrations = "_metapipe/customers/"

// Registration says which customer a path of a repository is. Records are numbered and
// write-once, and the last one counts: the first one is of fetch-vars.
type Registration struct {
	RepositoryID int64                 `json:"repository_id"`
	Path         string                `json:"path"`
	Customer     pipeline.CustomerName `json:"customer"`
	At           time.Time             `json:"at"`
	// Accepted are the targets, as pipeline.Target.Part, that an operator gave to the repository
	// with this registration, where others of the name may be another one's; nil: it is no
	// such one.
	Accepted []string `json:"accepted,omitempty"`
}

// RegistrationsOf holds the registrations of all paths of a repository, a folder for each, and its
// renames.
func RegistrationsOf(repository int64) string {
	return fmt.Sprintf("%s%d/", Registrations, repository)
}

func registrationPrefix(c pipeline.Customer) string {
	return RegistrationsOf(c.RepositoryID) + pipeline.SHA256Hex([]byte(c.Path))[:32] + "/"
}

// RegistrationKey is the key of the numbered registration of a repository and path.
func RegistrationKey(c pipeline.Customer, number int) string {
	return fmt.Sprintf("%s%06d.json", registrationPrefix(c), number)
}

// LoadRegistration reads the last record for the path and the repository of a customer.
// number is 0 where there is none. One that was changed, moved here or made without the
// key is ErrTampered.
func LoadRegistration(ctx context.Context, s pipeline.Store, read record.Reader, c pipeline.Customer) (last Registration, number int, err error) {
	folder := registrationPrefix(c)
	keys, err := s.List(ctx, folder)
	if err != nil {
		return last, 0, fmt.Errorf("look for the registration of customer %s: %w", c.Name, err)
	}
	if len(keys) == 0 {
		return last, 0, nil
	}
	key := RegistrationKey(c, len(keys))
	last, err = LoadRegistrationAt(ctx, read, folder, key)
	if errors.Is(err, pipeline.ErrNotFound) { // there is another object among them
		err = fmt.Errorf("%s: %w: the records are not numbered without a gap", key, pipeline.ErrTampered)
	}
	return last, len(keys), err
}

// LoadRegistrationAt reads one registration: the one place where it is read. It must be of
// the repository and the path that its folder is made of, and name a customer.
func LoadRegistrationAt(ctx context.Context, read record.Reader, folder, key string) (Registration, error) {
	var r Registration
	if err := read.ReadRecord(ctx, record.PlanAttempt{Target: pipeline.Target{Customer: record.FleetName}}, key, &r); err != nil {
		return Registration{}, err
	}
	if registrationPrefix(pipeline.Customer{RepositoryID: r.RepositoryID, Path: r.Path}) != folder {
		return Registration{}, fmt.Errorf("%s: %w: it is of path %q of repository %d", key, pipeline.ErrTampered, r.Path, r.RepositoryID)
	}
	if _, err := pipeline.ParseCustomerName(string(r.Customer)); err != nil { // the name is printed in a command
		return Registration{}, fmt.Errorf("%s: %w: it names no customer: %w", key, pipeline.ErrTampered, err)
	}
	return r, nil
}

// CheckClaim is for a registration that cannot be verified with the keys at hand, which
// can only refuse: it must claim to be of the same name, and no rename record may claim
// that the customer has moved and is not back. A rename record alone refuses too, so that
// neither a rename that was stopped nor a registration that was removed lets the old name go
// on. The time that an unverified registration claims ends no rename record. The refusal names
// the object and shows nothing of it as a fact.
func CheckClaim(ctx context.Context, s pipeline.Store, c pipeline.Customer) error {
	read := record.UnverifiedReader{Store: s}
	claimed, number, err := LoadRegistration(ctx, s, read, c)
	if err != nil {
		return err
	}
	if number > 0 && claimed.Customer != c.Name {
		return &pipeline.RenamedError{Old: claimed.Customer, New: c, Claimed: RegistrationKey(c, number)}
	}
	return checkClaimedRename(ctx, read, c)
}

// checkClaimedRename is the part of CheckClaim about renames.
func checkClaimedRename(ctx context.Context, read record.UnverifiedReader, c pipeline.Customer) error {
	last, err := followed(ctx, read, c.RepositoryID, c.Name, time.Time{}, func(r RenameRecord) bool {
		return r.From != c.Name || r.Path == c.Path // its name may have been another path's before
	})
	if err != nil || last.To == c.Name {
		return err
	}
	return &pipeline.RenamedError{Old: last.To, New: c, Claimed: last.key}
}

// RegistrationError explains an error of reading the registration of c; nil for nil.
func RegistrationError(err error, c pipeline.Customer) error {
	if err == nil {
		return nil
	}
	var renamed *pipeline.RenamedError
	if errors.As(err, &renamed) {
		return err
	}
	return record.TamperedOr(err, fmt.Sprintf("the registration of customer %s below %s", c.Name, registrationPrefix(c)))
}

// CheckRegistered refuses a customer that is registered under another name: the error is
// a *RenamedError. One that is not registered yet passes. Without a sealer, as on a
// laptop, and under a key that is not at hand, a record can only refuse.
func CheckRegistered(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, c pipeline.Customer) error {
	if sealer == nil {
		return RegistrationError(CheckClaim(ctx, s, c), c)
	}
	r := record.Records{Store: s, Sealer: sealer}
	last, number, err := LoadRegistration(ctx, s, r, c)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return RegistrationError(CheckClaim(ctx, s, c), c)
	}
	if err == nil {
		err = NameRecords{Records: r}.SameName(ctx, c, last, number)
	}
	return RegistrationError(err, c)
}

// CheckRequested is CheckRegistered for a job of a request, which has no key of the fleet. number
// is that of the registration that fetch-vars has verified, 0 where the request does not say it.
// A newer one can only refuse.
func CheckRequested(ctx context.Context, s *record.View, c pipeline.Customer, number int) error {
	// One list for the registration and the renames, which lie beside it: s answers both from it.
	if _, err := s.List(ctx, RegistrationsOf(c.RepositoryID)); err != nil {
		return fmt.Errorf("look for the registrations of repository %d: %w", c.RepositoryID, err)
	}
	keys, err := s.List(ctx, registrationPrefix(c))
	if err != nil {
		return fmt.Errorf("look for the registration of customer %s: %w", c.Name, err)
	}
	if number == 0 || len(keys) != number {
		return RegistrationError(CheckClaim(ctx, s, c), c)
	}
	return RegistrationError(checkClaimedRename(ctx, record.UnverifiedReader{Store: s}, c), c)
}

// SameName compares a verified registration with the name of a customer; number is 0
// where there is none.
func (s NameRecords) SameName(ctx context.Context, c pipeline.Customer, last Registration, number int) error {
	if number > 0 && last.Customer != c.Name {
		return &pipeline.RenamedError{Old: last.Customer, New: c}
	}
	return s.notMoved(ctx, c, last.At, number)
}

// notMoved refuses a name that the states and records of its repository have left since its
// registration under any path, or ever where there is none: neither a registration that was
// removed nor another path brings old states back. A new path may have a name that was left
// without a state.
func (s NameRecords) notMoved(ctx context.Context, c pipeline.Customer, since time.Time, number int) error {
	now, _, err := follow(ctx, s, c.RepositoryID, c.Name, since)
	if err != nil || now == c.Name {
		return err
	}
	paths, err := s.paths(ctx, c.RepositoryID)
	if err != nil {
		return err
	}
	for _, r := range paths {
		if r.claimed == nil && r.Customer == c.Name && r.At.After(since) {
			since = r.At
		}
	}
	if now, _, err = follow(ctx, s, c.RepositoryID, c.Name, since); err != nil || now == c.Name || number > 0 {
		return movedTo(now, c, err)
	}
	if empty, err := s.Empty(ctx, c.Name); err != nil || empty {
		return err
	}
	return &pipeline.RenamedError{Old: now, New: c, Reused: true}
}

func movedTo(now pipeline.CustomerName, c pipeline.Customer, err error) error {
	if err != nil || now == c.Name {
		return err
	}
	return &pipeline.RenamedError{Old: now, New: c}
}

// Create writes registration number of a customer, sealed. One that is there already is
// pipeline.ErrExists.
func Create(ctx context.Context, s record.Records, c pipeline.Customer, number int, at time.Time) error {
	return createFor(ctx, s, c, number, at)
}

func createFor(ctx context.Context, s record.Records, c pipeline.Customer, number int, at time.Time, accepted ...string) error {
	stored := Registration{RepositoryID: c.RepositoryID, Path: c.Path, Customer: c.Name, At: at.UTC(), Accepted: accepted}
	if err := record.CreateFleet(ctx, s, RegistrationKey(c, number), stored); err != nil {
		return fmt.Errorf("register customer %s: %w", c.Name, err)
	}
	return nil
}

// RegisterAgain seals the registrations of c again where their key is not at hand: the
// operator has accepted what was built for the customer under this name. Those of its former
// paths go along, except where a path is another customer's now.
func RegisterAgain(ctx context.Context, s record.Records, c pipeline.Customer, now time.Time) error {
	_, number, err := LoadRegistration(ctx, s.Store, s, c)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		if err = CheckClaim(ctx, s.Store, c); err == nil {
			err = Create(ctx, s, c, number+1, now)
		}
	}
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return RegistrationError(err, c)
	}
	paths, err := pathsOf(ctx, s, c.RepositoryID)
	if err != nil {
		return RegistrationError(err, c)
	}
	for _, former := range paths {
		taken := slices.ContainsFunc(c.Siblings, func(other pipeline.Sibling) bool { return other.Path == former.Path })
		if former.claimed == nil || former.Customer != c.Name || former.Path == c.Path || taken {
			continue
		}
		of := c
		of.Path = former.Path
		if err := Create(ctx, s, of, former.number+1, now); err != nil && !errors.Is(err, pipeline.ErrExists) {
			return err
		}
	}
	return nil
}

// RegisterOwner registers a customer behind the registrations of other repositories under
// its name: an operator has decided that a target belongs to it.
func RegisterOwner(ctx context.Context, s record.Records, c pipeline.Customer, t pipeline.Target, now time.Time) error {
	last, number, err := LoadRegistration(ctx, s.Store, s, c)
	if err == nil {
		err = NameRecords{Records: s}.SameName(ctx, c, last, number)
	}
	if err != nil {
		return RegistrationError(err, c)
	}
	if err := createFor(ctx, s, c, number+1, now, t.Part()); !errors.Is(err, pipeline.ErrExists) {
		return err
	}
	return nil
}

// StoredCustomers are the names of customers that have records or states in the store,
// in ascending order.
func StoredCustomers(ctx context.Context, s pipeline.Store) ([]pipeline.CustomerName, error) {
	folders, err := s.Folders(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("look for customers in the store: %w", err)
	}
	var names []pipeline.CustomerName
	for _, folder := range folders {
		if name, err := pipeline.ParseCustomerName(strings.TrimSuffix(folder, "/")); err == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// StoredTargets are the targets of a customer that have a folder in the store, in ascending
// order of environment and stack.
func StoredTargets(ctx context.Context, s pipeline.Store, c pipeline.CustomerName) ([]pipeline.Target, error) {
	folders, err := s.Folders(ctx, string(c)+"/")
	if err != nil {
		return nil, fmt.Errorf("look for targets of %s in the store: %w", c, err)
	}
	var targets []pipeline.Target
	for _, folder := range folders {
		switch folder {
		case "requests/", "pulls/", "ledger/": // no environment can have these names
			continue
		}
		if t, err := c.ParsePart(strings.TrimSuffix(folder, "/")); err == nil {
			targets = append(targets, t)
		}
	}
	slices.SortFunc(targets, func(a, b pipeline.Target) int {
		return cmp.Or(cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Stack, b.Stack))
	})
	return targets, nil
}
