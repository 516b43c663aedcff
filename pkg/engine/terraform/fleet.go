package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/planjson"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Fleet plans many targets of one manager checkout, read-only, and does once per
// root module what `init` would repeat for each of them: to find, check and
// unpack providers and modules. What belongs to a target stays its own: tree,
// variables, data directory, backend, environment and process.
//
// It is safe for concurrent use.
type Fleet struct {
	engine *Engine
	dir    string

	mu    sync.Mutex
	roots map[string]*preparedRoot
}

// NewFleet returns a Fleet that keeps prepared roots below dir (absolute), which
// has to outlast its plans.
func (e *Engine) NewFleet(dir string) pipeline.Fleet { return e.newFleet(dir) }

func (e *Engine) newFleet(dir string) *Fleet {
	return &Fleet{engine: e, dir: dir, roots: map[string]*preparedRoot{}}
}

// Plan is Engine.Plan for a target of which only the plan is of interest: it keeps
// no plan file, and starts one process where nothing changes and two else.
func (f *Fleet) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	if err := checkJob(job); err != nil {
		return pipeline.Planned{}, fmt.Errorf("plan %s: %w", target(job), err)
	}
	ctx, cancel := process.WithLimit(ctx, "plan", job.Customer.Manager.Limits.PlanTimeout)
	defer cancel()
	planned, err := f.plan(ctx, job)
	if err != nil && ctx.Err() != nil {
		return planned, process.Stopped(ctx, job.Target(), "plan", "")
	}
	return withoutPlan(planned, err)
}

// State is Engine.State with the credentials of job's target.
func (f *Fleet) State(ctx context.Context, job pipeline.Job) (pipeline.StateRecord, int64, error) {
	ctx, cancel := process.WithLimit(ctx, "plan", job.Customer.Manager.Limits.PlanTimeout)
	defer cancel()
	engine, err := f.engine.of(ctx, job)
	if err != nil {
		return pipeline.StateRecord{}, 0, err
	}
	state, size, err := engine.State(ctx, job)
	if err != nil && ctx.Err() != nil {
		return state, size, process.Stopped(ctx, job.Target(), "plan", "")
	}
	return state, size, err
}

func (f *Fleet) plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	tool, err := f.engine.locate(ctx, job.Tool(), job.Log)
	if err != nil {
		return pipeline.Planned{}, err
	}
	engine, err := f.engine.of(ctx, job)
	if err != nil {
		return pipeline.Planned{}, err
	}
	root, err := f.root(ctx, job, tool)
	if err != nil {
		var hung *hungError
		if errors.As(err, &hung) {
			return pipeline.Planned{}, &pipeline.FailedError{
				Message:  "plan " + target(job),
				Next:     pipeline.ProviderNext,
				Operator: "look whether the registry and the sources of the modules can be reached from here",
				Err:      err,
			}
		}
		if ctx.Err() != nil {
			return pipeline.Planned{}, err
		}
		return engine.plan(ctx, job, true) // says what is wrong in the terms of this target
	}
	planned := newPlanned(tool.ToolVersion())
	w, err := root.open(engine, job)
	if err != nil {
		return planned, err
	}
	code, err := tree.CodeFor(root.code, filepath.Join(root.dir, "tree"), job.Customer.Name)
	if err != nil {
		return planned, w.failed("read the customer's file", err)
	}
	planned.Evidence.SetManager(root.digest, code)
	if err := w.feed(); err != nil {
		var failed *pipeline.FailedError
		if errors.As(err, &failed) {
			planned.Plan.Diagnostics = failed.Diagnostics
		}
		return planned, err
	}
	if output, err := root.connect(ctx, w); err != nil {
		planned.Plan.Errored = true
		planned.Plan.Diagnostics = w.diagnose(output.Diagnostics, w.fed)
		if ctx.Err() == nil && mentions(planned.Plan.Diagnostics, "provider", "terraform init", "tofu init") {
			return engine.plan(ctx, job, true) // a state that names a provider which the root does not
		}
		return planned, w.failure(ctx, "init", err, planned.Plan.Diagnostics)
	}
	looked, err := w.inspect(ctx, planned)
	if err != nil && ctx.Err() == nil && mentions(looked.Plan.Diagnostics, "terraform init", "tofu init") {
		// This state or its backend needs something that the root does not.
		return engine.plan(ctx, job, true)
	}
	return looked, err
}

