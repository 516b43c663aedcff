package terraform

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/planjson"
	"github.com/metapipe/metapipe/pkg/engine/terraform/trace"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Plan implements pipeline.Engine. It starts three processes: init, plan and
// show. Its files lie in job.Dir: plan.tfplan, plan.json and plan.bundle.tar; a
// scratch state is scratch.tfstate.
func (e *Engine) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.limitedPlan(ctx, job, false)
}

// PlanReadOnly implements pipeline.ReadOnlyPlanner.
func (e *Engine) PlanReadOnly(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.limitedPlan(ctx, job, true)
}

func (e *Engine) limitedPlan(ctx context.Context, job pipeline.Job, readOnly bool) (pipeline.Planned, error) {
	if err := checkJob(job); err != nil {
		return pipeline.Planned{}, fmt.Errorf("plan %s: %w", target(job), err)
	}
	ctx, cancel := process.WithLimit(ctx, "plan", job.Customer.Manager.Limits.PlanTimeout)
	defer cancel()
	planned, err := e.plan(ctx, job, readOnly)
	if err != nil && ctx.Err() != nil {
		return planned, process.Stopped(ctx, job.Target(), "plan", "")
	}
	return withoutPlan(planned, err)
}

func (e *Engine) plan(ctx context.Context, job pipeline.Job, readOnly bool) (pipeline.Planned, error) {
	tool, err := e.locate(ctx, job.Tool(), job.Log)
	if err != nil {
		return pipeline.Planned{}, err
	}
	planned := newPlanned(tool.ToolVersion())
	w, err := e.open(ctx, job, tool, readOnly)
	if err != nil {
		return planned, err
	}
	code, err := tree.CodeFor(w.code.Digest(), w.tree, job.Customer.Name)
	if err != nil {
		return planned, w.failed("read the customer's file", err)
	}
	planned.Evidence.SetManager(w.digest, code)
	if err := w.feed(); err != nil {
		var failed *pipeline.FailedError
		if errors.As(err, &failed) {
			planned.Plan.Diagnostics = failed.Diagnostics
		}
		return planned, err
	}
	output, err := w.init(ctx)
	if err != nil {
		planned.Plan.Errored = true
		planned.Plan.Diagnostics = w.diagnose(output.Diagnostics, w.fed)
		return planned, w.failure(ctx, "init", err, planned.Plan.Diagnostics)
	}
	if planned.Evidence[evidenceModules], err = w.modulesDigest(); err != nil {
		return planned, w.failed("read the modules", err)
	}
	return w.plan(ctx, planned, output)
}

// plan runs plan and show in a workspace that is initialized. A plan that
// stopped at an error is shown too, as far as it came.
func (w *workspace) plan(ctx context.Context, planned pipeline.Planned, initialized *output.Stream) (pipeline.Planned, error) {
	file := filepath.Join(w.job.Dir, "plan.tfplan")
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return planned, w.failed("remove an old plan", err)
	}
	args := append([]string{"plan", "-input=false", "-json", "-out=" + file}, w.lockArgs()...)
	if w.job.Destroy {
		args = append(args, "-destroy")
	}
	if w.vars != "" {
		args = append(args, "-var-file="+w.vars)
	}
	output, failure := w.runJSON(ctx, args...)
	found := append(initialized.Diagnostics, output.Diagnostics...)
	reading := planjson.Reading{Plan: planned.Plan, Filter: w.fed}
	if failure == nil || isFile(file) {
		var err error
		if reading, err = w.show(ctx, file, &planned); err != nil && failure == nil {
			return planned, err
		}
	}
	planned.Plan = reading.Plan
	trace.NewTracer(w.traced()).Explain(&planned.Plan, reading.Filter)
	planned.Plan.Diagnostics = w.diagnose(found, reading.Filter)
	if warning := w.homeWarning(reading.Homed); warning != nil {
		planned.Plan.Diagnostics = append(planned.Plan.Diagnostics, *warning)
		w.log.Diagnostic(*warning)
	}
	if failure != nil {
		return failedPlan(planned), w.failure(ctx, "plan", failure, planned.Plan.Diagnostics)
	}
	if reading.Placed != "" && !w.readOnly {
		return failedPlan(planned), w.placedError(reading.Placed)
	}
	return w.collect(ctx, planned, file)
}

// jsonFile is where the JSON of the plan goes.
func (w *workspace) jsonFile() string { return filepath.Join(w.job.Dir, "plan.json") }

// show writes the plan JSON to a file and reads it from there.
func (w *workspace) show(ctx context.Context, file string, planned *pipeline.Planned) (planjson.Reading, error) {
	empty := planjson.Reading{Plan: planned.Plan, Filter: w.fed}
	out := w.jsonFile()
	if err := w.exec(ctx, out, "show", "-json", "-no-color", file); err != nil {
		diagnostics := w.diagnose(output.PlainTextDiagnostics(w.stderr("show")), w.fed)
		return empty, w.failure(ctx, "show", err, diagnostics)
	}
	json, err := os.Open(out)
	if err != nil {
		return empty, w.failed("read the plan", err)
	}
	defer json.Close()
	reading, err := planjson.Parse(bufio.NewReaderSize(json, 256<<10), planjson.ReadOptions{
		Tool:    w.tool.ToolVersion(),
		MAC:     w.job.MAC,
		Places:  w.places(),
		Home:    w.engine.options.Environ.Home(),
		Secrets: w.knownSecrets(),
	})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		// The tool does not look whether its output could be written.
		return empty, &pipeline.FailedError{
			Message: fmt.Sprintf("the JSON of the plan of %s ends in the middle: was there space for it in %s?", target(w.job), w.job.Dir),
			Next:    pipeline.ProviderNext, Operator: fullDiskAdvice, Err: err,
		}
	}
	if err != nil {
		return empty, w.failed("read the plan", err)
	}
	planned.Fingerprint = reading.Fingerprint
	return reading, nil
}

// collect gathers what an apply needs beside the plan.
func (w *workspace) collect(ctx context.Context, planned pipeline.Planned, file string) (pipeline.Planned, error) {
	if err := os.Chmod(file, 0o600); err != nil {
		return planned, w.failed("protect the plan", err)
	}
	bundle := filepath.Join(w.job.Dir, "plan.bundle.tar")
	state, err := w.planState(ctx, file)
	if err != nil {
		return planned, w.failed("plan", err)
	}
	planned.Resources = countedIn(planned.Plan, state)
	planned.Evidence.SetState(state.StateVersion)
	if planned.Evidence[evidenceLockFile], err = w.lockFile(); err != nil {
		return planned, w.failed("read the dependency lock file", err)
	}
	if _, err = tree.WriteBundle(bundle, w.tree, w.copied, w.ownFiles()); err != nil {
		return planned, w.written("keep what init and plan wrote", err)
	}
	planned.Artifacts = pipeline.Artifacts{artifactPlan: file, artifactJSON: w.jsonFile(), artifactBundle: bundle}
	planned.Plan.Exactness = pipeline.ExactnessExact
	return planned, nil
}
