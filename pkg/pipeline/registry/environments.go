package registry

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Left is what LeftTargets has found of one customer.
type Left struct {
	Customer pipeline.Customer
	Targets  []pipeline.Target
	Err      error // why not all of them are known
}

// LeftTargets are the applied targets of customers that they do not have any more: metapipe.yml
// does not declare their environment or stack, or the file of the customer does not allow it.
// There is one answer for each customer, in their order. Without a sealer, the ledgers say
// what was ended.
func LeftTargets(ctx context.Context, s record.Records, customers []pipeline.Customer) []Left {
	var work sync.WaitGroup
	slots := make(chan struct{}, formerReaders)
	all := make([]Left, len(customers))
	for i, c := range customers {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			targets, err := leftTargets(ctx, s, c, c.Has)
			all[i] = Left{Customer: c, Targets: targets, Err: err}
		})
	}
	work.Wait()
	return all
}

// CheckFirstPlan refuses the first plan of a target, one that was never applied, while its
// customer has an applied target in an environment, or of a stack, that metapipe.yml does not
// declare any more: the error is a *pipeline.RenamedEnvironmentError. So is the first plan of a
// named stack while the state of the customer's unnamed one is there, and the other way round.
func CheckFirstPlan(ctx context.Context, s record.Records, c pipeline.Customer, target pipeline.Target) error {
	left, err := leftTargets(ctx, s, c, c.Manager.Declares)
	if err != nil || len(left) == 0 {
		return err
	}
	renamed := &pipeline.RenamedEnvironmentError{Target: target, Left: left}
	for _, t := range left {
		_, declared := c.Manager.Rule(t.Environment)
		renamed.Stack = renamed.Stack || declared
	}
	return renamed
}

// leftTargets are the applied targets of a customer that are not in use.
func leftTargets(ctx context.Context, s record.Records, c pipeline.Customer, used func(pipeline.Target) bool) ([]pipeline.Target, error) {
	stored, err := StoredTargets(ctx, s, c.Name)
	if err != nil {
		return nil, err
	}
	var left []pipeline.Target
	for _, t := range c.InOrder(stored) {
		if used(t) {
			continue
		}
		built, err := isBuilt(ctx, s, t)
		if err != nil {
			return nil, err
		}
		if built {
			left = append(left, t)
		}
	}
	return left, nil
}

// isBuilt reports whether applies have left resources of a target, as far as the store
// knows. A record that cannot be believed or opened counts as one of resources.
func isBuilt(ctx context.Context, s record.Records, t pipeline.Target) (bool, error) {
	recorded, left, err := ledger.Memories(ctx, s, t)
	if err != nil || !recorded && !left {
		return false, err
	}
	read := ledger.Remember
	if s.Sealer == nil {
		read = ledger.RememberLedger
	}
	known, err := read(ctx, s, t)
	var refused *pipeline.RefusedError
	switch {
	case errors.As(err, &refused):
		return true, nil
	case err != nil:
		return false, err
	}
	return known.Unread != nil || known.Nothing() || slices.ContainsFunc(known.Left(), ledger.Left.Holds), nil
}
