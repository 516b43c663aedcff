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

// LeftTargets are the applied targets of customers in environments that they cannot use any
// more: metapipe.yml does not declare them, or the file of the customer does not allow them.
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
			targets, err := leftTargets(ctx, s, c, c.Allows)
			all[i] = Left{Customer: c, Targets: targets, Err: err}
		})
	}
	work.Wait()
	return all
}

// CheckFirstPlan refuses the first plan of a target, one that was never applied, while its
// customer has an applied target in an environment that metapipe.yml does not declare any
// more: the error is a *pipeline.RenamedEnvironmentError.
func CheckFirstPlan(ctx context.Context, s record.Records, c pipeline.Customer, target pipeline.Target) error {
	left, err := leftTargets(ctx, s, c, func(env pipeline.Environment) bool {
		_, declared := c.Manager.Rule(env)
		return declared
	})
	if err != nil || len(left) == 0 {
		return err
	}
	renamed := &pipeline.RenamedEnvironmentError{Target: target}
	for _, t := range left {
		renamed.Left = append(renamed.Left, t.Environment)
	}
	return renamed
}

// leftTargets are the applied targets of a customer in environments that are not in use.
func leftTargets(ctx context.Context, s record.Records, c pipeline.Customer, used func(pipeline.Environment) bool) ([]pipeline.Target, error) {
	envs, err := StoredEnvironments(ctx, s, c.Name)
	if err != nil {
		return nil, err
	}
	var left []pipeline.Target
	for _, env := range c.Manager.InPromotionOrder(envs) {
		if used(env) {
			continue
		}
		built, err := isBuilt(ctx, s, c.Name.In(env))
		if err != nil {
			return nil, err
		}
		if built {
			left = append(left, c.Name.In(env))
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
	var known ledger.Remembered
	if s.Sealer == nil {
		known, err = ledger.RememberUnverified(ctx, s, t)
	} else {
		known, err = ledger.Remember(ctx, s, t)
	}
	var refused *pipeline.RefusedError
	switch {
	case errors.As(err, &refused):
		return true, nil
	case err != nil:
		return false, err
	}
	return known.Unread != nil || known.Nothing() || slices.ContainsFunc(known.Left(), ledger.Left.Holds), nil
}
