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

// evidence is what the records of a name say about where it deploys from.
type evidence struct {
	repositoryID int64
	path         string // empty: no record says it
}

func (e evidence) of(c Customer) bool {
	return e.repositoryID == c.RepositoryID && (e.path == c.Path || e.path == "")
}

// nameRecords finds the names of a customer in the records of the store.
type nameRecords struct{ records }

// formerName is the name in the store whose records are of the path and the repository
// of a customer that is not registered yet; empty where there is none. Its own name is
// looked at before.
func (s nameRecords) formerName(ctx context.Context, c Customer) (CustomerName, error) {
	names, err := StoredCustomers(ctx, s)
	if err != nil {
		return "", err
	}
	former, _, err := s.firstName(ctx, names, c, func(_ CustomerName, e evidence) (bool, error) { return e.of(c), nil })
	return former, err
}

// firstName is the first one of names, in their order, with records that fit; empty where
// there is none. The name of c is not looked at.
func (s nameRecords) firstName(ctx context.Context, names []CustomerName, c Customer, fits func(CustomerName, evidence) (bool, error)) (CustomerName, evidence, error) {
	var work sync.WaitGroup
	slots, found := make(chan struct{}, formerReaders), make([]bool, len(names))
	all, failed := make([]evidence, len(names)), make([]error, len(names))
	for i, name := range names {
		if name == c.Name {
			continue
		}
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			if all[i], found[i], failed[i] = s.evidence(ctx, name, c); failed[i] == nil && found[i] {
				found[i], failed[i] = fits(name, all[i])
			}
		})
	}
	work.Wait()
	if err := errors.Join(failed...); err != nil {
		return "", evidence{}, err
	}
	if i := slices.Index(found, true); i >= 0 {
		return names[i], all[i], nil
	}
	return "", evidence{}, nil
}

// noneLeft refuses a new path of a repository while a customer without a file has states
// of another path of it: its file may have changed its name and its path at once. One that
// was ended, or moved to another name, has none. A new repository shows nothing of that.
func (f *FetchVars) noneLeft(ctx context.Context, c Customer) error {
	s := f.records()
	own, found, err := nameRecords{s}.evidence(ctx, c.Name, c)
	if err != nil || found && own.repositoryID == c.RepositoryID { // only its path has changed
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
	name, left, err := nameRecords{s}.firstName(ctx, names, c, func(name CustomerName, e evidence) (bool, error) {
		if e.repositoryID != c.RepositoryID {
			return false, nil
		}
		if now, err := RenamedTo(ctx, s.Store, s.Sealer, name); err != nil || now != "" {
			return false, err
		}
		empty, err := nameRecords{s}.empty(ctx, name)
		return !empty, err
	})
	if err != nil || name == "" {
		return err
	}
	return &RenamedError{Old: name, New: c, left: &left}
}

// empty reports whether every target of a name was ended, or accepted as one without a
// state, and has had no apply since.
func (s nameRecords) empty(ctx context.Context, name CustomerName) (bool, error) {
	envs, err := StoredEnvironments(ctx, s, name)
	if err != nil {
		return false, err
	}
	for _, env := range envs {
		known, err := remember(ctx, s.records, name, env)
		if err != nil {
			return false, err
		}
		if !known.destroyed() && slices.ContainsFunc(known.left(), func(l left) bool { return !l.none() }) {
			return false, nil
		}
	}
	return true, nil
}

// evidence reads what the records of the last applies of a name say. One that cannot be
// believed and may be of c is an error: it must not make a renamed customer look new.
func (s nameRecords) evidence(ctx context.Context, name CustomerName, c Customer) (best evidence, found bool, err error) {
	envs, err := StoredEnvironments(ctx, s, name)
	if err != nil {
		return evidence{}, false, err
	}
	for _, env := range envs {
		e, ok, err := s.appliedFrom(ctx, name, env, c)
		if err != nil {
			return evidence{}, false, err
		}
		if ok && (!found || e.of(c)) {
			best, found = e, true
		}
	}
	return best, found, nil
}

// appliedFrom reads the record of the last apply of a target.
func (s nameRecords) appliedFrom(ctx context.Context, name CustomerName, env Environment, c Customer) (evidence, bool, error) {
	record, found, err := loadLastApply(ctx, s.records, name, env)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return s.claimedFrom(ctx, name, env, c, err)
	case err != nil:
		return evidence{}, false, tamperedOr(err, fmt.Sprintf("the record of the last apply of %s, which may be of customer %s under a former name,", targetName(name, env), c.Name))
	case !found:
		return evidence{}, false, nil
	}
	return evidence{repositoryID: record.Receipt.RepositoryID, path: record.Path}, true, nil
}

// claimedFrom reads a record under a key that is not at hand. It can only refuse: that it
// claims to be of another repository is all that is known, and the lost key of a customer
// that is gone keeps no other one out.
func (s nameRecords) claimedFrom(ctx context.Context, name CustomerName, env Environment, c Customer, cause error) (evidence, bool, error) {
	if name == c.Name {
		return evidence{}, false, nil
	}
	keys, err := s.List(ctx, lastApplyPrefix(name, env))
	if err != nil {
		return evidence{}, false, err
	}
	for _, key := range slices.Backward(keys) {
		if !strings.HasSuffix(key, ".json") {
			continue
		}
		var claimed lastApply
		err := unverified{s.Store}.read(ctx, lastApplyRecord(name, env), key, &claimed)
		if err == nil && claimed.Receipt.RepositoryID != 0 && claimed.Receipt.RepositoryID != c.RepositoryID {
			return evidence{}, false, nil
		}
		break
	}
	return evidence{}, false, tamperedOr(cause, fmt.Sprintf("the record of the last apply of %s, which may be of customer %s under a former name,", targetName(name, env), c.Name))
}
