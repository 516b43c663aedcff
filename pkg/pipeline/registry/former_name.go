package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// formerReaders is how many names of the store are looked at together.
const formerReaders = 16

// NameRecords finds the names of a customer in the records of the store.
type NameRecords struct{ record.Records }

// formerName is the name in the store whose records are of the path and the repository
// of a customer that is not registered yet; empty where there is none. Its own name is
// looked at before.
func (s NameRecords) formerName(ctx context.Context, c pipeline.Customer) (pipeline.CustomerName, error) {
	names, err := StoredCustomers(ctx, s)
	if err != nil {
		return "", err
	}
	former, _, err := s.FirstName(ctx, names, c, func(_ pipeline.CustomerName, e pipeline.Evidence) (bool, error) { return e.Of(c), nil })
	return former, err
}

// FirstName is the first one of names, in their order, with records that fit; empty where
// there is none. The name of c is not looked at.
func (s NameRecords) FirstName(ctx context.Context, names []pipeline.CustomerName, c pipeline.Customer,
	fits func(pipeline.CustomerName, pipeline.Evidence) (bool, error)) (pipeline.CustomerName, pipeline.Evidence, error) {
	var work sync.WaitGroup
	slots, found := make(chan struct{}, formerReaders), make([]bool, len(names))
	all, failed := make([]pipeline.Evidence, len(names)), make([]error, len(names))
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
		return "", pipeline.Evidence{}, err
	}
	if i := slices.Index(found, true); i >= 0 {
		return names[i], all[i], nil
	}
	return "", pipeline.Evidence{}, nil
}

// Empty reports whether every target of a name was ended, or accepted as one without a
// state, and has had no apply since.
func (s NameRecords) Empty(ctx context.Context, name pipeline.CustomerName) (bool, error) {
	stored, err := StoredTargets(ctx, s, name)
	if err != nil {
		return false, err
	}
	for _, t := range stored {
		known, err := ledger.Remember(ctx, s.Records, t)
		if err != nil {
			return false, err
		}
		if !known.Nothing() && !known.NoneLeft() {
			return false, nil
		}
	}
	return true, nil
}

// Evidence reads what the records of the last applies of a name say. One that cannot be
// believed and may be of c is an error: it must not make a renamed customer look new.
func (s NameRecords) Evidence(ctx context.Context, name pipeline.CustomerName, c pipeline.Customer) (best pipeline.Evidence, found bool, err error) {
	stored, err := StoredTargets(ctx, s, name)
	if err != nil {
		return pipeline.Evidence{}, false, err
	}
	for _, t := range stored {
		e, ok, err := s.appliedFrom(ctx, t, c)
		if err != nil {
			return pipeline.Evidence{}, false, err
		}
		if ok && (!found || e.Of(c)) {
			best, found = e, true
		}
	}
	return best, found, nil
}

// appliedFrom reads the record of the last apply of a target.
func (s NameRecords) appliedFrom(ctx context.Context, t pipeline.Target, c pipeline.Customer) (pipeline.Evidence, bool, error) {
	stored, found, err := record.LoadLastApply(ctx, s.Records, t)
	switch {
	case errors.Is(err, pipeline.ErrUnknownKey):
		return s.claimedFrom(ctx, t, c, err)
	case err != nil:
		return pipeline.Evidence{}, false, record.TamperedOr(err, fmt.Sprintf("the record of the last apply of %s, which may be of customer %s under a former name,", t, c.Name))
	case !found:
		return pipeline.Evidence{}, false, nil
	}
	return stored.From(), true, nil
}

// claimedFrom reads a record under a key that is not at hand. It can only refuse: that it
// claims to be of another repository is all that is known, and the lost key of a customer
// that is gone keeps no other one out.
func (s NameRecords) claimedFrom(ctx context.Context, t pipeline.Target, c pipeline.Customer, cause error) (pipeline.Evidence, bool, error) {
	if t.Customer == c.Name {
		return pipeline.Evidence{}, false, nil
	}
	keys, err := s.List(ctx, record.LastApplyPrefix(t))
	if err != nil {
		return pipeline.Evidence{}, false, err
	}
	for _, key := range slices.Backward(keys) {
		if !strings.HasSuffix(key, ".json") {
			continue
		}
		var claimed record.LastApply
		err := record.UnverifiedReader{Store: s.Store}.ReadRecord(ctx, record.LastApplyRecord(t), key, &claimed)
		if err == nil && claimed.Receipt.RepositoryID != 0 && claimed.Receipt.RepositoryID != c.RepositoryID {
			return pipeline.Evidence{}, false, nil
		}
		break
	}
	return pipeline.Evidence{}, false, record.TamperedOr(cause, fmt.Sprintf("the record of the last apply of %s, which may be of customer %s under a former name,", t, c.Name))
}
