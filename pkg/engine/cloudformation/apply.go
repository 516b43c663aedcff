package cloudformation

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	cfn "github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Apply implements pipeline.Engine. AWS is asked nothing before artifacts, tree, template and variables were compared
// with the receipt. Then the stack must be the one of the plan, and its change set as it was shown.
func (e *Engine) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if err := tree.CheckJob(job); err != nil {
		return pipeline.Applied{}, fmt.Errorf("apply %s: %w", job.Target(), err)
	}
	if err := checkStored(plan); err != nil {
		return pipeline.Applied{}, err
	}
	ctx, cancel := process.WithLimit(ctx, "apply", job.Customer.Manager.Limits.ApplyTimeout)
	defer cancel()
	applied, end, err := e.apply(ctx, job, plan)
	if err != nil && ctx.Err() != nil {
		done := ""
		if applied.Started {
			done = doneText(applied.Done) + "; " + end + "; " + plan.Receipt.Mode.Afresh()
		}
		return applied, process.Stopped(ctx, job.Target(), "apply", done)
	}
	return applied, err
}

// apply returns beside what was done how a stopped operation stands.
func (e *Engine) apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, string, error) {
	file, err := readPlan(plan.Artifacts[artifactPlan])
	if err != nil {
		return pipeline.Applied{}, "", fmt.Errorf("read the plan of %s: %w", job.Target(), err)
	}
	w, err := e.open(ctx, job)
	defer w.close()
	if err != nil {
		return pipeline.Applied{}, "", err
	}
	if err := w.same(plan.Receipt, file); err != nil {
		return pipeline.Applied{}, "", err
	}
	if w.api, err = e.connect(ctx, job); err != nil {
		return pipeline.Applied{}, "", err
	}
	s, err := w.compare(ctx, plan.Receipt, file)
	if err != nil {
		return pipeline.Applied{}, "", err
	}
	start := w.execute
	if file.Destroy {
		start = w.remove
		if !s.built() {
			if err := w.removeUnbuilt(ctx, s); err != nil {
				return pipeline.Applied{}, "", err
			}
			return pipeline.Applied{State: &pipeline.StateRecord{}}, "", nil
		}
	} else if file.ChangeSet == "" {
		state, err := w.record(ctx, s)
		return pipeline.Applied{State: &state}, "", err
	}
	return w.carryOut(ctx, s, file, plan.Receipt.Mode, start)
}

// compare refuses a stack that is not as the plan has found it.
func (w *workspace) compare(ctx context.Context, receipt pipeline.Receipt, file planFile) (stack, error) {
	stale := func(message string) error {
		return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: message, Next: receipt.Mode.Afresh(), Operator: receipt.Mode.Restart()}
	}
	s, err := w.describe(ctx, w.name())
	if err != nil {
		return s, err
	}
	none := file.Destroy && !s.built() // one that was only made for change sets is none
	if s.version() != receipt.Evidence.State() || s.id != file.StackID && !none {
		return s, stale(fmt.Sprintf("the stack %s is not as the plan has found it: someone has changed or deleted it since, or it is one of another account or region", w.name()))
	}
	if err := w.check(s); err != nil || file.Destroy || file.ChangeSet == "" {
		return s, err
	}
	c, err := w.read(ctx, file.ChangeSet)
	if errors.Is(err, errGone) {
		return s, stale("the change set of the plan is gone: it was executed, deleted, or taken away by another one")
	}
	if err != nil {
		return s, err
	}
	said, err := canonical(c)
	switch {
	case err != nil:
		return s, w.failed("encode the change set", err)
	case c.execution != types.ExecutionStatusAvailable:
		return s, stale(fmt.Sprintf("the change set of the plan cannot be executed any more (%s)", c.execution))
	case pipeline.SHA256Hex(said) != file.Changes || c.stackID != file.StackID:
		return s, stale("the change set does not say any more what the plan has shown")
	}
	return s, nil
}

// execute starts the change set.
func (w *workspace) execute(ctx context.Context, file planFile, token string) error {
	_, err := w.api.ExecuteChangeSet(ctx, &cfn.ExecuteChangeSetInput{ChangeSetName: aws.String(file.ChangeSet), ClientRequestToken: &token})
	return err
}

