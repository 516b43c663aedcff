package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Registrations lie under the fleet's root and not under a customer's: the path of a
// repository keeps its records when the customer's file has another name.
const Registrations = "_metapipe/customers/"

// Registration says which customer a path of a repository is. Records are numbered and
// write-once, and the last one counts: the first one is of fetch-vars.
type Registration struct {
	RepositoryID int64        `json:"repository_id"`
	Path         string       `json:"path"`
	Customer     CustomerName `json:"customer"`
	At           time.Time    `json:"at"`
}

func registrationPrefix(c Customer) string {
	return fmt.Sprintf("%s%d/%s/", Registrations, c.RepositoryID, Sha256Hex([]byte(c.Path))[:32])
}

func RegistrationKey(c Customer, number int) string {
	return fmt.Sprintf("%s%06d.json", registrationPrefix(c), number)
}

// RenamedError says that the path of a repository belongs to another customer's name.
// Its states and records lie under that name: a plan would build all a second time.
type RenamedError struct {
	Old CustomerName
	New Customer
	// Taken: the states under the new name are those of this repository. Old is empty.
	Taken int64
	// Left: Old has no file, and its states are of another path of the same repository.
	Left *Evidence
}

func (e *RenamedError) Error() string {
	return withNext(e.What(), e.Operator(), nil)
}

// Unwrap is what commands that plan without a request refuse with.
func (e *RenamedError) Unwrap() error {
	return &RefusedError{Reason: ReasonRenamed, Message: e.What(), Next: ProviderNext, Operator: e.Operator()}
}

func (e *RenamedError) What() string {
	if e.Taken != 0 {
		return fmt.Sprintf("the states under the name %q are those of another repository (id %d): a plan of %s would change them", e.New.Name, e.Taken, e.New.Place())
	}
	if e.Left != nil {
		return fmt.Sprintf("%s is new, and the states of customer %q, which has no file any more, are of path %q of the same repository: where both are one customer, a plan would build everything a second time", e.New.Place(), e.Old, e.Left.Path)
	}
	return fmt.Sprintf("%s is registered as customer %q, and %s names it %q: a plan would build everything a second time", e.New.Place(), e.Old, e.New.File, e.New.Name)
}

// Operator says what the operator does about it.
func (e *RenamedError) Operator() string {
	if e.Taken != 0 {
		return fmt.Sprintf("give this customer another name; or move the other one first (`metapipe customer rename %s NEW`), and then move away what is left below %s/ in the store", e.New.Name, e.New.Name)
	}
	if e.Left != nil {
		return fmt.Sprintf("change one thing at a time: give %s the old path (`path: %s`), run `metapipe customer rename %s %s --apply`, deploy once, and change the path then. Where both are not one customer, give %s its file (%s.yml) back, and end it first where it is of no use any more", e.New.File, e.Left.Path, e.Old, e.New.Name, e.Old, e.Old)
	}
	return fmt.Sprintf("give the file its old name (%s.yml), or move everything to the new one: `metapipe customer rename %s %s`", e.Old, e.Old, e.New.Name)
}

// Place is what a customer is known by, whatever its name.
func (c Customer) Place() string {
	return fmt.Sprintf("path %q of repository %s (id %d)", c.Path, c.Repository, c.RepositoryID)
}

// LoadRegistration reads the last record for the path and the repository of a customer.
// number is 0 where there is none. One that was changed, moved here or made without the
// key is ErrTampered.
func LoadRegistration(ctx context.Context, s Store, read Reader, c Customer) (last Registration, number int, err error) {
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
	if errors.Is(err, ErrNotFound) { // there is another object among them
		err = fmt.Errorf("%s: %w: the records are not numbered without a gap", key, ErrTampered)
	}
	return last, len(keys), err
}

// LoadRegistrationAt reads one Registration: the one place where it is read. It must be of
// the repository and the path that its folder is made of, and name a customer.
func LoadRegistrationAt(ctx context.Context, read Reader, folder, key string) (Registration, error) {
	var r Registration
	if err := read.ReadRecord(ctx, PlanAttempt{Customer: FleetName}, key, &r); err != nil {
		return Registration{}, err
	}
	if registrationPrefix(Customer{RepositoryID: r.RepositoryID, Path: r.Path}) != folder {
		return Registration{}, fmt.Errorf("%s: %w: it is of path %q of repository %d", key, ErrTampered, r.Path, r.RepositoryID)
	}
	if _, err := ParseCustomerName(string(r.Customer)); err != nil { // the name is printed in a command
		return Registration{}, fmt.Errorf("%s: %w: it names no customer: %w", key, ErrTampered, err)
	}
	return r, nil
}

