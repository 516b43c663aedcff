package publish

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// withdraw takes the plans of a request out of use that wait, and that the custom properties
// of the repository do not allow any more. The properties come with the statuses of the commit,
// so this needs no call.
func (r *Reporter) withdraw(ctx context.Context, in ReportInput, request pipeline.Request, now pipeline.Properties) error {
	for _, t := range request.Targets {
		if !request.Applies(t.Target) {
			continue
		}
		if _, err := r.withdrawTarget(ctx, in, request, t.Target, now); err != nil {
			return err
		}
	}
	return nil
}

// withdrawTarget reports whether it took the plan of a target out of use.
func (r *Reporter) withdrawTarget(ctx context.Context, in ReportInput, request pipeline.Request, t pipeline.Target, now pipeline.Properties) (bool, error) {
	if in.Customer.Manager.Properties == nil || !now.Known() {
		return false, nil
	}
	st, err := ledger.ReadTargetStatus(ctx, r.viewed(), request, t)
	if err != nil || st.Result.Outcome != pipeline.OutcomeWaiting || st.Receipt == nil {
		return false, err
	}
	why := in.Customer.Stricter(request, t, st.Receipt.Evidence.Tool(), now, r.Overlap)
	if why == nil {
		return false, nil
	}
	end := record.Result{Run: in.Run, At: r.Now().UTC()}
	end.Fail(ctx, request.Mode, why)
	withdrawn, err := ledger.RevokePlan(ctx, ledger.Ledger{Records: r.records(), Now: r.Now}, request, st, end)
	r.seen = record.NewView(r.Store) // the plan has another end now
	return withdrawn, err
}
