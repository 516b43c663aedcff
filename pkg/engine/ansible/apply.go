package ansible

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Apply implements pipeline.Engine. Nothing runs before artifacts, tool, tree, inventory and
// variables were compared with the receipt. Then another check must predict what the plan has
// shown, and only then the playbook runs: a predicted plan cannot hold more than that.
func (e *Engine) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if err := tree.CheckJob(job); err != nil {
		return pipeline.Applied{}, fmt.Errorf("apply %s: %w", job.Target(), err)
	}
	if err := checkStored(plan); err != nil {
		return pipeline.Applied{}, err
	}
	ctx, cancel := process.WithLimit(ctx, "apply", job.Customer.Manager.Limits.ApplyTimeout)
	defer cancel()
	applied, err := e.apply(ctx, job, plan)
	if err != nil && ctx.Err() != nil {
		done := ""
		if applied.Started {
			done = doneText(applied.Done) + "; " + plan.Receipt.Mode.Afresh()
		}
		return applied, process.Stopped(ctx, job.Target(), "apply", done)
	}
	return applied, err
}

func (e *Engine) apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	tool, err := e.sameTool(ctx, job, plan.Receipt)
	if err != nil {
		return pipeline.Applied{}, err
	}
	w, err := e.open(ctx, job, tool)
	defer w.close()
	if err != nil {
		return pipeline.Applied{}, err
	}
	if err := w.same(plan.Receipt); err != nil {
		return pipeline.Applied{}, err
	}
	planned, err := os.ReadFile(plan.Artifacts[artifactPrediction])
	if err != nil {
		return pipeline.Applied{}, w.failed("read the prediction of the plan", err)
	}
	var model pipeline.Plan
	_, now, err := w.predict(ctx, "the check before the apply", &model)
	if err != nil {
		return pipeline.Applied{Diagnostics: model.Diagnostics}, err
	}
	if !bytes.Equal(planned, now) {
		return pipeline.Applied{}, &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Next: plan.Receipt.Mode.Afresh(), Operator: plan.Receipt.Mode.Restart(),
			Message: "check mode does not predict any more what the plan has shown: the hosts have changed since, or the playbook does not predict the same twice"}
	}
	return w.carryOut(ctx, plan.Receipt.Mode, planned)
}

// carryOut runs the playbook.
func (w *workspace) carryOut(ctx context.Context, mode pipeline.Mode, planned []byte) (pipeline.Applied, error) {
	r, err := w.play(ctx, false)
	applied := pipeline.Applied{Done: r.done(), Started: r.mayHaveChanged(err)}
	failure := r.failure("apply", err)
	if failure == nil {
		none := pipeline.NoState()
		applied.State = &none
		applied.Diagnostics = r.surplus(planned)
		return applied, nil
	}
	var failed *pipeline.FailedError
	if errors.As(failure, &failed) {
		applied.Diagnostics = failed.Diagnostics
		if applied.Started {
			failed.Message += "; " + doneText(applied.Done)
			if failed.Operator != "" {
				failed.Operator += "; then " + mode.OperatorAfresh()
			} else {
				failed.Next += "; then " + mode.Afresh()
			}
		}
	}
	return applied, failure
}

// mayHaveChanged reports whether a task may have begun.
func (r *run) mayHaveChanged(err error) bool {
	var exit *process.ExitError
	if r.began || r.broken != nil || err == nil {
		return true
	}
	return r.version != "" && (!errors.As(err, &exit) || exit.Code < 0) // it ran, and said no more
}

// done are the tasks that changed something, that failed, or that did not get to their end.
func (r *run) done() []pipeline.AppliedResource {
	done := []pipeline.AppliedResource{}
	add := func(d pipeline.AppliedResource) {
		d.Address = r.w.filter.Text(d.Address)
		done = append(done, d)
	}
	for _, one := range r.results {
		switch {
		case one.changed():
			add(pipeline.AppliedResource{Address: one.address, Action: pipeline.ActionUpdate})
		case one.counts() && (one.Status == "failed" && !one.Ignored || one.Status == "unreachable"):
			add(pipeline.AppliedResource{Address: one.address, Action: pipeline.ActionUpdate, Failed: true})
		}
	}
	var open []int
	for _, i := range r.open {
		open = append(open, i)
	}
	slices.Sort(open)
	for _, i := range open {
		add(pipeline.AppliedResource{Address: r.starts[i].address, Action: pipeline.ActionUpdate, Unfinished: true})
	}
	return done
}

// surplus warns of what was changed although the plan did not predict it.
func (r *run) surplus(planned []byte) []pipeline.Diagnostic {
	var p prediction
	if err := json.Unmarshal(planned, &p); err != nil {
		return []pipeline.Diagnostic{{Warning: true, Summary: "what was done could not be compared with the plan: " + err.Error()}}
	}
	known := map[string]bool{}
	for _, c := range p.Changes {
		known[c.Address] = true
	}
	for _, address := range p.Invocations {
		known[address] = true
	}
	var found []pipeline.Diagnostic
	for _, one := range r.results {
		if one.changed() && !known[one.address] {
			d := pipeline.Diagnostic{Warning: true, Summary: one.address + " has changed something that the plan did not predict", Address: one.address, Where: r.w.place(one.Path)}
			r.w.filter.Diagnostic(&d)
			d.Address = r.w.filter.Text(d.Address)
			r.w.log.Diagnostic(d)
			found = append(found, d)
		}
	}
	return found
}

func doneText(done []pipeline.AppliedResource) string {
	return pipeline.DoneText(done, "task changed something", "tasks changed something")
}
