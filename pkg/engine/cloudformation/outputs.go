package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// outputsTime bounds how long the outputs are read after an apply.
const outputsTime = time.Minute

// outputsOf are the outputs that a stack has. secret are those that hold what a parameter with NoEcho holds.
func (w *workspace) outputsOf(s stack, secret map[string]bool) ([]pipeline.OutputValue, error) {
	outputs := []pipeline.OutputValue{}
	for _, o := range s.outputs {
		raw, err := json.Marshal(str(o.OutputValue))
		if err != nil {
			return nil, w.failed("encode the outputs", err)
		}
		name := str(o.OutputKey)
		outputs = append(outputs, pipeline.OutputValue{Name: name, Value: raw, Sensitive: secret[name] || secretName(name)})
	}
	slices.SortFunc(outputs, func(a, b pipeline.OutputValue) int { return strings.Compare(a.Name, b.Name) })
	if err := pipeline.CheckOutputs(outputs); err != nil {
		return nil, w.failed("read the outputs", err)
	}
	return outputs, nil
}

// PlannedOutputs implements pipeline.OutputReader. CloudFormation does not say which outputs a change set changes, so that
// none is known where it changes anything.
func (e *Engine) PlannedOutputs(job pipeline.Job, planned pipeline.Planned) ([]pipeline.OutputValue, error) {
	p, err := readPlan(planned.Artifacts[artifactPlan])
	if err != nil {
		return nil, fmt.Errorf("read the outputs of the plan of %s: %w", job.Target(), err)
	}
	if !p.Changed {
		return p.Outputs, nil
	}
	outputs := []pipeline.OutputValue{}
	for name, secret := range p.Declared {
		outputs = append(outputs, pipeline.OutputValue{Name: name, Sensitive: secret || secretName(name)})
	}
	slices.SortFunc(outputs, func(a, b pipeline.OutputValue) int { return strings.Compare(a.Name, b.Name) })
	if err := pipeline.CheckOutputs(outputs); err != nil {
		return nil, &pipeline.FailedError{Message: fmt.Sprintf("the outputs of %s cannot be passed to the stacks that need them: %v", job.Target(), err),
			Next: pipeline.ProviderNext, Operator: "put out less in " + job.Root()}
	}
	return outputs, nil
}

// appliedFile names the stack that an apply in a run directory has worked on.
const appliedFile = "applied-stack.json"

type appliedStack struct {
	StackID string          `json:"stack_id"`
	Secret  map[string]bool `json:"secret"`
}

func (w *workspace) noteApplied(id string) error {
	content, err := json.Marshal(appliedStack{StackID: id, Secret: w.template.secret})
	if err == nil {
		err = os.WriteFile(filepath.Join(w.job.Dir, appliedFile), content, 0o600)
	}
	if err != nil {
		return w.written("note the stack of the apply", err)
	}
	return nil
}

// AppliedOutputs implements pipeline.OutputReader.
func (e *Engine) AppliedOutputs(ctx context.Context, job pipeline.Job, _ pipeline.StoredPlan) ([]pipeline.OutputValue, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outputsTime)
	defer cancel()
	content, err := os.ReadFile(filepath.Join(job.Dir, appliedFile))
	if err != nil {
		return nil, fmt.Errorf("read the outputs of %s: no apply has ended in %s: %w", job.Target(), job.Dir, err)
	}
	var of appliedStack
	if err := json.Unmarshal(content, &of); err != nil {
		return nil, fmt.Errorf("read the outputs of %s: %w", job.Target(), err)
	}
	w := e.workspaceOf(job)
	if w.api, err = e.connect(ctx, job); err != nil {
		return nil, err
	}
	s, err := w.describe(ctx, of.StackID)
	if err != nil {
		return nil, err
	}
	if s.busy() {
		return nil, w.failed("read the outputs", fmt.Errorf("the stack %s is busy (%s)", w.name(), s.status))
	}
	return w.outputsOf(s, of.Secret)
}

// shown are outputs as people see them.
func (w *workspace) shown(values []pipeline.OutputValue) []pipeline.Output {
	var outputs []pipeline.Output
	for _, v := range values {
		o := pipeline.Output{Name: v.Name, Value: string(v.Value), Sensitive: v.Sensitive}
		if o.Sensitive {
			o.Value = ""
		}
		w.filter.Output(&o)
		outputs = append(outputs, o)
	}
	return outputs
}
