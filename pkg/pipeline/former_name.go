package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// formerReaders is how many names of the store are looked at together.
const formerReaders = 16

// Evidence is what the records of a name say about where it deploys from.
type Evidence struct {
	RepositoryID int64
	Path         string // empty: no record says it
}

func (e Evidence) Of(c Customer) bool {
	return e.RepositoryID == c.RepositoryID && (e.Path == c.Path || e.Path == "")
}

// NameRecords finds the names of a customer in the records of the store.
type NameRecords struct{ Records }

// formerName is the name in the store whose records are of the path and the repository
// of a customer that is not registered yet; empty where there is none. Its own name is
// looked at before.
func (s NameRecords) formerName(ctx context.Context, c Customer) (CustomerName, error) {
	names, err := StoredCustomers(ctx, s)
	if err != nil {
		return "", err
	}
	former, _, err := s.FirstName(ctx, names, c, func(_ CustomerName, e Evidence) (bool, error) { return e.Of(c), nil })
	return former, err
}

// FirstName is the first one of names, in their order, with records that fit; empty where
// there is none. The name of c is not looked at.
func (s NameRecords) FirstName(ctx context.Context, names []CustomerName, c Customer, fits func(CustomerName, Evidence) (bool, error)) (CustomerName, Evidence, error) {
	var work sync.WaitGroup
	slots, found := make(chan struct{}, formerReaders), make([]bool, len(names))
	all, failed := make([]Evidence, len(names)), make([]error, len(names))
	for i, name := range names {
		if name == c.Name {
			continue
		}
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			if all[i], found[i], failed[i] = s.Evidence(ctx, name, c); failed[i] == nil && found[i] {
				found[i], failed[i] = fits(name, all[i])
			}
		})
	}
	work.Wait()
	if err := errors.Join(failed...); err != nil {
		return "", Evidence{}, err
	}
	if i := slices.Index(found, true); i >= 0 {
		return names[i], all[i], nil
	}
	return "", Evidence{}, nil
}

// noneLeft refuses a new path of a repository while a customer without a file has states
// of another path of it: its file may have changed its name and its path at once. One that
// was ended, or moved to another name, has none. A new repository shows nothing of that.
func (f *FetchVars) noneLeft(ctx context.Context, c Customer) error {
	s := f.records()
	own, found, err := NameRecords{Records: s}.Evidence(ctx, c.Name, c)
	if err != nil || found && own.RepositoryID == c.RepositoryID { // only its path has changed
		return err
	}
	names, err := StoredCustomers(ctx, f.Store)
	if err != nil {
		return err
	}
	names = slices.DeleteFunc(names, func(name CustomerName) bool {
		_, registered := f.Customers.Customer(name)
		return registered
	})
	name, left, err := NameRecords{Records: s}.FirstName(ctx, names, c, func(name CustomerName, e Evidence) (bool, error) {
		if e.RepositoryID != c.RepositoryID {
			return false, nil
		}
		if now, err := RenamedTo(ctx, s.Store, s.Sealer, name); err != nil || now != "" {
			return false, err
		}
		empty, err := NameRecords{Records: s}.Empty(ctx, name)
		return !empty, err
	})
	if err != nil || name == "" {
		return err
	}
	return &RenamedError{Old: name, New: c, Left: &left}
}

// Empty reports whether every target of a name was ended, or accepted as one without a
// state, and has had no apply since.
func (s NameRecords) Empty(ctx context.Context, name CustomerName) (bool, error) {
	envs, err := StoredEnvironments(ctx, s, name)
	if err != nil {
		return false, err
	}
	for _, env := range envs {
		known, err := Remember(ctx, s.Records, name, env)
		if err != nil {
			return false, err
		}
		if !known.Destroyed() && slices.ContainsFunc(known.Left(), func(l Left) bool { return !l.None() }) {
			return false, nil
		}
	}
	return true, nil
}

// Evidence reads what the records of the last applies of a name say. One that cannot be
// believed and may be of c is an error: it must not make a renamed customer look new.
func (s NameRecords) Evidence(ctx context.Context, name CustomerName, c Customer) (best Evidence, found bool, err error) {
	envs, err := StoredEnvironments(ctx, s, name)
	if err != nil {
		return Evidence{}, false, err
	}
	for _, env := range envs {
		e, ok, err := s.appliedFrom(ctx, name, env, c)
		if err != nil {
			return Evidence{}, false, err
		}
		if ok && (!found || e.Of(c)) {
			best, found = e, true
		}
	}
	return best, found, nil
}

// appliedFrom reads the record of the last apply of a target.
func (s NameRecords) appliedFrom(ctx context.Context, name CustomerName, env Environment, c Customer) (Evidence, bool, error) {
	stored, found, err := LoadLastApply(ctx, s.Records, name, env)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return s.claimedFrom(ctx, name, env, c, err)
	case err != nil:
		return Evidence{}, false, TamperedOr(err, fmt.Sprintf("the record of the last apply of %s, which may be of customer %s under a former name,", TargetName(name, env), c.Name))
	case !found:
		return Evidence{}, false, nil
	}
	return Evidence{RepositoryID: stored.Receipt.RepositoryID, Path: stored.Path}, true, nil
}

// claimedFrom reads a record under a key that is not at hand. It can only refuse: that it
// claims to be of another repository is all that is known, and the lost key of a customer
// that is gone keeps no other one out.
func (s NameRecords) claimedFrom(ctx context.Context, name CustomerName, env Environment, c Customer, cause error) (Evidence, bool, error) {
	if name == c.Name {
		return Evidence{}, false, nil
	}
	keys, err := s.List(ctx, LastApplyPrefix(name, env))
	if err != nil {
		return Evidence{}, false, err
	}
	for _, key := range slices.Backward(keys) {
		if !strings.HasSuffix(key, ".json") {
			continue
		}
		var claimed LastApply
		err := UnverifiedRecord{Store: s.Store}.ReadRecord(ctx, LastApplyRecord(name, env), key, &claimed)
		if err == nil && claimed.Receipt.RepositoryID != 0 && claimed.Receipt.RepositoryID != c.RepositoryID {
			return Evidence{}, false, nil
		}
		break
	}
	return Evidence{}, false, TamperedOr(cause, fmt.Sprintf("the record of the last apply of %s, which may be of customer %s under a former name,", TargetName(name, env), c.Name))
}
