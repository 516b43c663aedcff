package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Plan implements pipeline.Engine: it makes a change set, which waits for its apply. Its file in job.Dir is
// plan.json.
func (e *Engine) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.planned(ctx, job, true)
}

// PlanReadOnly implements pipeline.ReadOnlyPlanner: the change set is deleted when it has been read, and so is the
// stack that CloudFormation has made for it.
func (e *Engine) PlanReadOnly(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.planned(ctx, job, false)
}

func (e *Engine) planned(ctx context.Context, job pipeline.Job, keep bool) (pipeline.Planned, error) {
	if err := tree.CheckJob(job); err != nil {
		return pipeline.Planned{}, fmt.Errorf("plan %s: %w", job.Target(), err)
	}
	ctx, cancel := process.WithLimit(ctx, "plan", job.Customer.Manager.Limits.PlanTimeout)
	defer cancel()
	planned, err := e.plan(ctx, job, keep)
	if err != nil && ctx.Err() != nil {
		err = process.Stopped(ctx, job.Target(), "plan", "")
	}
	if err != nil {
		var failed *pipeline.FailedError
		if errors.As(err, &failed) && len(planned.Plan.Diagnostics) == 0 {
			planned.Plan.Diagnostics = failed.Diagnostics
		}
		planned.Plan.Errored = true
		planned.Plan.Exactness, planned.Artifacts, planned.Fingerprint = "", nil, ""
	}
	return planned, err
}

func (e *Engine) plan(ctx context.Context, job pipeline.Job, keep bool) (pipeline.Planned, error) {
	planned := pipeline.Planned{Evidence: newEvidence(), Plan: pipeline.Plan{Tool: tool()}, Resources: pipeline.UnknownResources}
	w, err := e.open(ctx, job)
	defer w.close()
	planned.Evidence = w.evidence
	if err != nil {
		return planned, err
	}
	if w.api, err = e.connect(ctx, job); err != nil {
		return planned, err
	}
	s, err := w.describe(ctx, w.name())
	if err == nil {
		err = w.check(s)
	}
	if err != nil {
		return planned, err
	}
	state, err := w.record(ctx, s)
	if err != nil {
		return planned, err
	}
	planned.Resources = state.Resources
	w.evidence.SetState(state.StateVersion)
	if s.built() {
		w.evidence[evidenceStackID] = s.id
	}
	if job.Destroy {
		err = w.planDestroy(ctx, s, &planned)
	} else {
		err = w.planChanges(ctx, s, keep, &planned)
	}
	return planned, err
}

// planChanges plans what the template and the variables change.
func (w *workspace) planChanges(ctx context.Context, s stack, keep bool, planned *pipeline.Planned) error {
	if keep {
		w.removeExpired(ctx, s)
	}
	c, err := w.create(ctx, s)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept && !c.empty {
			w.abandon(ctx, c, s)
		}
	}()
	p := &planned.Plan
	p.Exactness, p.Complete, p.Compared = pipeline.ExactnessExact, true, w.job.Compared
	sum := pipeline.SHA256Hex
	file := planFile{StackID: c.stackID, ChangeSet: c.id, Declared: w.template.secret, Actions: map[string]string{}}
	said, err := canonical(c)
	if err != nil {
		return w.failed("encode the change set", err)
	}
	file.Changes = sum(said)
	parts := [][]byte{said}
	if !c.empty {
		w.explain(p, c.changes, "")
		for _, nested := range c.nested {
			w.explain(p, nested.changes, nested.prefix)
		}
		if len(p.Changes) == 0 && !p.Unexplained {
			p.Unexplained = true
			w.note(p, "the change set changes no resource, and CloudFormation does not list what else it changes", "outputs, tags or the description of the stack")
		}
		// Outputs and secret values are in nothing that CloudFormation says of a change set.
		parts = append(parts, w.template.raw, w.plainValues())
	}
	edits := w.edits()
	for i := range p.Changes {
		file.Actions[p.Changes[i].Address] = string(p.Changes[i].Action)
		w.explainBy(edits, &p.Changes[i])
	}
	w.finish(p)
	planned.Fingerprint = w.fingerprint(parts...)
	if file.Changed = p.HasChanges(); !file.Changed {
		file.ChangeSet = ""
		if file.Outputs, err = w.outputsOf(s, w.template.secret); err != nil {
			return err
		}
	}
	w.evidence[evidenceStackID], w.evidence[evidenceChangeSet], w.evidence[evidenceValues] = file.StackID, file.ChangeSet, w.sumValues()
	planned.Artifacts, err = w.writePlan(file)
	kept = err == nil && keep && file.Changed
	return err
}

// explain fills in the plan from the changes of one stack; prefix stands before the names of a nested one.
func (w *workspace) explain(p *pipeline.Plan, changes []types.Change, prefix string) {
	w.model(p, changes, prefix)
	var conditional, dynamic []string
	for _, change := range changes {
		r := change.ResourceChange
		if r == nil {
			continue
		}
		address := prefix + str(r.LogicalResourceId)
		if r.Replacement == types.ReplacementConditional {
			conditional = append(conditional, address)
		}
		if r.Action == types.ChangeActionDynamic {
			dynamic = append(dynamic, address)
		}
	}
	if len(conditional) > 0 {
		w.note(p, "CloudFormation decides during the apply whether it replaces these; they are counted as replaced", strings.Join(conditional, "\n"))
	}
	if len(dynamic) > 0 {
		w.note(p, "CloudFormation decides during the apply what it does with these", strings.Join(dynamic, "\n"))
	}
}
