package ansible

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Plan implements pipeline.Engine: it runs the playbook in check mode. Its file in job.Dir is
// prediction.json. Ansible takes no lock and writes no state, so that each plan is one for
// reading.
func (e *Engine) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	if err := tree.CheckJob(job); err != nil {
		return pipeline.Planned{}, fmt.Errorf("plan %s: %w", job.Target(), err)
	}
	ctx, cancel := process.WithLimit(ctx, "plan", job.Customer.Manager.Limits.PlanTimeout)
	defer cancel()
	planned, err := e.plan(ctx, job)
	if err != nil && ctx.Err() != nil {
		err = process.Stopped(ctx, job.Target(), "plan", "")
	}
	if err != nil {
		planned.Plan.Exactness, planned.Artifacts, planned.Fingerprint = "", nil, ""
	}
	return planned, err
}

// PlanReadOnly implements pipeline.ReadOnlyPlanner.
func (e *Engine) PlanReadOnly(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.Plan(ctx, job)
}

func (e *Engine) plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	tool, err := e.find(ctx, job.Tool())
	if err != nil {
		return pipeline.Planned{}, err
	}
	planned := pipeline.Planned{Evidence: newEvidence(tool.tool()), Plan: pipeline.Plan{Tool: tool.tool()}, Resources: pipeline.NoState().Resources}
	w, err := e.open(ctx, job, tool)
	defer w.close()
	if err != nil {
		var failed *pipeline.FailedError
		if errors.As(err, &failed) {
			planned.Plan.Diagnostics = failed.Diagnostics
		}
		return planned, err
	}
	planned.Evidence = w.evidence
	_, predicted, err := w.predict(ctx, "plan", &planned.Plan)
	if err != nil {
		planned.Plan.Errored = true
		return planned, err
	}
	planned.Fingerprint = w.fingerprint(predicted)
	file := filepath.Join(job.Dir, "prediction.json")
	if err := os.WriteFile(file, predicted, 0o600); err != nil {
		return planned, w.written("keep the prediction", err)
	}
	planned.Artifacts = pipeline.Artifacts{artifactPrediction: file}
	return planned, nil
}

// predict runs the check, and fills in the plan where that is not nil.
func (w *workspace) predict(ctx context.Context, command string, plan *pipeline.Plan) (*run, []byte, error) {
	r, err := w.play(ctx, true)
	if ctx.Err() != nil {
		return r, nil, ctx.Err()
	}
	if err := r.failure(command, err); err != nil {
		var failed *pipeline.FailedError
		if errors.As(err, &failed) && plan != nil {
			plan.Diagnostics = failed.Diagnostics
		}
		return r, nil, err
	}
	predicted, err := r.prediction()
	if err != nil {
		return r, nil, w.failed("encode the prediction", err)
	}
	if plan != nil {
		*plan = r.plan()
	}
	return r, predicted, nil
}

// close removes what is secret of the workspace: keys, passwords, variables and what the vault
// has decrypted. The run directory goes as a whole, but later.
func (w *workspace) close() {
	if w != nil {
		_ = os.RemoveAll(w.private) // what cannot be removed goes with the run directory
	}
}
