package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// appendLedger records what this report decided: which targets no one will finish any
// more, and which were superseded. What the job of a plan or an apply could not
// record of its end is recorded first. A ledger that cannot be verified is no failure of the
// report: the request stays open for one that can record it.
func (r *Reporter) appendLedger(ctx context.Context, in ReportInput, report *collected) error {
	var errs []error
	add := func(err error) {
		if ledger.IsUnverified(err) {
			r.Logf("%v", err)
			report.unsettled, err = true, nil
		}
		errs = append(errs, err)
	}
	for _, t := range report.targets {
		e := ledger.EndEntry(report.Request, t.Target, record.Result{Outcome: t.Outcome, Reason: t.Reason, Message: t.Message, Run: in.Run}, t.Receipt)
		if t.closed && e.Event != ledger.Superseded {
			e.Event = ledger.Closed
		}
		chain := r.ledger()
		if end := t.attempt.Result; end != nil && !t.attempt.Unrecorded && end.Outcome != pipeline.OutcomeApplied { // an apply that went well is anchored
			add(chain.Finish(ctx, ledger.ApplyEndEntry(report.Request, t.Target, *end, t.Receipt, t.attempt.Number)))
		}
		if e.Event == ledger.Closed || e.Event == ledger.Superseded || t.doubted {
			_, err := chain.Append(ctx, e)
			add(err)
		} else if t.attempt.Number == 0 && t.Outcome.Stops() {
			e.Run = t.run
			add(chain.FinishPlan(ctx, e, report.Request.CreatedAt))
		}
	}
	return errors.Join(errs...)
}

// appendUnreported records what of a finished request the customer cannot be shown.
func (r *Reporter) appendUnreported(ctx context.Context, in ReportInput, report pipeline.Report) error {
	if len(report.Unreported) == 0 {
		return nil
	}
	words := make([]string, 0, len(report.Unreported))
	for _, u := range report.Unreported {
		words = append(words, u.String())
	}
	targets := report.Request.Targets
	if len(targets) == 0 {
		targets = []pipeline.RequestTarget{{Target: pipeline.Target{Customer: report.Request.Customer}}}
	}
	var errs []error
	for _, t := range targets {
		e := ledger.NewEntry(ledger.Unreported, report.Request, t.Target, in.Run)
		e.Message = strings.Join(words, "; ")
		_, err := r.ledger().Append(ctx, e)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// anchor is the head of the target's ledger, for the deployment that reports its
// apply. An apply whose job could not record its end any more is recorded first.
func (r *Reporter) anchor(ctx context.Context, request pipeline.Request, t target) (*pipeline.LedgerHead, error) {
	e := ledger.ApplyEndEntry(request, t.Target, record.Result{Outcome: t.Outcome, Run: t.run}, t.digest, t.attempt.Number)
	if end := t.attempt.Result; end != nil && end.Ledger != nil {
		there, err := r.ledger().Holds(ctx, e, *end.Ledger)
		if err != nil {
			return nil, err
		}
		if there {
			return end.Ledger, nil
		}
	}
	tip, err := r.ledger().Append(ctx, e)
	if err != nil {
		return nil, err
	}
	return &tip.LedgerHead, nil
}

// recordApplied records the applies that no deployment will be made for, where their
// jobs could not record their end any more.
func (r *Reporter) recordApplied(ctx context.Context, report collected) error {
	var errs []error
	for _, t := range report.targets {
		if t.Outcome == pipeline.OutcomeApplied {
			_, err := r.anchor(ctx, report.Request, t)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// logHint says where the log of a target is that went wrong, for the log of the manager:
// customers cannot read it. It is empty where there is none.
func (t *target) logHint(request pipeline.Request) string {
	kept := slices.ContainsFunc(t.folder.Objects, func(object string) bool { return strings.HasSuffix(object, record.LogSuffix) })
	if !kept || t.Outcome != pipeline.OutcomeFailed && t.Outcome != pipeline.OutcomeCancelled {
		return ""
	}
	return fmt.Sprintf("%s: its log is shown by `metapipe state show %s --request %s --log`", t, t.Flags(), request.ID)
}
