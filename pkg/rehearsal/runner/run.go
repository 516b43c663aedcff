package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/rhysd/actionlint"
)

// Play executes the run to its end. A job that fails is part of the Result; the error says that the run
// could not be executed, with the file and line where those are known. When ctx is done the run is
// cancelled: what asks for always() or cancelled() still runs.
func (r *Run) Play(ctx context.Context) (Result, error) {
	if err := r.check(r.Workflow); err != nil {
		return Result{}, err
	}
	if r.Groups == nil {
		r.Groups = &Groups{}
	}
	p := &play{Run: r}
	inputs, err := dispatchInputs(r.Workflow, r.Event)
	if err != nil {
		return Result{}, err
	}
	top := &frame{play: p, w: r.Workflow, inputs: inputs, settings: r.Host.Settings("")}
	for _, secret := range top.settings.Secrets {
		r.Masks.Add(secret)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.cancel = cancel
	l, err := top.limit(r.Workflow.Concurrency, "", top.scope().at("concurrency"))
	if err != nil {
		return Result{}, err
	}
	leave, err := r.Groups.enter(ctx, l, cancel)
	if err != nil { // it waited in vain
		return Result{Conclusion: Cancelled}, nil
	}
	defer leave()
	result, _ := top.jobs(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	return Result{Conclusion: result, Jobs: p.ended}, errors.Join(p.errs...)
}

// RunName is the name of a run, from `run-name`; empty where the workflow has none.
func (r *Run) RunName() (string, error) {
	if r.Workflow.RunName == nil {
		return "", nil
	}
	inputs, err := dispatchInputs(r.Workflow, r.Event)
	if err != nil {
		return "", err
	}
	f := &frame{play: &play{Run: r}, w: r.Workflow, inputs: inputs, settings: r.Host.Settings("")}
	name, err := f.scope().at("run-name").text(r.Workflow.RunName.Value)
	return name, f.wrong(r.Workflow.RunName.Pos, err)
}

// play is a run that goes on.
type play struct {
	*Run
	cancel  context.CancelFunc
	uploads sync.Mutex // one artifact at a time
	mu      sync.Mutex
	ended   []*Job
	errs    []error
}

// fail ends the run, which cannot be executed.
func (p *play) fail(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	p.errs = append(p.errs, err)
	p.mu.Unlock()
	p.cancel()
}

// frame is one workflow of a run: the first one, or one that a job calls.
type frame struct {
	*play
	w          *Workflow
	path, name string // what its jobs' paths and names begin with
	inputs     map[string]any
	settings   Settings          // secrets and variables that it sees
	most       map[string]string // the permissions of the job that calls it; nil: no limit
	nodes      map[string]*node
}

// node is a job of the file, with all jobs of its matrix.
type node struct {
	done    chan struct{}
	mu      sync.Mutex
	result  string
	outputs map[string]string
}

// scope is what expressions of this workflow see outside of jobs.
func (f *frame) scope() scope {
	github := maps.Clone(f.GitHub)
	github["event"], github["event_name"] = f.Event.Payload, f.Event.Name
	return scope{quoted: f.w.quoted, contexts: map[string]any{"github": github, "inputs": f.inputs, "vars": texts(f.settings.Variables), "secrets": texts(f.settings.Secrets)}}
}

// wrong adds the place to an error.
func (f *frame) wrong(at *actionlint.Pos, err error) error {
	var placed *FileError
	if err == nil || errors.As(err, &placed) {
		return err
	}
	line := 0
	if at != nil {
		line = at.Line
	}
	return &FileError{f.w.File, line, err.Error()}
}

// jobs runs the jobs of the workflow, each as soon as those that it needs have ended.
func (f *frame) jobs(ctx context.Context) (result string, outputs map[string]string) {
	f.nodes = map[string]*node{}
	for id := range f.w.Jobs {
		f.nodes[id] = &node{done: make(chan struct{}), outputs: map[string]string{}}
	}
	var all sync.WaitGroup
	for _, id := range sorted(f.w.Jobs) {
		all.Go(func() {
			n := f.nodes[id]
			defer close(n.done)
			for _, need := range f.w.Jobs[id].Needs {
				<-f.nodes[strings.ToLower(need.Value)].done
			}
			result, err := f.start(ctx, id)
			f.fail(err)
			n.result = result
		})
	}
	all.Wait()
	result = Success
	for id, n := range f.nodes {
		switch {
		case n.result == Failure && result != Cancelled, n.result == Cancelled:
			if allowed, _ := f.flag(f.w.Jobs[id].ContinueOnError, scope{contexts: map[string]any{}}); !allowed {
				result = n.result
			}
		}
	}
	if ctx.Err() != nil {
		result = Cancelled
	}
	outputs, err := f.outputs()
	f.fail(err)
	return result, outputs
}

// outputs are those of a called workflow.
func (f *frame) outputs() (map[string]string, error) {
	event, ok := f.w.FindWorkflowCallEvent()
	if !ok {
		return nil, nil
	}
	jobs := map[string]any{}
	for id, n := range f.nodes {
		jobs[id] = map[string]any{"result": n.result, "outputs": texts(n.outputs)}
	}
	s := f.scope().with("jobs", jobs).at("on.workflow_call.outputs.<output_id>.value")
	out := map[string]string{}
	for _, name := range sorted(event.Outputs) {
		o := event.Outputs[name]
		value, err := s.text(o.Value.Value)
		if err != nil {
			return nil, f.wrong(o.Value.Pos, err)
		}
		out[o.Name.Value] = value
	}
	return out, nil
}

// start decides whether a job runs, and runs it with all of its matrix.
func (f *frame) start(ctx context.Context, id string) (result string, err error) {
	job := f.w.Jobs[id]
	if result, kept := f.keep(id, job.ID.Value); kept {
		return result, nil
	}
	s := f.scope().with("needs", f.needs(id))
	cancelled := ctx.Err() != nil
	s.status = f.status(cancelled, id)
	condition := ""
	at := job.Pos
	if job.If != nil {
		condition, at = job.If.Value, job.If.Pos
	}
	runs, err := s.at("jobs.<job_id>.if").condition(condition)
	if err != nil || !runs {
		return Skipped, f.wrong(at, err)
	}
	s.status = nil
	if cancelled { // it has asked for it, and runs like any other
		ctx = context.WithoutCancel(ctx)
	}
	variants := []map[string]any{nil}
	if job.Strategy != nil && job.Strategy.Matrix != nil {
		if variants, err = combinations(job.Strategy.Matrix, s.at("jobs.<job_id>.strategy")); err != nil {
			return Failure, f.wrong(job.Strategy.Matrix.Pos, err)
		}
		if len(variants) == 0 {
			return Failure, &FileError{f.w.File, job.Strategy.Matrix.Pos.Line, "the matrix has no values"}
		}
	}
	return f.variants(ctx, id, variants, s)
}

// variants runs the jobs of a matrix, or the one job without one.
func (f *frame) variants(ctx context.Context, id string, all []map[string]any, s scope) (string, error) {
	job := f.w.Jobs[id]
	failFast, parallel := true, len(all)
	if st := job.Strategy; st != nil {
		if st.FailFast != nil {
			failFast, _ = f.flag(st.FailFast, s.at("jobs.<job_id>.strategy"))
		}
		if st.MaxParallel != nil && st.MaxParallel.Expression == nil && st.MaxParallel.Value > 0 {
			parallel = min(parallel, st.MaxParallel.Value)
		}
	}
	group, stop := context.WithCancel(ctx)
	defer stop()
	turns := make(chan struct{}, parallel)
	results, errs := make([]string, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	for i, matrix := range all {
		turns <- struct{}{}
		wait.Go(func() {
			defer func() { <-turns }()
			sees := s
			if matrix != nil {
				sees = sees.with("matrix", matrix).with("strategy", map[string]any{"fail-fast": failFast, "job-index": float64(i), "job-total": float64(len(all)), "max-parallel": float64(parallel)})
			} else {
				sees = sees.with("matrix", nil).with("strategy", map[string]any{"fail-fast": true, "job-index": 0.0, "job-total": 1.0, "max-parallel": 1.0})
			}
			results[i], errs[i] = f.variant(group, id, matrix, sees)
			if failFast && results[i] == Failure && len(all) > 1 {
				stop()
			}
		})
	}
	wait.Wait()
	result := Success
	for _, r := range results {
		if r == Failure || r == Cancelled && result == Success {
			result = r
		}
	}
	return result, errors.Join(errs...)
}

// needs is the context of that name.
func (f *frame) needs(id string) map[string]any {
	out := map[string]any{}
	for _, need := range f.w.Jobs[id].Needs {
		n := f.nodes[strings.ToLower(need.Value)]
		out[need.Value] = map[string]any{"result": n.result, "outputs": texts(n.outputs)}
	}
	return out
}

// status answers the functions that ask how things went, for the `if` of a job: success() also wants that no
// job before those that are needed was passed over (https://github.com/actions/runner/issues/2205).
func (f *frame) status(cancelled bool, id string) func(string) bool {
	well, failed := true, false
	for _, a := range f.w.ancestors(id) {
		well = well && f.nodes[a].result == Success
		failed = failed || f.nodes[a].result == Failure
	}
	return func(function string) bool {
		switch function {
		case "success":
			return well && !cancelled
		case "failure":
			return failed && !cancelled
		case "cancelled":
			return cancelled
		}
		return true
	}
}

// flag evaluates a value that is true or false.
func (f *frame) flag(b *actionlint.Bool, s scope) (bool, error) {
	if b == nil || b.Expression == nil {
		return b != nil && b.Value, nil
	}
	v, err := s.value(b.Expression.Value)
	if text, ok := v.(string); ok {
		return text == "true", f.wrong(b.Pos, err)
	}
	return truthy(v), f.wrong(b.Pos, err)
}

// minutes evaluates a number of minutes; without one it is otherwise.
func (f *frame) minutes(n *actionlint.Float, otherwise time.Duration, s scope) (time.Duration, error) {
	if n == nil {
		return otherwise, nil
	}
	minutes := n.Value
	if n.Expression != nil {
		v, err := s.value(n.Expression.Value)
		if err != nil {
			return 0, f.wrong(n.Pos, err)
		}
		minutes = toNumber(v)
	}
	if !(minutes > 0) || minutes > 1e6 {
		return 0, f.wrong(n.Pos, fmt.Errorf("%v is no number of minutes", minutes))
	}
	return time.Duration(minutes * float64(time.Minute)), nil
}

// limit evaluates a concurrency group.
func (f *frame) limit(c *actionlint.Concurrency, job string, s scope) (limit, error) {
	if c == nil {
		return limit{}, nil
	}
	group, err := s.text(c.Group.Value)
	if err != nil {
		return limit{}, f.wrong(c.Group.Pos, err)
	}
	cancel, err := f.flag(c.CancelInProgress, s)
	l := limit{group: group, cancel: cancel, most: 1}
	if f.w.queues[job] == "max" {
		l.most = maxWaiting
	}
	return l, err
}
