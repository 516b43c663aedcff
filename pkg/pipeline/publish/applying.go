package publish

import (
	"context"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// applying shows the customer that the apply of one environment begins: a waiting
// trigger cannot see otherwise that no one is waited for any more. It is one status
// and nothing else, and none where the plan does not wait: the report after the
// apply says why. An apply that waits for this report finds its announcement in the store.
func (r *Reporter) applying(ctx context.Context, in ReportInput, request pipeline.Request) (pipeline.Report, error) {
	report := pipeline.Report{Request: request, Manager: in.Manager, At: r.Now().UTC()}
	applying := in.Applying
	if !request.WorksOn(applying) {
		return report, pipeline.Usagef("request %s of %s has no environment %q", request.ID.Short(), request.Customer, applying.Name()).
			Nextf("name one of %s", request.TargetNames())
	}
	t, err := r.toApply(ctx, in, request)
	if err != nil || t.Outcome != pipeline.OutcomeWaiting || !t.Applies {
		return report, err
	}
	report, err = r.showApplying(ctx, in, report, t)
	if err == nil {
		err = record.Announced{Target: applying, Request: request.ID, Receipt: t.digest, Run: in.Run}.Write(ctx, r.records(), r.Now())
	}
	return report, err
}

// toApply is the target whose apply begins. In most cases the ledger alone says that its plan
// waits for that.
func (r *Reporter) toApply(ctx context.Context, in ReportInput, request pipeline.Request) (target, error) {
	of := in.Applying
	digest, waits := ledger.Ledger{Records: r.viewed()}.WaitsForFirst(ctx, request.ID, of)
	if !waits {
		return r.target(ctx, in, request, of)
	}
	return target{digest: digest, TargetReport: pipeline.TargetReport{Target: of, Outcome: pipeline.OutcomeWaiting, Applies: request.Applies(of), Receipt: digest}}, nil
}

// showApplying takes a plan out of use that may not be applied any more, and shows that any
// other one is.
func (r *Reporter) showApplying(ctx context.Context, in ReportInput, report pipeline.Report, t target) (pipeline.Report, error) {
	request, applying := report.Request, in.Applying
	t.Outcome, t.RunURL = pipeline.OutcomeApplying, in.Run.URL
	found, refused, err := r.place(ctx, in, &report.Request)
	if report.Unreported = refused; refused != nil || err != nil {
		return report, err
	}
	// A newer request for the commit has its statuses, and says nothing of the properties.
	if withdrawn, err := r.withdrawTarget(ctx, in, request, applying, found.Properties); err != nil || withdrawn {
		return report, err
	}
	_, taken, err := record.CommitOf(request).Newest(ctx, r.records(), request, func(o pipeline.Request) bool { return o.WorksOn(applying) })
	if err != nil || taken {
		return report, err
	}
	if in.Run.Attempt > 1 { // an earlier attempt may have closed the request, and nothing may be pending that no sweep finds
		if err := record.MarkOpen(ctx, r.Store, request); err != nil {
			return report, err
		}
	}
	report.Targets = []pipeline.TargetReport{t.redacted(in.Customer.Manager.Redaction)}
	report.Unreported, err = pipeline.WithoutRefusals(r.status(ctx, report, applying, pipeline.StatusPending, t.ReceiptURL(), found.List))
	for _, u := range report.Unreported {
		r.Logf("%s; the apply does not depend on it", u)
	}
	return report, err
}
