package recovery

import (
	"context"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// AcceptLeft removes the record of the last apply of a target where no key at hand opens
// it, or where it was changed. It is for a customer without a file: no plan builds on its
// records, and nothing says which repository it was. The ledger keeps which state was left,
// so that the name stays protected. A record that can be read is a *pipeline.UsageError.
func (r *Restorer) AcceptLeft(ctx context.Context, in pipeline.TargetInput, reason string) error {
	if err := CheckReason(reason); err != nil {
		return err
	}
	s := record.Records{Store: r.Store, Sealer: r.Sealer}
	t := in.Target()
	last, err := record.OpenLastApply(ctx, s, t)
	unread := errors.Is(err, pipeline.ErrTampered) || errors.Is(err, pipeline.ErrUnknownKey)
	if err != nil && !unread {
		return err
	}
	if last.Found && !unread {
		return pipeline.Usagef("customer %s has no file, and the record of the last apply of %s can be read: there is nothing to accept",
			t.Customer, t).
			Nextf("give the customer its file first where plans are to build on its states")
	}
	left, err := ledger.Ledger{Records: s}.LastState(ctx, t)
	if err != nil {
		return err
	}
	removed, err := record.ForgetLastApply(ctx, r.Store, t)
	if err != nil {
		return err
	}
	if !removed {
		return pipeline.Usagef("the store has no record of an apply of %s: there is nothing to accept", t).
			Nextf("`metapipe rekey` lists the records that no key opens")
	}
	e := ledger.Entry{Event: ledger.Accepted, Message: reason}
	if left != nil { // what is remembered stays as it is
		e.State, e.Ended = left.State, left.IsDestroyed()
	}
	return r.appendLedger(ctx, in, e)
}
