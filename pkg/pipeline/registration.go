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

// registrations lie under the fleet's root and not under a customer's: the path of a
// repository keeps its records when the customer's file has another name.
const registrations = "_metapipe/customers/"

// registration says which customer a path of a repository is. Records are numbered and
// write-once, and the last one counts: the first one is of fetch-vars.
type registration struct {
	RepositoryID int64        `json:"repository_id"`
	Path         string       `json:"path"`
	Customer     CustomerName `json:"customer"`
	At           time.Time    `json:"at"`
}

func registrationPrefix(c Customer) string {
	return fmt.Sprintf("%s%d/%s/", registrations, c.RepositoryID, sha256Hex([]byte(c.Path))[:32])
}

func registrationKey(c Customer, number int) string {
	return fmt.Sprintf("%s%06d.json", registrationPrefix(c), number)
}

// RenamedError says that the path of a repository belongs to another customer's name.
// Its states and records lie under that name: a plan would build all a second time.
type RenamedError struct {
	Old CustomerName
	New Customer
	// taken: the states under the new name are those of this repository. Old is empty.
	taken int64
	// left: Old has no file, and its states are of another path of the same repository.
	left *evidence
}

func (e *RenamedError) Error() string {
	return withNext(e.what(), e.Operator(), nil)
}

// Unwrap is what commands that plan without a request refuse with.
func (e *RenamedError) Unwrap() error {
	return &RefusedError{Reason: ReasonRenamed, Message: e.what(), Next: providerNext, Operator: e.Operator()}
}

func (e *RenamedError) what() string {
	if e.taken != 0 {
		return fmt.Sprintf("the states under the name %q are those of another repository (id %d): a plan of %s would change them", e.New.Name, e.taken, e.New.place())
	}
	if e.left != nil {
		return fmt.Sprintf("%s is new, and the states of customer %q, which has no file any more, are of path %q of the same repository: where both are one customer, a plan would build everything a second time", e.New.place(), e.Old, e.left.path)
	}
	return fmt.Sprintf("%s is registered as customer %q, and %s names it %q: a plan would build everything a second time", e.New.place(), e.Old, e.New.File, e.New.Name)
}

// Operator says what the operator does about it.
func (e *RenamedError) Operator() string {
	if e.taken != 0 {
		return fmt.Sprintf("give this customer another name; or move the other one first (`metapipe customer rename %s NEW`), and then move away what is left below %s/ in the store", e.New.Name, e.New.Name)
	}
	if e.left != nil {
		return fmt.Sprintf("change one thing at a time: give %s the old path (`path: %s`), run `metapipe customer rename %s %s --apply`, deploy once, and change the path then. Where both are not one customer, give %s its file (%s.yml) back, and end it first where it is of no use any more", e.New.File, e.left.path, e.Old, e.New.Name, e.Old, e.Old)
	}
	return fmt.Sprintf("give the file its old name (%s.yml), or move everything to the new one: `metapipe customer rename %s %s`", e.Old, e.Old, e.New.Name)
}

// place is what a customer is known by, whatever its name.
func (c Customer) place() string {
	return fmt.Sprintf("path %q of repository %s (id %d)", c.Path, c.Repository, c.RepositoryID)
}

// loadRegistration reads the last record for the path and the repository of a customer.
// number is 0 where there is none. One that was changed, moved here or made without the
// key is ErrTampered.
func loadRegistration(ctx context.Context, s Store, read reader, c Customer) (last registration, number int, err error) {
	folder := registrationPrefix(c)
	keys, err := s.List(ctx, folder)
	if err != nil {
		return last, 0, fmt.Errorf("look for the registration of customer %s: %w", c.Name, err)
	}
	if len(keys) == 0 {
		return last, 0, nil
	}
	key := registrationKey(c, len(keys))
	last, err = loadRegistrationAt(ctx, read, folder, key)
	if errors.Is(err, ErrNotFound) { // there is another object among them
		err = fmt.Errorf("%s: %w: the records are not numbered without a gap", key, ErrTampered)
	}
	return last, len(keys), err
}

// loadRegistrationAt reads one registration: the one place where it is read. It must be of
// the repository and the path that its folder is made of, and name a customer.
func loadRegistrationAt(ctx context.Context, read reader, folder, key string) (registration, error) {
	var r registration
	if err := read.read(ctx, planAttempt{customer: fleet}, key, &r); err != nil {
		return registration{}, err
	}
	if registrationPrefix(Customer{RepositoryID: r.RepositoryID, Path: r.Path}) != folder {
		return registration{}, fmt.Errorf("%s: %w: it is of path %q of repository %d", key, ErrTampered, r.Path, r.RepositoryID)
	}
	if _, err := ParseCustomerName(string(r.Customer)); err != nil { // the name is printed in a command
		return registration{}, fmt.Errorf("%s: %w: it names no customer: %w", key, ErrTampered, err)
	}
	return r, nil
}

