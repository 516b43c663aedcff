package pipeline

import (
	"context"
	"errors"
	"fmt"
)

// reviewed compares the plan with the newest one that the merged pull request
// showed for the same target. Who can write to the store could lay a record or a
// receipt there that says what he likes, so neither counts before a sealed object
// has vouched for it.
func (p *Planner) reviewed(ctx context.Context, in TargetInput, request Request, receipt Receipt) (Reviewed, error) {
	if request.PullRequest == 0 {
		return "", nil
	}
	keys, err := p.Store.List(ctx, pullPrefix(request.Customer, request.PullRequest))
	if err != nil {
		return "", fmt.Errorf("look for the plan of pull request #%d: %w", request.PullRequest, err)
	}
	for i := len(keys) - 1; i >= 0; i-- {
		id := requestOf(keys[i])
		if id == request.ID {
			continue
		}
		shown, err := loadRequest(ctx, p.Store, request.Customer, id)
		if err != nil || shown.Event != "pull_request" || shown.PullRequest != request.PullRequest || shown.Rejected() {
			continue // not shown to the reviewers of this pull request
		}
		earlier, err := p.shownPlan(ctx, shown, in.Environment)
		switch {
		case errors.Is(err, ErrNotFound):
			return ReviewedUnseen, nil
		case errors.Is(err, ErrUnknownKey):
			return ReviewedOtherKey, nil
		case errors.Is(err, ErrTampered):
			return "", tamperedOr(err, fmt.Sprintf("what pull request #%d showed of %s/%s", request.PullRequest, request.Customer, in.Environment))
		case err != nil:
			return "", err
		}
		return compareReviewed(earlier.Fingerprint, receipt.Fingerprint), nil
	}
	return ReviewedUnseen, nil
}

// shownPlan returns the receipt of the newest planning of a target of an earlier
// request, or ErrNotFound. The variables vouch for the request's record, and the
// shown model for the receipt.
func (p *Planner) shownPlan(ctx context.Context, shown Request, env Environment) (Receipt, error) {
	folder, found, err := latestPlanning(ctx, p.Store, shown, env)
	if err == nil && !found {
		err = ErrNotFound
	}
	var receipt Receipt
	if err == nil {
		receipt, err = readReceipt(ctx, p.Store, folder)
	}
	if err == nil && (receipt.Request != shown.ID || receipt.Customer != shown.Customer || receipt.Environment != env) {
		err = ErrTampered
	}
	if err == nil {
		err = verifyRequest(ctx, p.Store, p.Sealer, shown)
	}
	if err == nil {
		_, err = unsealBytes(ctx, p.Store, p.Sealer, folder.key(objectModel), binding(receipt, objectModel))
	}
	if err != nil {
		return Receipt{}, fmt.Errorf("the shown plan of %s/%s: %w", shown.Customer, env, err)
	}
	return receipt, nil
}

// verifyRequest holds the record of an accepted request to what its sealed
// variables are bound to: ErrTampered when one of the two was changed.
func verifyRequest(ctx context.Context, s Store, sealer Sealer, request Request) error {
	_, err := unsealBytes(ctx, s, sealer, requestVariablesKey(request.Customer, request.ID), variablesBinding(request))
	return err
}
