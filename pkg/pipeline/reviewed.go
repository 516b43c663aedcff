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
	pull := pullOf(request.Customer, request.PullRequest)
	shown, found, err := pull.latest(ctx, p.records(), orderTime(pull.own(request)), func(r Request) bool {
		return r.ID != request.ID && r.Event == "pull_request" && !r.Rejected() // shown to the reviewers
	})
	what := fmt.Sprintf("what pull request #%d showed of %s/%s", request.PullRequest, request.Customer, in.Environment)
	switch {
	case errors.Is(err, ErrUnknownKey):
		return ReviewedOtherKey, nil
	case err != nil:
		return "", tamperedOr(err, what)
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
		return "", tamperedOr(err, what)
	}
	return compareReviewed(earlier.Fingerprint, receipt.Fingerprint), nil
}

// shownPlan returns the receipt of the newest planning of a target of an earlier
// request, or ErrNotFound.
func (p *Planner) shownPlan(ctx context.Context, shown Request, env Environment) (Receipt, error) {
	folder, found, err := latestPlanAttempt(ctx, p.Store, shown, env)
	if err == nil && !found {
		err = ErrNotFound
	}
	var receipt Receipt
	if err == nil {
		receipt, _, err = readReceipt(ctx, p.records(), folder)
	}
	if err == nil && (receipt.Request != shown.ID || receipt.Customer != shown.Customer || receipt.Environment != env) {
		err = ErrTampered
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("the shown plan of %s/%s: %w", shown.Customer, env, err)
	}
	return receipt, nil
}

// verifyRequest holds the variables that are stored of a request to its facts:
// ErrTampered when they are of another one.
func verifyRequest(ctx context.Context, s records, request Request) error {
	_, err := unsealBytes(ctx, s, s.Sealer, requestVariablesKey(request.Customer, request.ID), variablesBinding(request))
	return err
}
