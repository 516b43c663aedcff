package registry

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// renames is the folder beside the registrations of a repository for its renames, by the old
// name: they say where the states and records of that name have moved. So one list shows whether
// anything is known of a customer but its registration.
const renames = "renamed/"

// RenameRecord says that the customer of a place has another name since At. Records are
// numbered and write-once.
type RenameRecord struct {
	RepositoryID int64                 `json:"repository_id"`
	Path         string                `json:"path"`
	From         pipeline.CustomerName `json:"from"`
	To           pipeline.CustomerName `json:"to"`
	Actor        string                `json:"actor,omitempty"`
	Run          pipeline.Run          `json:"run,omitzero"`
	At           time.Time             `json:"at"`
	key          string                // of its object
}

func renamePrefix(repository int64, from pipeline.CustomerName) string {
	return RegistrationsOf(repository) + renames + string(from) + "/"
}

func renameKey(repository int64, from pipeline.CustomerName, number int) string {
	return fmt.Sprintf("%s%06d.json", renamePrefix(repository, from), number)
}

// RenameOf reads the repository and the old name out of the key of a record of a rename; false
// for a key of another form.
func RenameOf(key string) (repository int64, from pipeline.CustomerName, is bool) {
	parts := strings.Split(strings.TrimPrefix(key, Registrations), "/")
	if len(parts) != 4 || parts[1]+"/" != renames || !strings.HasPrefix(key, Registrations) {
		return 0, "", false
	}
	repository, err := strconv.ParseInt(parts[0], 10, 64)
	from, nameErr := pipeline.ParseCustomerName(parts[2])
	return repository, from, err == nil && nameErr == nil && strings.HasPrefix(key, renamePrefix(repository, from))
}

// nextNumber is the number of the next record behind all, in ascending order. An operator
// may have removed some.
func nextNumber(all []RenameRecord) int {
	if len(all) == 0 {
		return 1
	}
	last := all[len(all)-1]
	name, _, _ := strings.Cut(path.Base(last.key), ".")
	number, err := strconv.Atoi(name)
	if err != nil {
		return len(all) + 1
	}
	return number + 1
}

// rekeyed stands in the names of records that were sealed again. It sorts behind ".json",
// so that they come after the record that they were made of.
const rekeyed = ".rekeyed-"

// AgainKey is the key of a record of a rename that is sealed again.
func AgainKey(key string, at time.Time) string {
	base, _, _ := strings.Cut(strings.TrimSuffix(key, ".json"), rekeyed)
	return base + rekeyed + at.UTC().Format(record.LastApplyTimes) + ".json"
}

// NewestOf leaves the last key of each number: a record that was sealed again lies behind
// the one that it was made of.
func NewestOf(prefix string, keys []string) []string {
	var newest []string
	number := func(key string) string {
		n, _, _ := strings.Cut(strings.TrimPrefix(key, prefix), ".")
		return n
	}
	for i, key := range keys {
		if i+1 == len(keys) || number(keys[i+1]) != number(key) {
			newest = append(newest, key)
		}
	}
	return newest
}