// CheckClaim is for a Registration that cannot be verified with the keys at hand, which
// can only refuse: it must claim to be of the same name.
func CheckClaim(ctx context.Context, s Store, c Customer) error {
	claimed, number, err := LoadRegistration(ctx, s, UnverifiedRecord{Store: s}, c)
	if err == nil && number > 0 && claimed.Customer != c.Name {
		return &RenamedError{Old: claimed.Customer, New: c}
	}
	return err
}

func RegistrationError(err error, c Customer) error {
	if err == nil {
		return nil
	}
	var renamed *RenamedError
	if errors.As(err, &renamed) {
		return err
	}
	return TamperedOr(err, fmt.Sprintf("the registration of customer %s below %s", c.Name, registrationPrefix(c)))
}

// CheckRegistered refuses a customer that is registered under another name: the error is
// a *RenamedError. One that is not registered yet passes. Without a sealer, as on a
// laptop, and under a key that is not at hand, a record can only refuse.
func CheckRegistered(ctx context.Context, s Store, sealer Sealer, c Customer) error {
	if sealer == nil {
		return RegistrationError(CheckClaim(ctx, s, c), c)
	}
	r := Records{Store: s, Sealer: sealer}
	last, number, err := LoadRegistration(ctx, s, r, c)
	if errors.Is(err, ErrUnknownKey) {
		return RegistrationError(CheckClaim(ctx, s, c), c)
	}
	if err == nil {
		err = NameRecords{Records: r}.SameName(ctx, c, last, number)
	}
	return RegistrationError(err, c)
}

// SameName compares a verified Registration with the name of a customer; number is 0
// where there is none.
func (s NameRecords) SameName(ctx context.Context, c Customer, last Registration, number int) error {
	if number > 0 && last.Customer != c.Name {
		return &RenamedError{Old: last.Customer, New: c}
	}
	return s.notMoved(ctx, c, last.At)
}

// notMoved refuses a name that the states and records of its place have left since its
// Registration, or ever where there is none: a Registration that was removed brings no
// old states back.
func (s NameRecords) notMoved(ctx context.Context, c Customer, since time.Time) error {
	now, err := follow(ctx, s, c.Name, since, func(r RenameRecord) bool { return r.of(c) })
	if err == nil && now != c.Name {
		return &RenamedError{Old: now, New: c}
	}
	return err
}

// Register writes down which customer a path of a repository is, before its first
// request, and again where that is recorded under a key that is not at hand. Where the
// store knows another name, it is a *RenamedError.
func (f *FetchVars) Register(ctx context.Context, c Customer) error {
	last, number, err := LoadRegistration(ctx, f.Store, f.records(), c)
	unknown := errors.Is(err, ErrUnknownKey)
	if unknown {
		err = CheckClaim(ctx, f.Store, c)
		last = Registration{Customer: c.Name} // it claims to be of this name
	}
	if err == nil {
		err = NameRecords{Records: f.records()}.SameName(ctx, c, last, number)
	}
	if err != nil || number > 0 && !unknown {
		return RegistrationError(err, c)
	}
	former, err := NameRecords{Records: f.records()}.NameByApplies(ctx, c)
	if err != nil {
		return err
	}
	if former != "" && former != c.Name {
		return &RenamedError{Old: former, New: c}
	}
	if err := f.nameIsFree(ctx, c); err != nil {
		return err
	}
	if number == 0 {
		if err := f.noneLeft(ctx, c); err != nil {
			return err
		}
	}
	stored := Registration{RepositoryID: c.RepositoryID, Path: c.Path, Customer: c.Name, At: f.Now().UTC()}
	err = CreateFleet(ctx, f.records(), RegistrationKey(c, number+1), stored)
	if errors.Is(err, ErrExists) { // another run was quicker
		return CheckRegistered(ctx, f.Store, f.Sealer, c)
	}
	if err != nil {
		return fmt.Errorf("register customer %s: %w", c.Name, err)
	}
	return nil
}

