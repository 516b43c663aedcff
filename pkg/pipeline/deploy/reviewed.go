package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// reviewed compares the plan with the newest one that the merged pull request
// showed for the same target.
func (p *Planner) reviewed(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, receipt pipeline.Receipt) (pipeline.Reviewed, error) {
	if request.PullRequest == 0 {
		return "", nil
	}
	pull := record.PullOf(request.Customer, request.PullRequest)
	shown, found, err := pull.Latest(ctx, p.records(), record.OrderTime(pull.Own(request)), func(r pipeline.Request) bool {
		return r.ID != request.ID && r.Event == "pull_request" && !r.Rejected() // shown to the reviewers
	})
	what := fmt.Sprintf("what pull request #%d showed of %s", request.PullRequest, in.Target())
	switch {
	case errors.Is(err, pipeline.ErrUnknownKey):
		return pipeline.ReviewedOtherKey, nil
	case err != nil:
		return "", record.TamperedOr(err, what)
	case !found:
		return pipeline.ReviewedUnseen, nil
	}
	earlier, err := p.shownPlan(ctx, shown, in.Target())
	switch {
	case errors.Is(err, pipeline.ErrNotFound):
		return pipeline.ReviewedUnseen, nil
	case errors.Is(err, pipeline.ErrUnknownKey):
		return pipeline.ReviewedOtherKey, nil
	case err != nil:
		return "", record.TamperedOr(err, what)
	}
	return pipeline.CompareReviewed(earlier.Fingerprint, receipt.Fingerprint), nil
}

// shownPlan returns the receipt of the newest planning of a target of an earlier
// request, or ErrNotFound.
func (p *Planner) shownPlan(ctx context.Context, shown pipeline.Request, t pipeline.Target) (pipeline.Receipt, error) {
	folder, found, err := record.LatestPlanAttempt(ctx, p.Store, shown, t)
	if err == nil && !found {
		err = pipeline.ErrNotFound
	}
	var ended record.Result
	if err == nil {
		ended, err = record.ReadPlanned(ctx, p.records(), folder)
	}
	switch {
	case err == nil && ended.Receipt == nil:
		err = pipeline.ErrNotFound
	case err == nil && ended.Receipt.Request != shown.ID:
		err = pipeline.ErrTampered
	}
	if err != nil {
		return pipeline.Receipt{}, fmt.Errorf("the shown plan of %s: %w", t, err)
	}
	return *ended.Receipt, nil
}
