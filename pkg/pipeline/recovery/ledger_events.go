package recovery

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// appendLedger records that a kept state is in its backend again.
func (r *Recoverer) appendLedger(ctx context.Context, in RecoverInput, receipt pipeline.Receipt, state pipeline.StateVersion) error {
	request := pipeline.Request{ID: receipt.Request, Customer: receipt.Customer, Commit: receipt.Commit} // its record may be gone by now
	e := ledger.NewLedgerEntry(ledger.LedgerRecovered, request, in.Environment, in.Run)
	e.Receipt, e.Actor = receipt.Digest(), in.Actor
	if state.Lineage != "" {
		e.State = &pipeline.StateRecord{StateVersion: state, Resources: pipeline.UnknownResources}
	}
	if in.Unlock != "" {
		e.Message = "lock " + in.Unlock + " was released for it"
	}
	if _, err := (ledger.Ledger{Store: r.Store, Now: r.Now}).Append(ctx, e); err != nil {
		return fmt.Errorf("the state is back, but that could not be recorded: %w", err)
	}
	return nil
}
