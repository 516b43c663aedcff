package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// reviewed compares the plan with the newest one that the merged pull request
// showed for the same target.
func (p *Planner) reviewed(ctx context.Context, in TargetInput, request Request, receipt Receipt) (Reviewed, error) {
	if request.PullRequest == 0 {
		return "", nil
	}
	pull := PullOf(request.Customer, request.PullRequest)
	shown, found, err := pull.Latest(ctx, p.records(), OrderTime(pull.Own(request)), func(r Request) bool {
		return r.ID != request.ID && r.Event == "pull_request" && !r.Rejected() // shown to the reviewers
	})
	what := fmt.Sprintf("what pull request #%d showed of %s/%s", request.PullRequest, request.Customer, in.Environment)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return ReviewedOtherKey, nil
	case err != nil:
		return "", TamperedOr(err, what)
	case !found:
		return ReviewedUnseen, nil
	}
	earlier, err := p.shownPlan(ctx, shown, in.Environment)
	switch {
	case errors.Is(err, ErrNotFound):
		return ReviewedUnseen, nil
	case errors.Is(err, ErrUnknownKey):
		return ReviewedOtherKey, nil
	case err != nil:
		return "", TamperedOr(err, what)
	}
	return CompareReviewed(earlier.Fingerprint, receipt.Fingerprint), nil
}

// shownPlan returns the receipt of the newest planning of a target of an earlier
// request, or ErrNotFound.
func (p *Planner) shownPlan(ctx context.Context, shown Request, env Environment) (Receipt, error) {
	folder, found, err := LatestPlanAttempt(ctx, p.Store, shown, env)
	if err == nil && !found {
		err = ErrNotFound
	}
	var receipt Receipt
	if err == nil {
		receipt, _, err = ReadReceipt(ctx, p.records(), folder)
	}
	if err == nil && (receipt.Request != shown.ID || receipt.Customer != shown.Customer || receipt.Environment != env) {
		err = ErrTampered
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("the shown plan of %s/%s: %w", shown.Customer, env, err)
	}
	return receipt, nil
}

// VerifyRequest holds the variables that are stored of a request to its facts:
// ErrTampered when they are of another one.
func VerifyRequest(ctx context.Context, s Records, request Request) error {
	_, err := UnsealBytes(ctx, s, s.Sealer, RequestVariablesKey(request.Customer, request.ID), VariablesBinding(request))
	return err
}
