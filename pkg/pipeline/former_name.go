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

// formerName is the name in the store whose records are of the path and the repository
// of a customer that is not registered yet; empty where there is none. Its own name is
// looked at before.
func (s records) formerName(ctx context.Context, c Customer) (CustomerName, error) {
	names, err := StoredCustomers(ctx, s)
	if err != nil {
		return "", err
	}
	var work sync.WaitGroup
	slots, former, failed := make(chan struct{}, formerReaders), make([]bool, len(names)), make([]error, len(names))
	for i, name := range names {
		if name == c.Name {
			continue
		}
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			e, found, err := s.evidence(ctx, name, c)
			former[i], failed[i] = found && e.of(c), err
		})
	}
	work.Wait()
	if err := errors.Join(failed...); err != nil {
		return "", err
	}
	if i := slices.Index(former, true); i >= 0 {
		return names[i], nil
	}
	return "", nil
}

// evidence reads what the records of the last applies of a name say. One that cannot be
// believed and may be of c is an error: it must not make a renamed customer look new.
func (s records) evidence(ctx context.Context, name CustomerName, c Customer) (best evidence, found bool, err error) {
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
func (s records) appliedFrom(ctx context.Context, name CustomerName, env Environment, c Customer) (evidence, bool, error) {
	record, found, err := loadLastApply(ctx, s, name, env)
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
func (s records) claimedFrom(ctx context.Context, name CustomerName, env Environment, c Customer, cause error) (evidence, bool, error) {
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
