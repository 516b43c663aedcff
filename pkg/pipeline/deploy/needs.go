package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// deferPlan records that a pull request cannot show a plan of the target yet. What is to be
// applied must be planned, and so its outputs must be known.
func deferPlan(in pipeline.TargetInput, request pipeline.Request, deferred *pipeline.DeferredError, ended *record.Result) error {
	ended.Message, ended.Diagnostics = deferred.Message, deferred.Waits
	if !request.Applies(in.Target()) {
		ended.Outcome, ended.Next = pipeline.OutcomeDeferred, "nothing: after the merge the needed stacks are applied first, and then this one is planned"
		return nil
	}
	return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: fmt.Sprintf("%s cannot be planned: %s", in.Target(), deferred.Message),
		Next: request.Mode.Afresh(), Operator: "apply the needed stacks in this environment first; then " + request.Mode.OperatorAfresh()}
}

// passOutputs keeps the outputs of a plan for the stacks that need them. Those of a plan
// that is not applied stand beside it. Those of a plan without changes are what the target
// has now: no apply will write them.
func (p *Planner) passOutputs(ctx context.Context, folder record.PlanAttempt, request pipeline.Request, receipt pipeline.Receipt, outputs []pipeline.OutputValue) error {
	t := receipt.Target()
	var err error
	switch {
	case !request.Applies(t):
		err = record.SealPlannedOutputs(ctx, p.records(), folder, receipt, outputs)
	case !receipt.HasChanges && request.Mode != pipeline.ModeDestroy && !slices.ContainsFunc(outputs, func(o pipeline.OutputValue) bool { return !o.Known() }):
		left := record.LeftOutputs{RepositoryID: request.Repository.ID, Request: request.ID, Receipt: receipt.Digest(), At: p.Now(), Values: outputs}
		err = record.NoteOutputs(ctx, p.records(), t, left)
	}
	if err != nil {
		return fmt.Errorf("store the outputs of %s for the stacks that need them: %w", t, err)
	}
	return nil
}

// needed are the outputs of the needed stacks as they are now. A plan that was made with
// other ones is refused.
func (a *Applier) needed(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, receipt pipeline.Receipt) ([]pipeline.NeededOutputs, error) {
	if len(in.Customer.Needed(in.Target())) == 0 && receipt.Evidence.Needed() == "" {
		return nil, nil
	}
	needed, err := requestNeeded(ctx, a.records(), request, in.Customer, in.Target())
	if err != nil {
		return nil, err
	}
	mac, err := a.Sealer.MAC(ctx, in.Target())
	if err != nil {
		return nil, fmt.Errorf("get the key of the digest of the outputs that %s needs: %w", in.Target(), err)
	}
	sum, err := pipeline.SumNeeded(mac, needed)
	if err != nil {
		return nil, err
	}
	if same, _ := pipeline.SameFingerprint(receipt.Evidence.Needed(), sum); !same {
		return nil, &pipeline.RefusedError{
			Reason:   pipeline.ReasonStaleState,
			Message:  fmt.Sprintf("the outputs of %s have changed since the plan of %s was made", pipeline.JoinNames(in.Customer.Manager.NeedsOf(in.Stack)), in.Target()),
			Next:     request.Mode.Afresh(),
			Operator: request.Mode.Restart(),
		}
	}
	return needed, nil
}

// openOutputs notes that the outputs are not known from here on, where other stacks need them:
// an apply that is killed leaves others than those on record.
func (a *Applier) openOutputs(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, ended *applyWork) (err error) {
	if ended.reader == nil {
		return nil
	}
	if ended.mark, err = record.OpenOutputs(ctx, a.Store, in.Target(), request.ID, a.Now()); err != nil {
		return fmt.Errorf("note that the outputs of %s are not known from here on: %w", in.Target(), err)
	}
	return nil
}

// noteOutputs writes down which outputs an apply has left, also one that failed. Where they
// are not known, the older ones are not those of the target any more; where nothing began,
// they still are.
func (a *Applier) noteOutputs(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, ended applyWork) error {
	if !ended.started {
		return a.Store.Delete(ctx, ended.mark)
	}
	if ended.values == nil {
		return record.ForgetOutputs(ctx, a.Store, in.Target())
	}
	return record.NoteOutputs(ctx, a.records(), in.Target(), record.LeftOutputs{RepositoryID: request.Repository.ID, Request: request.ID, Receipt: ended.receipt.Digest(), At: ended.At, Values: ended.values})
}
