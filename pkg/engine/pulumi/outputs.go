package pulumi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// outputsTime bounds how long the outputs are read after an apply.
const outputsTime = time.Minute

// clearOutput is an output in clear, with what of it is sensitive and not known.
type clearOutput struct {
	Value     any  `json:"value"`
	Sensitive any  `json:"sensitive"`
	Unknown   bool `json:"unknown"`
}

// clearOutputs decrypts the outputs of a stack.
func (w *workspace) clearOutputs(raw json.RawMessage) (map[string]clearOutput, error) {
	return w.crypt.outputs(raw)
}

func (c *crypter) outputs(raw json.RawMessage) (map[string]clearOutput, error) {
	value, err := jsonvalue.Decode(raw)
	if err != nil {
		return nil, err
	}
	object, _ := value.(map[string]any)
	outputs := map[string]clearOutput{}
	for name, member := range object {
		o := clearOutput{}
		if o.Value, o.Sensitive, err = c.reveal(member, func(any) {}); err != nil {
			return nil, err
		}
		_, _, unknown := marked(o.Value)
		o.Unknown = jsonvalue.ContainsTrue(unknown)
		outputs[name] = o
	}
	return outputs, nil
}

// stored are the outputs of the stack in the state.
func (w *workspace) storedOutputs() (map[string]clearOutput, error) {
	root, _ := w.state.root()
	return w.clearOutputs(root.Outputs)
}

// outputChanges are the outputs that a plan changes.
func (w *workspace) outputChanges(p saved) ([]pipeline.OutputChange, error) {
	before, err := w.storedOutputs()
	if err != nil {
		return nil, err
	}
	after, err := w.clearOutputs(p.rootState())
	if err != nil {
		return nil, err
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	var changes []pipeline.OutputChange
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x, was := before[name]
		y, is := after[name]
		change := pipeline.OutputChange{Name: name, Action: pipeline.ActionUpdate, Before: x.show(was), After: y.show(is)}
		switch {
		case !was:
			change.Action = pipeline.ActionCreate
		case !is:
			change.Action = pipeline.ActionDelete
		case !y.Unknown && jsonvalue.Equal(x.Value, y.Value) && jsonvalue.SameMarks(x.Sensitive, y.Sensitive):
			continue
		}
		changes = append(changes, change)
	}
	return changes, nil
}

func (o clearOutput) show(present bool) pipeline.Value {
	s := jsonvalue.Side{Value: o.Value, Present: present, Sensitive: o.Sensitive}
	switch {
	case !present:
		return pipeline.Value{}
	case o.Unknown:
		return pipeline.Value{Unknown: true}
	case jsonvalue.ContainsTrue(o.Sensitive):
		return jsonvalue.Hide(s, true)
	}
	return jsonvalue.Show(s)
}

// shownOutputs are the outputs after an apply.
func shownOutputs(outputs map[string]clearOutput) []pipeline.Output {
	var shown []pipeline.Output
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		o := pipeline.Output{Name: name}
		if v := outputs[name].show(true); v.Sensitive || v.Unknown {
			o.Sensitive = true
		} else {
			o.Value = v.Text
		}
		shown = append(shown, o)
	}
	return shown
}

// outputValues are outputs for other stacks.
func outputValues(job pipeline.Job, outputs map[string]clearOutput) ([]pipeline.OutputValue, error) {
	values := []pipeline.OutputValue{}
	for _, name := range slices.Sorted(maps.Keys(outputs)) {
		o := pipeline.OutputValue{Name: name, Sensitive: jsonvalue.ContainsTrue(outputs[name].Sensitive)}
		if !outputs[name].Unknown {
			var err error
			if o.Value, err = json.Marshal(outputs[name].Value); err != nil {
				return nil, fmt.Errorf("read the outputs of %s: %w", job.Target(), err)
			}
		}
		values = append(values, o)
	}
	if err := pipeline.CheckOutputs(values); err != nil {
		return nil, &pipeline.FailedError{Message: fmt.Sprintf("the outputs of %s cannot be passed to the stacks that need them: %v", job.Target(), err),
			Next: pipeline.ProviderNext, Operator: "put out less in " + job.Root()}
	}
	return values, nil
}

// PlannedOutputs implements pipeline.OutputReader: it reads them from the saved plan.
func (e *Engine) PlannedOutputs(job pipeline.Job, planned pipeline.Planned) ([]pipeline.OutputValue, error) {
	fail := func(err error) ([]pipeline.OutputValue, error) {
		return nil, fmt.Errorf("read the outputs of the plan of %s: %w", job.Target(), err)
	}
	if job.Destroy {
		return []pipeline.OutputValue{}, nil
	}
	plan, err := os.ReadFile(planned.Artifacts[artifactPlan])
	if err != nil {
		return fail(err)
	}
	settings, err := os.ReadFile(planned.Artifacts[artifactSettings])
	if err != nil {
		return fail(err)
	}
	w, err := e.reader(context.Background(), job, settings)
	if err != nil {
		return fail(err)
	}
	p, err := w.readSaved(plan)
	if err != nil {
		return fail(err)
	}
	after, err := w.clearOutputs(p.rootState())
	if err != nil {
		return fail(err)
	}
	for _, change := range planned.Plan.Outputs {
		if o, is := after[change.Name]; is {
			o.Unknown = true // a value that the plan changes is not one yet
			after[change.Name] = o
		}
	}
	return outputValues(job, after)
}

// reader is a workspace that reads what was made with the settings of a stack, and runs nothing.
func (e *Engine) reader(ctx context.Context, job pipeline.Job, settings []byte) (*workspace, error) {
	w := e.workspaceOf(job, binary{})
	var err error
	if w.place, err = e.placeOf(job); err != nil {
		return nil, err
	}
	salt, err := saltOf(settings)
	if err != nil {
		return nil, err
	}
	all, err := w.passphrases(ctx)
	if err != nil {
		return nil, err
	}
	w.crypt, err = w.crypterFor(all, salt)
	return w, err
}

// saltOf is the salt in the settings of a stack.
func saltOf(settings []byte) (string, error) {
	var salted struct {
		Salt string `yaml:"encryptionsalt"`
	}
	if err := yaml.Unmarshal(settings, &salted); err != nil || salted.Salt == "" {
		return "", errors.New("the settings of the stack have no salt")
	}
	return salted.Salt, nil
}

// AppliedOutputs implements pipeline.OutputReader: they are in the state that the apply has
// left.
func (e *Engine) AppliedOutputs(ctx context.Context, job pipeline.Job, _ pipeline.StoredPlan) ([]pipeline.OutputValue, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outputsTime)
	defer cancel()
	if _, err := os.Stat(filepath.Join(job.Dir, "workspace", appliedMark)); err != nil {
		return nil, fmt.Errorf("read the outputs of %s: no apply has ended here: %w", job.Target(), err)
	}
	w := e.workspaceOf(job, binary{})
	var err error
	if w.place, err = e.placeOf(job); err != nil {
		return nil, err
	}
	if err := w.readState(ctx); err != nil {
		return nil, err
	}
	outputs, err := w.storedOutputs()
	if err != nil {
		return nil, w.failed("read the outputs", err)
	}
	return outputValues(job, outputs)
}