// mentions reports whether the tool named one of the words.
func mentions(diagnostics []pipeline.Diagnostic, words ...string) bool {
	for _, d := range diagnostics {
		for _, word := range words {
			if strings.Contains(d.Summary, word) || strings.Contains(d.Detail, word) {
				return true
			}
		}
	}
	return false
}

// inspect plans in a workspace that is ready. Where the tool reports no change,
// there is nothing to show.
func (w *workspace) inspect(ctx context.Context, planned pipeline.Planned) (pipeline.Planned, error) {
	file := filepath.Join(w.job.Dir, "plan.tfplan")
	args := append([]string{"plan", "-input=false", "-json", "-out=" + file}, w.lockArgs()...)
	if w.vars != "" {
		args = append(args, "-var-file="+w.vars)
	}
	output, failure := w.runJSON(ctx, args...)
	reading := planjson.Reading{Plan: planned.Plan, Filter: w.fed}
	if failure != nil {
		planned.Plan.Errored = true
		planned.Plan.Diagnostics = w.diagnose(output.Diagnostics, reading.Filter)
		return planned, w.failure(ctx, "plan", failure, planned.Plan.Diagnostics)
	}
	reading.Plan.Complete = true
	state, err := w.planState(ctx, file)
	if err != nil {
		return planned, w.failed("plan", err)
	}
	// Only a stream that was read to its end shows that nothing changes.
	if output.Changing || !output.Summed {
		if reading, err = w.show(ctx, file, &planned); err != nil {
			return planned, err
		}
	}
	planned.Plan = reading.Plan
	planned.Plan.Diagnostics = w.diagnose(output.Diagnostics, reading.Filter)
	planned.Plan.Exactness = pipeline.ExactnessExact
	planned.Resources = countedIn(planned.Plan, state)
	planned.Evidence.SetState(state.StateVersion)
	return planned, nil
}

// root returns the prepared root of a job. The first one who asks prepares it,
// the others wait; one that could not be prepared is tried a few times.
func (f *Fleet) root(ctx context.Context, job pipeline.Job, tool tool.Binary) (*preparedRoot, error) {
	key := strings.Join(append([]string{job.ManagerDir, job.Root(), tool.Path}, job.Tool().Env...), "\x00")
	f.mu.Lock()
	root := f.roots[key]
	if root == nil {
		root = &preparedRoot{dir: filepath.Join(f.dir, "roots", fmt.Sprintf("%s-%d", job.Tool().Name, len(f.roots)+1)), turn: make(chan struct{}, 1), templates: map[string]*backendTemplate{}}
		f.roots[key] = root
	}
	f.mu.Unlock()
	select {
	case root.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-root.turn }()
	limit := job.Customer.Manager.Limits.PlanTimeout
	switch {
	case root.ready || root.tries == prepareTries:
		return root, root.err
	case root.hangs >= prepareTries && limit <= root.patience:
		return nil, &hungError{root: job.Root(), limit: root.patience}
	}
	root.err = root.prepare(ctx, f, job, tool)
	root.ready = root.err == nil
	var late *process.LimitError
	switch {
	case root.ready || ctx.Err() == nil:
		root.tries++
	case errors.As(context.Cause(ctx), &late):
		root.hangs++
		root.patience = max(root.patience, limit)
	}
	return root, root.err
}

// prepareTries bounds how often a scan tries to prepare a root: a registry that
// did not answer may answer later, a root that is broken stays so.
const prepareTries = 3

// hungError is a root that no one waits for any more: a registry that hangs must
// not cost each target its whole time.
type hungError struct {
	root  string
	limit time.Duration
}

func (e *hungError) Error() string {
	return fmt.Sprintf("the providers and modules of %s were not there within %s, %d times: no further target waits for them", e.root, e.limit, prepareTries)
}

func (e *hungError) Unwrap() error { return context.DeadlineExceeded }

// removeLeftovers clears what an interrupted scan left.
func removeLeftovers(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}