// carryOut starts an operation and follows it.
func (w *workspace) carryOut(ctx context.Context, s stack, file planFile, mode pipeline.Mode, start func(context.Context, planFile, string) error) (pipeline.Applied, string, error) {
	if err := w.noteApplied(file.StackID); err != nil {
		return pipeline.Applied{}, "", err
	}
	if err := ctx.Err(); err != nil {
		return pipeline.Applied{}, "", err
	}
	o := w.operate(s, file.StackID, unique(), file.Actions)
	// A request that is sent is answered, so that it is known whether the operation has begun.
	if err := start(context.WithoutCancel(ctx), file, o.token); err != nil {
		if begun, applied, err := w.notStarted(ctx, o, mode, err); !begun {
			return applied, "", err
		}
	}
	last, err := o.follow(ctx)
	end := ""
	if ctx.Err() != nil {
		last, end = o.stop(ctx)
		err = ctx.Err()
	}
	applied := pipeline.Applied{Started: true, Done: o.applied(), Diagnostics: o.reasons}
	w.left(ctx, &applied, last)
	if err != nil {
		if ctx.Err() == nil {
			err = &pipeline.FailedError{Message: fmt.Sprintf("the stack %s cannot be watched any more; %s; CloudFormation goes on with it", w.name(), doneText(applied.Done)), Next: pipeline.ProviderNext,
				Operator: "look how the stack stands in CloudFormation; the next plan waits for its end", Diagnostics: o.reasons, Err: err}
		}
		return applied, end, err
	}
	if failure := w.outcome(last, o, mode); failure != nil {
		return applied, end, failure
	}
	w.showOutputs(&applied, last)
	return applied, end, nil
}

// notStarted is the end of an operation whose request has failed. begun: it goes on all the same, since the answer
// alone was lost.
func (w *workspace) notStarted(ctx context.Context, o *operation, mode pipeline.Mode, cause error) (begun bool, applied pipeline.Applied, err error) {
	switch c := code(cause); {
	case c == "":
		look, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		if err := o.events(look); err == nil && o.began {
			return true, applied, nil
		}
		return false, pipeline.Applied{Started: true}, w.refused("execute the plan on the stack "+w.name(), cause)
	case c == "InvalidChangeSetStatus" || c == "TokenAlreadyExistsException" || isMissing(cause) || c == "OperationInProgressException":
		// Where an answer was lost, the same request was sent again.
		if err := o.events(ctx); err == nil && o.began {
			return true, applied, nil
		}
		return false, applied, &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Next: mode.Afresh(), Operator: mode.Restart(),
			Message: "CloudFormation does not execute the change set any more: " + w.filter.Text(said(cause))}
	}
	return false, applied, w.refused("execute the plan on the stack "+w.name(), cause)
}

// left notes what the operation has left, where that is known.
func (w *workspace) left(ctx context.Context, applied *pipeline.Applied, last stack) {
	if last.id == "" && last.status == "" || last.busy() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	if state, err := w.record(ctx, last); err == nil {
		applied.State = &state
	}
}

func (w *workspace) showOutputs(applied *pipeline.Applied, last stack) {
	if values, err := w.outputsOf(last, w.template.secret); err == nil {
		applied.Outputs = w.shown(values)
	} else {
		d := pipeline.Diagnostic{Warning: true, Summary: "the outputs cannot be shown: " + err.Error()}
		w.log.Diagnostic(d)
		applied.Diagnostics = append(applied.Diagnostics, d)
	}
}

// outcome is the error of an operation that did not go well; nil for one that did.
func (w *workspace) outcome(last stack, o *operation, mode pipeline.Mode) error {
	switch last.status {
	case types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusImportComplete, types.StackStatusDeleteComplete:
		return nil
	}
	failed := &pipeline.FailedError{Message: fmt.Sprintf("the apply of %s failed: the stack %s is %s", w.job.Target(), w.name(), last.status), Next: pipeline.ProviderNext,
		Operator: "correct what the events of the stack say", Diagnostics: o.reasons}
	for _, d := range o.reasons {
		if d.Address == "" {
			continue
		}
		failed.Message += "; " + d.Summary
		if d.Source.File != "" {
			failed.Message += fmt.Sprintf(" (%s)", d.Source)
			failed.Next, failed.Operator = d.Remedy, ""
		}
		break
	}
	then := mode.OperatorAfresh()
	switch last.status {
	case types.StackStatusUpdateRollbackComplete, types.StackStatusImportRollbackComplete:
		failed.Message += "; CloudFormation has undone what it had done, so that the stack is as it was before"
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed:
		failed.Message += "; the stack was new, and can only be deleted now"
		then = fmt.Sprintf("delete it with `aws cloudformation delete-stack --stack-name %s --region %s`; then %s", w.name(), w.api.region, then)
	case types.StackStatusUpdateRollbackFailed, types.StackStatusImportRollbackFailed:
		failed.Message += "; the rollback failed, too"
		then = fmt.Sprintf("run `aws cloudformation continue-update-rollback --stack-name %s --region %s`; then %s", w.name(), w.api.region, then)
	}
	if failed.Operator != "" {
		failed.Operator += "; " + then
	} else {
		failed.Next += "; then " + mode.Afresh()
	}
	return failed
}

func doneText(done []pipeline.AppliedResource) string {
	return pipeline.DoneText(done, "resource was changed", "resources were changed")
}
