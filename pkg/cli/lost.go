package cli

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// lostStates refuses dry runs on a state that is lost.
type lostStates struct{ *manager }

func lostStatesOf(m *manager) lostStates { return lostStates{m} }

// guard lets dry refuse a lost state: before the tool plans where the state lies in the
// store, and after that where the tool alone can read it.
func (m lostStates) guard(dry *deploy.DryRun, job pipeline.Job) {
	if m.config.Manager.StateInStore(job.Target()) {
		dry.CheckState = func(ctx context.Context) error { return m.checkStored(ctx, job) }
		return
	}
	dry.Check = func(ctx context.Context, planned pipeline.Planned) error {
		return m.check(ctx, job, planned.Found())
	}
}

// checkStored checks the state that lies in the store.
func (m lostStates) checkStored(ctx context.Context, job pipeline.Job) error {
	now, err := statesOf(m.manager).storedRecord(ctx, job)
	if err != nil {
		return err
	}
	return m.check(ctx, job, now)
}

// check refuses a dry run on a lost state. It needs no key: who plans on a laptop
// has none.
func (m lostStates) check(ctx context.Context, job pipeline.Job, now pipeline.StateRecord) error {
	lost, err := ledger.LookForLost(ctx, m.store, job.Target(), now, job.Backend.String())
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
	never, err := ledger.NeverApplied(ctx, record.Records{Store: m.store}, job.Target())
	if err != nil || !never {
		return nil, err
	}
	if m.app.getenv(envSourceToken) == "" && m.app.getenv(envAppID) == "" {
		m.app.logf("%s has no state and no record of an apply here. Without %s, metapipe cannot ask GitHub whether it was applied from another store", job.Target(), envSourceToken)
		return nil, nil
	}
	client, err := m.github.clientFor(envSourceToken, grantMoved)
	if err != nil {
		return nil, err
	}
	return ledger.CheckMoved(ctx, client, job.Customer, job.Target(), job.Backend.String())
}