// LoadRenames reads the records about a name that a customer of a repository had, oldest first:
// the one place where they are read. One that was changed, moved here or made without the key is
// ErrTampered.
func LoadRenames(ctx context.Context, read record.Reader, repository int64, from pipeline.CustomerName) ([]RenameRecord, error) {
	keys, err := read.List(ctx, renamePrefix(repository, from))
	if err != nil {
		return nil, fmt.Errorf("look for the new name of customer %s: %w", from, err)
	}
	keys = NewestOf(renamePrefix(repository, from), keys)
	all := make([]RenameRecord, len(keys))
	for i, key := range keys {
		if all[i], err = LoadRename(ctx, read, key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// LoadRename reads one record of a rename, which must be of the repository and the name that its
// key says.
func LoadRename(ctx context.Context, read record.Reader, key string) (RenameRecord, error) {
	repository, from, _ := RenameOf(key)
	var r RenameRecord
	if err := read.ReadRecord(ctx, record.PlanAttempt{Target: pipeline.Target{Customer: record.FleetName}}, key, &r); err != nil {
		return RenameRecord{}, err
	}
	if _, err := pipeline.ParseCustomerName(string(r.To)); err != nil || r.From != from || r.RepositoryID != repository {
		return RenameRecord{}, fmt.Errorf("%s: %w: it is of customer %q of repository %d", key, pipeline.ErrTampered, pipeline.PlainLine(string(r.From)), r.RepositoryID)
	}
	r.key = key
	return r, nil
}

// follow returns the name that a customer of a repository has after all renames that came later
// than since, and the time of the last one, or since. The paths of the renames are of no matter: a
// name is of one customer of a repository at a time, and may have had several paths.
func follow(ctx context.Context, read record.Reader, repository int64, name pipeline.CustomerName, since time.Time) (pipeline.CustomerName, time.Time, error) {
	last, err := followed(ctx, read, repository, name, since, func(RenameRecord) bool { return true })
	return last.To, last.At, err
}

// followed is follow for the records that fit, and returns the last rename. Where there was none,
// it has no key, the name in To and since in At.
func followed(ctx context.Context, read record.Reader, repository int64, name pipeline.CustomerName, since time.Time, fits func(RenameRecord) bool) (RenameRecord, error) {
	last := RenameRecord{To: name, At: since}
	for {
		all, err := LoadRenames(ctx, read, repository, last.To)
		if err != nil {
			return last, err
		}
		all = slices.DeleteFunc(all, func(r RenameRecord) bool { return !fits(r) || !r.At.After(last.At) })
		if len(all) == 0 {
			return last, nil
		}
		last = slices.MaxFunc(all, func(a, b RenameRecord) int { return a.At.Compare(b.At) }) // later each time: it ends
	}
}

// RenamedTo is the name that the states of a customer without a file have moved to, empty
// where they have not. Without a sealer nothing is verified: it is for showing.
func RenamedTo(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, name pipeline.CustomerName) (pipeline.CustomerName, error) {
	var read record.Reader = record.UnverifiedReader{Store: s}
	if sealer != nil {
		read = record.Records{Store: s, Sealer: sealer}
	}
	now, err := renamedTo(ctx, read, name)
	if err != nil {
		return "", record.TamperedOr(err, fmt.Sprintf("the record below %s*/%s%s/ that says where customer %s has moved", Registrations, renames, name, name))
	}
	if now == name {
		return "", nil
	}
	return now, nil
}

// renamedTo follows the last rename of a name, which may have been of customers of several
// repositories; it is name where there was none.
func renamedTo(ctx context.Context, read record.Reader, name pipeline.CustomerName) (pipeline.CustomerName, error) {
	keys, err := read.List(ctx, Registrations)
	if err != nil {
		return "", fmt.Errorf("look for the new name of customer %s: %w", name, err)
	}
	last := RenameRecord{To: name}
	var repositories []int64
	for _, key := range keys {
		repository, from, is := RenameOf(key)
		if !is || from != name || slices.Contains(repositories, repository) {
			continue
		}
		repositories = append(repositories, repository)
		all, err := LoadRenames(ctx, read, repository, name)
		if err != nil {
			return "", err
		}
		for _, r := range all {
			if r.At.After(last.At) {
				last = r
			}
		}
	}
	if len(repositories) == 0 {
		return name, nil
	}
	now, _, err := follow(ctx, read, last.RepositoryID, last.To, last.At)
	return now, err
}

// NameSince is the name that the place of c has after all renames that began at name, which
// is name itself where there was none. Renames of other places do not count.
func (s NameRecords) NameSince(ctx context.Context, name pipeline.CustomerName, c pipeline.Customer) (pipeline.CustomerName, error) {
	now, _, err := follow(ctx, s, c.RepositoryID, name, time.Time{})
	return now, err
}

// known is what the store says about the place of a customer.
type known struct {
	name pipeline.CustomerName // empty: nothing
	// registered is the name of the last registration, number its number; 0: there is none.
	registered pipeline.CustomerName
	number     int
	since      time.Time // of the last record about the name; zero: there is none
	// unread are the keys of the records that claim a rename of the customer to its name,
	// under a key that is not at hand.
	unread []string
}

// knownAs finds the name of a customer's place: the registration, or the records of the
// last applies where there is none, and what was renamed since.
func (s NameRecords) knownAs(ctx context.Context, c pipeline.Customer) (known, error) {
	last, number, err := LoadRegistration(ctx, s.Store, s, c)
	if err != nil {
		return known{number: number}, err
	}
	k := known{name: last.Customer, registered: last.Customer, number: number}
	if number == 0 {
		if k.name, err = s.NameByApplies(ctx, c); err != nil || k.name == "" {
			return k, err
		}
	}
	k.name, k.since, err = follow(ctx, s, c.RepositoryID, k.name, last.At)
	return k, err
}

// NameByApplies is the name whose records of the last applies are of the place of c.
func (s NameRecords) NameByApplies(ctx context.Context, c pipeline.Customer) (pipeline.CustomerName, error) {
	own, found, err := s.Evidence(ctx, c.Name, c)
	if err != nil {
		return "", err
	}
	if found && own.Of(c) {
		return c.Name, nil
	}
	return s.formerName(ctx, c)
}