// nameIsFree refuses a new customer under a name whose states are those of another one
// that has a file of its own by now, or whose states were copied to another name: its
// plan would change what is not its own.
func (f *FetchVars) nameIsFree(ctx context.Context, c Customer) error {
	own, found, err := NameRecords{Records: f.records()}.Evidence(ctx, c.Name, c)
	if err != nil || !found || own.RepositoryID == c.RepositoryID {
		return err
	}
	others := f.Customers.ByRepository(own.RepositoryID)
	taken := slices.ContainsFunc(others, func(o Customer) bool { return o.Name != c.Name && own.Of(o) })
	if !taken {
		all, err := LoadRenames(ctx, f.records(), c.Name)
		if err != nil {
			return RegistrationError(err, c)
		}
		taken = slices.ContainsFunc(all, func(r RenameRecord) bool { return r.RepositoryID == own.RepositoryID })
	}
	if taken {
		return &RenamedError{New: c, Taken: own.RepositoryID}
	}
	return nil
}

// RegisterAgain seals the Registration again where its key is not at hand: the operator
// has accepted what was built for the customer under this name.
func RegisterAgain(ctx context.Context, s Records, c Customer, now time.Time) error {
	_, number, err := LoadRegistration(ctx, s.Store, s, c)
	if !errors.Is(err, ErrUnknownKey) {
		return RegistrationError(err, c)
	}
	if err := CheckClaim(ctx, s.Store, c); err != nil {
		return RegistrationError(err, c)
	}
	stored := Registration{RepositoryID: c.RepositoryID, Path: c.Path, Customer: c.Name, At: now.UTC()}
	if err := CreateFleet(ctx, s, RegistrationKey(c, number+1), stored); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("register customer %s: %w", c.Name, err)
	}
	return nil
}

// registered registers the customer of a request whose origin is proved. One that has
// another name in the store gets an answer, and nothing is planned.
func (f *FetchVars) registered(ctx context.Context, from *origin) (*RenamedError, error) {
	err := f.Register(ctx, from.customer)
	var renamed *RenamedError
	if errors.As(err, &renamed) {
		from.rejection = renamed.Answer(path.Join(from.customer.Path, VariablesFile))
		return renamed, nil
	}
	return nil, err
}

// Answer is the answer to the customer: nothing is wrong on that side.
func (e *RenamedError) Answer(file string) *RejectedError {
	return &RejectedError{Reason: ReasonRenamed, Problems: Problems{{Position: Position{File: file}, Rule: string(ReasonRenamed),
		Message: "nothing was planned and nothing was applied: the provider keeps your infrastructure under another name", Remedy: "nothing to do for you: the provider corrects the name and starts the deployment again"}}}
}

// StoredCustomers are the names of customers that have records or states in the store,
// in ascending order.
func StoredCustomers(ctx context.Context, s Store) ([]CustomerName, error) {
	folders, err := s.Folders(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("look for customers in the store: %w", err)
	}
	var names []CustomerName
	for _, folder := range folders {
		if name, err := ParseCustomerName(strings.TrimSuffix(folder, "/")); err == nil {
			names = append(names, name)
		}
	}
	return names, nil
}

// InPromotionOrder sorts environments as metapipe.yml does. Those that it does not name
// come last, in the order that they had.
func (m Manager) InPromotionOrder(envs []Environment) []Environment {
	place := func(env Environment) int {
		if i := slices.IndexFunc(m.Environments, func(r EnvironmentRule) bool { return r.Name == env }); i >= 0 {
			return i
		}
		return len(m.Environments)
	}
	sorted := slices.Clone(envs)
	slices.SortStableFunc(sorted, func(a, b Environment) int { return place(a) - place(b) })
	return sorted
}

// StoredEnvironments are the environments of a customer that have a folder in the store,
// in ascending order.
func StoredEnvironments(ctx context.Context, s Store, c CustomerName) ([]Environment, error) {
	folders, err := s.Folders(ctx, string(c)+"/")
	if err != nil {
		return nil, fmt.Errorf("look for environments of %s in the store: %w", c, err)
	}
	var envs []Environment
	for _, folder := range folders {
		switch folder {
		case "requests/", "pulls/", "ledger/": // no environment can have these names
			continue
		}
		if env, err := ParseEnvironment(strings.TrimSuffix(folder, "/")); err == nil {
			envs = append(envs, env)
		}
	}
	return envs, nil
}
