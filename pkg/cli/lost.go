package cli

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// lostStates refuses dry runs on a state that is lost.
type lostStates struct{ *manager }

func lostStatesOf(m *manager) lostStates { return lostStates{m} }

// check refuses a dry run on a lost state. It needs no key: who plans on a laptop
// has none.
func (m lostStates) check(ctx context.Context, job pipeline.Job, planned pipeline.Planned) error {
	now := pipeline.StateRecord{StateVersion: planned.State, Resources: planned.Resources}
	lost, err := ledger.LookForLost(ctx, m.store, job.Customer.Name, job.Environment, now, job.Backend.String())
	if err == nil && lost == nil && now.Lineage == "" {
		lost, err = m.checkMoved(ctx, job)
	}
	if err != nil || lost == nil {
		return err
	}
	return lost.Refusal()
}

// checkMoved asks GitHub whether a target without a state was applied, where the store
// has no record of it. Without a token it says that it did not.
func (m lostStates) checkMoved(ctx context.Context, job pipeline.Job) (*pipeline.LostState, error) {
	never, err := ledger.NeverApplied(ctx, m.store, job.Customer.Name, job.Environment)
	if err != nil || !never {
		return nil, err
	}
	if m.app.getenv(envSourceToken) == "" && m.app.getenv(envAppID) == "" {
		m.app.logf("%s/%s has no state and no record of an apply here. Without %s, metapipe cannot ask GitHub whether it was applied from another store", job.Customer.Name, job.Environment, envSourceToken)
		return nil, nil
	}
	client, err := m.github.clientFor(envSourceToken, grantMoved)
	if err != nil {
		return nil, err
	}
	return ledger.CheckMoved(ctx, client, job.Customer, job.Environment, job.Backend.String())
}
