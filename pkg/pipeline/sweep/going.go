package sweep

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// checkRunning is a request whose run goes on: it may wait in vain.
func (w *sweeping) checkRunning(ctx context.Context) error {
	for _, t := range w.request.Targets {
		if !w.request.Applies(t.Target) {
			continue
		}
		st, err := ledger.ReadTargetStatus(ctx, w.records(), w.request, t.Target)
		if err != nil {
			return err
		}
		switch {
		case st.Result.Outcome.Succeeded():
			continue
		case st.Result.Outcome == pipeline.OutcomeWaiting:
			return w.checkWaiting(ctx, t.Target, st)
		case st.Attempt.Revoked() && w.Now().Sub(st.Result.At) >= sweepCancel:
			w.found(Finding{Kind: FindingStuck, Environment: t.Environment, Stack: t.Stack, Since: st.Result.At, Message: "its plan was taken out of use, and its run does not end"}, func() error {
				return errors.Join(w.ownRuns().Cancel(ctx, w.request.ManagerRun, true), w.close(ctx, true))
			})
		}
		return nil // those after it come when it has succeeded
	}
	return nil
}

// checkWaiting is a target with a plan that no one has applied yet.
func (w *sweeping) checkWaiting(ctx context.Context, t pipeline.Target, st ledger.TargetStatus) error {
	newer, err := record.Superseding(ctx, w.records(), w.request, t)
	if err != nil {
		return err
	}
	receipt := st.Receipt
	if receipt == nil {
		return fmt.Errorf("%s: %w: it has no receipt", st.Folder.Key(record.ObjectPlanned), pipeline.ErrTampered)
	}
	now := w.Now().UTC()
	var stricter *pipeline.RefusedError
	if newer == "" && now.Before(receipt.Expires) { // one that ends anyway needs no call
		if stricter, err = w.stricter(ctx, t, *receipt); err != nil {
			return err
		}
	}
	switch {
	case newer != "":
		why := pipeline.SupersededError(w.request, t, newer)
		w.found(Finding{Kind: FindingSuperseded, Environment: t.Environment, Stack: t.Stack, Since: receipt.PlannedAt, Message: why.Message}, func() error {
			return w.end(ctx, st, record.Result{Outcome: pipeline.OutcomeSuperseded, Reason: why.Reason, Message: why.Message, Next: why.Next, Operator: why.Operator, Newer: newer, Run: w.request.ManagerRun, At: now})
		})
	case !now.Before(receipt.Expires):
		message := fmt.Sprintf("the plan of %s expired at %s", t, receipt.Expires.UTC().Format(time.RFC3339))
		w.found(Finding{Kind: FindingExpired, Environment: t.Environment, Stack: t.Stack, Since: receipt.Expires, Message: message}, func() error {
			return w.end(ctx, st, record.Result{
				Outcome:  pipeline.OutcomeExpired,
				Reason:   pipeline.ReasonExpired,
				Message:  message,
				Next:     w.request.Mode.Afresh(),
				Operator: w.request.Mode.Restart(),
				Run:      w.request.ManagerRun,
				At:       now,
			})
		})
	case stricter != nil:
		w.found(Finding{Kind: FindingStricter, Environment: t.Environment, Stack: t.Stack, Since: now, Message: stricter.Message}, func() error {
			end := record.Result{Run: w.request.ManagerRun, At: now}
			end.Fail(ctx, w.request.Mode, stricter)
			return w.end(ctx, st, end)
		})
	case now.Sub(receipt.PlannedAt) >= sweepPatient:
		repo, err := w.Manager.RunOf(w.request.ManagerRun)
		if err != nil {
			return err
		}
		pending, err := w.Runs.PendingEnvironments(ctx, repo, w.request.ManagerRun.ID)
		if err != nil {
			return err
		}
		if len(pending) > 0 {
			w.found(Finding{Kind: FindingWaiting, Environment: t.Environment, Stack: t.Stack, Since: receipt.PlannedAt, Message: "it waits for the approval of " + strings.Join(pending, ", "),
				Next: "approve or reject it at " + w.request.ManagerRun.URL}, nil)
		}
	}
	return nil
}

// end takes the plan out of use, then cancels the run and closes the request. An
// apply that has begun meanwhile is left alone.
func (w *sweeping) end(ctx context.Context, st ledger.TargetStatus, why record.Result) error {
	revoked, err := ledger.RevokePlan(ctx, ledger.Ledger{Records: w.records(), Now: w.Now}, w.request, st, why)
	if err != nil || !revoked {
		return err
	}
	return errors.Join(w.ownRuns().Cancel(ctx, w.request.ManagerRun, false), w.close(ctx, true))
}

// stricter is why the custom properties of the repository do not allow a plan any more; nil
// where they do. One call, where metapipe.yml uses properties. A repository that cannot be
// seen, or that another one has replaced, says nothing.
func (w *sweeping) stricter(ctx context.Context, t pipeline.Target, receipt pipeline.Receipt) (*pipeline.RefusedError, error) {
	if w.customer.Manager.Properties == nil || w.departed {
		return nil, nil
	}
	repo, properties, err := w.Properties(ctx, w.request.Repository.Slug)
	if pipeline.RepositoryUnseen(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the custom properties of %s: %w", w.request.Repository.Slug, err)
	}
	if repo.ID != w.request.Repository.ID {
		return nil, nil
	}
	return w.customer.Stricter(w.request, t, receipt.Evidence.Tool(), properties, w.Overlap), nil
}