// checkClaim is for a registration that cannot be verified with the keys at hand, which
// can only refuse: it must claim to be of the same name.
func checkClaim(ctx context.Context, s Store, c Customer) error {
	claimed, number, err := loadRegistration(ctx, s, unverified{s}, c)
	if err == nil && number > 0 && claimed.Customer != c.Name {
		return &RenamedError{Old: claimed.Customer, New: c}
	}
	return err
}

func registrationError(err error, c Customer) error {
	if err == nil {
		return nil
	}
	var renamed *RenamedError
	if errors.As(err, &renamed) {
		return err
	}
	return tamperedOr(err, fmt.Sprintf("the registration of customer %s below %s", c.Name, registrationPrefix(c)))
}

// CheckRegistered refuses a customer that is registered under another name: the error is
// a *RenamedError. One that is not registered yet passes. Without a sealer, as on a
// laptop, and under a key that is not at hand, a record can only refuse.
func CheckRegistered(ctx context.Context, s Store, sealer Sealer, c Customer) error {
	if sealer == nil {
		return registrationError(checkClaim(ctx, s, c), c)
	}
	r := records{s, sealer}
	last, number, err := loadRegistration(ctx, s, r, c)
	if errors.Is(err, ErrUnknownKey) {
		return registrationError(checkClaim(ctx, s, c), c)
	}
	if err == nil {
		err = nameRecords{r}.sameName(ctx, c, last, number)
	}
	return registrationError(err, c)
}

// sameName compares a verified registration with the name of a customer; number is 0
// where there is none.
func (s nameRecords) sameName(ctx context.Context, c Customer, last registration, number int) error {
	if number > 0 && last.Customer != c.Name {
		return &RenamedError{Old: last.Customer, New: c}
	}
	return s.notMoved(ctx, c, last.At)
}

// notMoved refuses a name that the states and records of its place have left since its
// registration, or ever where there is none: a registration that was removed brings no
// old states back.
func (s nameRecords) notMoved(ctx context.Context, c Customer, since time.Time) error {
	now, err := follow(ctx, s, c.Name, since, func(r renameRecord) bool { return r.of(c) })
	if err == nil && now != c.Name {
		return &RenamedError{Old: now, New: c}
	}
	return err
}

// register writes down which customer a path of a repository is, before its first
// request, and again where that is recorded under a key that is not at hand. Where the
// store knows another name, it is a *RenamedError.
func (f *FetchVars) register(ctx context.Context, c Customer) error {
	last, number, err := loadRegistration(ctx, f.Store, f.records(), c)
	unknown := errors.Is(err, ErrUnknownKey)
	if unknown {
		err = checkClaim(ctx, f.Store, c)
		last = registration{Customer: c.Name} // it claims to be of this name
	}
	if err == nil {
		err = nameRecords{f.records()}.sameName(ctx, c, last, number)
	}
	if err != nil || number > 0 && !unknown {
		return registrationError(err, c)
	}
	former, err := nameRecords{f.records()}.nameByApplies(ctx, c)
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
	record := registration{RepositoryID: c.RepositoryID, Path: c.Path, Customer: c.Name, At: f.Now().UTC()}
	err = createFleet(ctx, f.records(), registrationKey(c, number+1), record)
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
	own, found, err := nameRecords{f.records()}.evidence(ctx, c.Name, c)
	if err != nil || !found || own.repositoryID == c.RepositoryID {
		return err
	}
	others := f.Customers.ByRepository(own.repositoryID)
	taken := slices.ContainsFunc(others, func(o Customer) bool { return o.Name != c.Name && own.of(o) })
	if !taken {
		all, err := loadRenames(ctx, f.records(), c.Name)
		if err != nil {
			return registrationError(err, c)
		}
		taken = slices.ContainsFunc(all, func(r renameRecord) bool { return r.RepositoryID == own.repositoryID })
	}
	if taken {
		return &RenamedError{New: c, taken: own.repositoryID}
	}
	return nil
}

// registerAgain seals the registration again where its key is not at hand: the operator
// has accepted what was built for the customer under this name.
func registerAgain(ctx context.Context, s records, c Customer, now time.Time) error {
	_, number, err := loadRegistration(ctx, s.Store, s, c)
	if !errors.Is(err, ErrUnknownKey) {
		return registrationError(err, c)
	}
	if err := checkClaim(ctx, s.Store, c); err != nil {
		return registrationError(err, c)
	}
	record := registration{RepositoryID: c.RepositoryID, Path: c.Path, Customer: c.Name, At: now.UTC()}
	if err := createFleet(ctx, s, registrationKey(c, number+1), record); err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("register customer %s: %w", c.Name, err)
	}
	return nil
}

// registered registers the customer of a request whose origin is proved. One that has
// another name in the store gets an answer, and nothing is planned.
func (f *FetchVars) registered(ctx context.Context, from *origin) (*RenamedError, error) {
	err := f.register(ctx, from.customer)
	var renamed *RenamedError
	if errors.As(err, &renamed) {
		from.rejection = renamed.answer(path.Join(from.customer.Path, VariablesFile))
		return renamed, nil
	}
	return nil, err
}

// answer is the answer to the customer: nothing is wrong on that side.
func (e *RenamedError) answer(file string) *RejectedError {
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
