package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// requestNeeded are the outputs of the stacks that a target needs, as a request sees them.
// Where the request applies a needed stack, they are those that this apply has left; where
// it only plans that stack, they are those that the plan leaves as they are.
func requestNeeded(ctx context.Context, s record.Records, request pipeline.Request, c pipeline.Customer, t pipeline.Target) ([]pipeline.NeededOutputs, error) {
	var all []pipeline.NeededOutputs
	for _, of := range c.Needed(t) {
		var needed pipeline.NeededOutputs
		var err error
		switch {
		case !request.WorksOn(of):
			needed, err = record.NeededOf(ctx, s, c, of)
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
func appliedNeeded(ctx context.Context, s record.Records, request pipeline.Request, c pipeline.Customer, of, reader pipeline.Target) (pipeline.NeededOutputs, error) {
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
	left, found, err := record.OwnOutputs(ctx, s, c, of)
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
func plannedNeeded(ctx context.Context, s record.Records, request pipeline.Request, of pipeline.Target) (pipeline.NeededOutputs, error) {
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
		needed.Values, err = record.OpenPlannedOutputs(ctx, s, status.Folder, *status.Receipt)
	}
	if errors.Is(err, pipeline.ErrNotFound) { // it is written before the record of the plan, and stays
		err = fmt.Errorf("%s: %w: the outputs of its plan are gone", status.Folder.Key(record.ObjectPlanned), pipeline.ErrTampered)
	}
	if err != nil {
		return needed, record.TamperedOr(err, fmt.Sprintf("the outputs that the plan of %s shows", of))
	}
	return needed, nil
}

func neededStatus(ctx context.Context, s record.Records, request pipeline.Request, of pipeline.Target) (ledger.TargetStatus, error) {
	status, err := ledger.ReadEnd(ctx, s, request, of)
	if err == nil && status.Doubt != nil {
		err = record.TamperedOr(status.Doubt, fmt.Sprintf("how %s ended, whose outputs are needed,", of))
	}
	return status, err
}
