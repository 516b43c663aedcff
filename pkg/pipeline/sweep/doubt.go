package sweep

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// sweepForget is when an entry is dropped whose request cannot be read for want of its
// key.
const sweepForget = pipeline.LongestRun

func (s *Sweeper) records() record.Records { return record.Records{Store: s.Store, Sealer: s.Sealer} }

func (s *Sweeper) ownRuns() pipeline.OwnRuns {
	return pipeline.OwnRuns{RunCanceller: s.Runs, Manager: s.Manager}
}

// reportTampered is a request whose record says nothing that can be believed: neither whose
// commit it is about nor which run works on it. Nothing is written to any repository. A
// record that was changed is noted in the customer's ledger and leaves the index, so that
// it is found once and not by every sweep.
func (w *sweeping) reportTampered(ctx context.Context, cause error) {
	since := record.OrderTime(w.entry.Key)
	key := record.RequestKey(w.entry.Customer, w.entry.Request)
	if errors.Is(cause, pipeline.ErrUnknownKey) {
		f := Finding{Kind: FindingUnknownKey, Since: since, Message: fmt.Sprintf("its record %s is sealed with a key that is not available", key),
			Next: "add that key behind the first one and sweep again; when it is gone, push again, and the entry goes by itself when it is 36 days old"}
		if w.Now().Sub(since) < sweepForget {
			w.found(f, nil)
			return
		}
		w.found(f, func() error { return w.Store.Delete(ctx, w.entry.Key) })
		return
	}
	message := fmt.Sprintf("its record %s is not what was stored: it was changed, or made without the key", key)
	w.found(Finding{Kind: FindingTampered, Since: since, Message: message,
		Next: fmt.Sprintf("find out who can write to the store; then bring the object back from the versions of the bucket and run `metapipe report --customer %s "+
			"--request %s --final`, or remove it and push again", w.entry.Customer, w.entry.Request)}, func() error {
		_, err := (ledger.Ledger{Records: w.records(), Now: w.Now}).Append(ctx, ledger.Entry{
			Event:   ledger.Refused,
			Target:  pipeline.Target{Customer: w.entry.Customer},
			Request: w.entry.Request,
			Outcome: pipeline.OutcomeRefused,
			Reason:  pipeline.ReasonTampered,
			Message: message,
		})
		if err != nil {
			return err
		}
		return w.Store.Delete(ctx, w.entry.Key)
	})
}

// checkMisplaced is an entry that is not where its request stands: a fetch-vars that died has
// left it, or someone laid it there. The request's own entry counts.
func (w *sweeping) checkMisplaced(ctx context.Context, request pipeline.Request) {
	since := record.OrderTime(w.entry.Key)
	if age := w.Now().Sub(since); age > -sweepOrphan && age < sweepOrphan {
		return
	}
	w.found(Finding{Kind: FindingOrphan, Since: since, Message: fmt.Sprintf("%s is not the entry of request %s", w.entry.Key, request.ID.Short())}, func() error {
		return w.Store.Delete(ctx, w.entry.Key)
	})
}
