package record

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// StoredNeeded are the outputs of the stacks that a target needs, as they are on record now.
func StoredNeeded(ctx context.Context, s Records, c pipeline.Customer, t pipeline.Target) ([]pipeline.NeededOutputs, error) {
	var all []pipeline.NeededOutputs
	for _, of := range c.Needed(t) {
		needed, err := storedNeeded(ctx, s, c, of)
		if err != nil {
			return nil, err
		}
		all = append(all, needed)
	}
	return all, nil
}

func storedNeeded(ctx context.Context, s Records, c pipeline.Customer, of pipeline.Target) (pipeline.NeededOutputs, error) {
	left, found, err := ownOutputs(ctx, s, c, of)
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	if !found {
		return pipeline.NeededOutputs{Stack: of.Stack, Unknown: fmt.Sprintf("no outputs of %s are on record", of.Name())}, nil
	}
	return pipeline.NeededOutputs{Stack: of.Stack, Values: left.Values}, nil
}

// ownOutputs are the outputs of a target on record, unless they are those of a repository
// that had the name before.
func ownOutputs(ctx context.Context, s Records, c pipeline.Customer, of pipeline.Target) (LeftOutputs, bool, error) {
	left, found, err := LoadOutputs(ctx, s, of)
	switch {
	case err != nil:
		return left, false, TamperedOr(err, fmt.Sprintf("the record of the outputs of %s", of))
	case found && left.RepositoryID != c.RepositoryID:
		return left, false, &pipeline.RefusedError{
			Reason:   pipeline.ReasonOtherRepository,
			Message:  fmt.Sprintf("the outputs of %s on record are of another repository (id %d), and customer %s has id %d", of.Name(), left.RepositoryID, c.Name, c.RepositoryID),
			Next:     pipeline.ProviderNext,
			Operator: fmt.Sprintf("apply %s once for customer %s, which writes its own outputs", of, c.Name),
		}
	}
	return left, found, nil
}

// RequestNeeded are the outputs of the stacks that a target needs, as a request sees them.
// Where the request applies a needed stack, they are those that this apply has left; where
// it only plans that stack, they are those that the plan leaves as they are.
func RequestNeeded(ctx context.Context, s Records, request pipeline.Request, c pipeline.Customer, t pipeline.Target) ([]pipeline.NeededOutputs, error) {
	var all []pipeline.NeededOutputs
	for _, of := range c.Needed(t) {
		var needed pipeline.NeededOutputs
		var err error
		switch {
		case !request.WorksOn(of):
			needed, err = storedNeeded(ctx, s, c, of)
		case request.Applies(of):
			needed, err = appliedNeeded(ctx, s, request, c, of, t)
		default:
			needed, err = plannedNeeded(ctx, s, request, of)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, needed)
	}
	return all, nil
}

// appliedNeeded are the outputs that a request has left in a stack that it applies. Older
// ones are refused: whoever puts them back must not decide what others are built from.
func appliedNeeded(ctx context.Context, s Records, request pipeline.Request, c pipeline.Customer, of, reader pipeline.Target) (pipeline.NeededOutputs, error) {
	status, err := neededStatus(ctx, s, request, of)
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	if !status.Result.Outcome.Succeeded() {
		return pipeline.NeededOutputs{}, &pipeline.RefusedError{
			Reason:  pipeline.ReasonEnvironmentOrder,
			Message: fmt.Sprintf("%s needs the outputs of %s, and request %s has not succeeded there (%s)", reader.Name(), of.Name(), request.ID.Short(), status.Result.Outcome),
			Next:    "let " + of.Name() + " succeed first",
		}
	}
	left, found, err := ownOutputs(ctx, s, c, of)
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	own := found && status.Receipt != nil && left.Receipt == status.Receipt.Digest()
	if !own && (!found || !left.At.After(status.Result.At)) {
		return pipeline.NeededOutputs{}, &pipeline.RefusedError{
			Reason:   pipeline.ReasonStaleState,
			Message:  fmt.Sprintf("%s needs the outputs of %s, and those that request %s has left there are not on record", reader.Name(), of.Name(), request.ID.Short()),
			Next:     request.Mode.Afresh(),
			Operator: request.Mode.Restart(),
		}
	}
	return pipeline.NeededOutputs{Stack: of.Stack, Values: left.Values}, nil
}

// plannedNeeded are the outputs of a stack that a request only plans.
func plannedNeeded(ctx context.Context, s Records, request pipeline.Request, of pipeline.Target) (pipeline.NeededOutputs, error) {
	status, err := neededStatus(ctx, s, request, of)
	if err != nil {
		return pipeline.NeededOutputs{}, err
	}
	needed := pipeline.NeededOutputs{Stack: of.Stack}
	switch {
	case status.Result.Outcome == pipeline.OutcomeDeferred:
		needed.Unknown = fmt.Sprintf("%s itself depends on outputs that are not known yet", of.Name())
	case !status.Result.Outcome.Succeeded() || status.Receipt == nil:
		needed.Unknown = fmt.Sprintf("%s has no plan that succeeded (%s)", of.Name(), status.Result.Outcome)
	default:
		needed.Values, err = openPlannedOutputs(ctx, s, status.Folder, *status.Receipt)
	}
	if errors.Is(err, pipeline.ErrNotFound) { // it is written before the record of the plan, and stays
		err = fmt.Errorf("%s: %w: the outputs of its plan are gone", status.Folder.Key(ObjectPlanned), pipeline.ErrTampered)
	}
	if err != nil {
		return needed, TamperedOr(err, fmt.Sprintf("the outputs that the plan of %s shows", of))
	}
	return needed, nil
}

func neededStatus(ctx context.Context, s Records, request pipeline.Request, of pipeline.Target) (TargetStatus, error) {
	status, err := ReadTargetStatus(ctx, s, request, of)
	if err == nil && status.Doubt != nil {
		err = TamperedOr(status.Doubt, fmt.Sprintf("how %s ended, whose outputs are needed,", of))
	}
	return status, err
}
