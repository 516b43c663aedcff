package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The files of outputs in the directory of a workspace.
const (
	plannedOutputsFile = "planned-outputs.json"
	appliedOutputsFile = "applied-outputs.json"
)

// output is one output of the root: a value of an object, by its path.
type output struct {
	name      string
	of        ref
	path      string
	sensitive bool
	where     pipeline.Position
}

// readOutputs reads outputs.yml of a root.
func (v *values) readOutputs(tree, root string) ([]output, error) {
	file := inRoot(root, outputsFile)
	content, err := os.ReadFile(filepath.Join(tree, filepath.FromSlash(file)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	documents, err := decode(file, content)
	if err != nil || len(documents) == 0 {
		return nil, err
	}
	f := &filler{values: v, file: file, ownOnly: true}
	value, err := f.fill(documents[0], nil)
	if err != nil {
		return nil, err
	}
	all, ok := value.(map[string]any)
	if !ok || len(documents) > 1 {
		return nil, f.fail(documents[0], "write NAME: {object: Kind/name, path: status.address}", "it is no map of outputs")
	}
	var outputs []output
	for i := 0; i+1 < len(documents[0].Content); i += 2 {
		n := documents[0].Content[i]
		one, _ := all[n.Value].(map[string]any)
		o := output{name: n.Value, path: textAt(one, "path"), where: pipeline.Position{File: file, Line: n.Line}}
		kind, name, found := strings.Cut(textAt(one, "object"), "/")
		o.of = ref{Kind: kind, Name: name, Namespace: textAt(one, "namespace")}
		o.sensitive, _ = one["sensitive"].(bool)
		known := 0
		for _, key := range []string{"object", "path", "namespace", "sensitive"} {
			if _, there := one[key]; there {
				known++
			}
		}
		if !found || o.path == "" || known != len(one) || pipeline.CheckOutputs([]pipeline.OutputValue{{Name: o.name}}) != nil || !namePattern().MatchString(name) {
			return nil, f.fail(n, "write NAME: {object: Kind/name, path: status.address}; namespace and sensitive are possible, too", "the output %s cannot be read", pipeline.Quote(n.Value))
		}
		outputs = append(outputs, o)
	}
	slices.SortFunc(outputs, func(a, b output) int { return strings.Compare(a.name, b.name) })
	return outputs, nil
}

// source is the object of an output: one of the stack, or a Secret or ConfigMap that something
// in the cluster writes.
func (w *workspace) source(o output) (ref, error) {
	for _, one := range w.objects {
		if one.kind() == o.of.Kind && one.Name == o.of.Name && (o.of.Namespace == "" || o.of.Namespace == one.Namespace) {
			return one.ref, nil
		}
	}
	r := ref{APIVersion: "v1", Kind: o.of.Kind, Namespace: o.of.Namespace, Name: o.of.Name}
	if r.Namespace == "" {
		r.Namespace = w.namespace
	}
	if r.Kind != "Secret" && r.Kind != "ConfigMap" || !w.allows(r.Namespace) {
		return ref{}, w.unfilled(&fillError{where: o.where, message: fmt.Sprintf("the output %s is of %s %s, which is no object of the stack", o.name, o.of.Kind, o.of.Name),
			next: "name an object of the manifests, or a Secret or ConfigMap in a namespace of the stack"})
	}
	return r, nil
}

// value reads an output from its object. What is not there yet is not known.
func (o output) value(object map[string]any) pipeline.OutputValue {
	v := pipeline.OutputValue{Name: o.name, Sensitive: o.sensitive || marksOf(object) != nil || o.of.Kind == "Secret"}
	value, found := any(object), object != nil
	for rest := o.path; rest != "" && found; {
		if strings.HasPrefix(rest, "[") && !strings.HasPrefix(rest, `["`) {
			index, behind, closed := strings.Cut(rest[1:], "]")
			i, err := strconv.Atoi(index)
			items, _ := value.([]any)
			if found = closed && err == nil && i >= 0 && i < len(items); found {
				value, rest = items[i], behind
			}
			continue
		}
		var step string
		step, rest = nextStep(rest)
		value, found = member(value, step)
	}
	if !found {
		return v
	}
	if marksOf(object) != nil && strings.HasPrefix(o.path, "data") {
		text, ok := decoded(value)
		if !ok || !utf8.ValidString(text) {
			return v
		}
		value = text
	}
	v.Value = json.RawMessage(jsonvalue.Text(value, nil))
	return v
}

// outputValues reads all outputs from objects. known reports which of them are what they will
// stay.
func (w *workspace) outputValues(objects found, known func(ref) bool) ([]pipeline.OutputValue, error) {
	values := []pipeline.OutputValue{}
	for _, o := range w.outputs {
		of, err := w.source(o)
		if err != nil {
			return nil, err
		}
		object := objects[of.key()]
		if !known(of.key()) {
			object = nil
		}
		v := o.value(object)
		if v.Sensitive && v.Known() {
			if err := w.secrets.AddRaw(v.Value); err != nil {
				return nil, err
			}
		}
		values = append(values, v)
	}
	w.refilter()
	if err := pipeline.CheckOutputs(values); err != nil {
		return nil, &pipeline.FailedError{Message: fmt.Sprintf("the outputs of %s cannot be passed to the stacks that need them: %v", w.job.Target(), err), Next: pipeline.ProviderNext,
			Operator: "put out less in " + inRoot(w.job.Root(), outputsFile)}
	}
	return values, nil
}

// others reads the objects of outputs that are not among those of the stack.
func (w *workspace) others(ctx context.Context, into found) error {
	var ids []map[string]any
	for _, o := range w.outputs {
		of, err := w.source(o)
		if err != nil {
			return err
		}
		if _, there := into[of.key()]; !there {
			ids = append(ids, of.identity())
		}
	}
	if len(ids) == 0 {
		return nil
	}
	file, err := w.writeList("outputs-of.json", ids)
	if err != nil {
		return err
	}
	objects, c, err := w.get(ctx, file)
	if err != nil {
		return w.unreachable("the look at the outputs", c, err)
	}
	for _, o := range objects {
		w.hide(o)
	}
	w.refilter()
	into.add(objects)
	return nil
}

func (w *workspace) writeOutputs(name string, values []pipeline.OutputValue) error {
	raw, err := pipeline.EncodeOutputs(values)
	if err != nil {
		return w.failed("keep the outputs", err)
	}
	// As secret as the cluster; it goes with the run directory.
	if err := os.WriteFile(filepath.Join(w.dir, name), raw, 0o600); err != nil {
		return w.written("keep the outputs", err)
	}
	return nil
}

// keepOutputs notes the outputs that a plan does not change.
func (w *workspace) keepOutputs(ctx context.Context, c *comparison) error {
	if len(w.outputs) == 0 {
		return w.writeOutputs(plannedOutputsFile, nil)
	}
	objects, changed := found{}, map[ref]bool{}
	any := false
	for _, i := range c.items {
		if i.before != nil {
			objects[i.key()] = i.before
		}
		changed[i.key()] = i.action != pipeline.ActionNone
		any = any || i.action != pipeline.ActionNone
	}
	if !any {
		if err := w.others(ctx, objects); err != nil {
			return err
		}
	}
	values, err := w.outputValues(objects, func(r ref) bool {
		is, of := changed[r]
		return of && !is || !of && !any
	})
	if err != nil {
		return err
	}
	return w.writeOutputs(plannedOutputsFile, values)
}

// readOutputs reads the outputs after an apply.
func (r *run) readOutputs(ctx context.Context) error {
	if err := r.w.others(ctx, r.now); err != nil {
		return err
	}
	values, err := r.w.outputValues(r.now, func(ref) bool { return true })
	if err != nil {
		return err
	}
	for _, v := range values {
		o := pipeline.Output{Name: v.Name, Sensitive: v.Sensitive}
		if !v.Known() {
			d := pipeline.Diagnostic{Warning: true, Summary: fmt.Sprintf("the output %s has no value yet", v.Name)}
			r.w.log.Diagnostic(d)
			r.diagnostics = append(r.diagnostics, d)
			continue
		}
		if !v.Sensitive {
			o.Value = redact.Clean(string(v.Value))
			r.w.filter.Output(&o)
		}
		r.outputs = append(r.outputs, o)
	}
	return r.w.writeOutputs(appliedOutputsFile, values)
}

// PlannedOutputs implements pipeline.OutputReader.
func (e *Engine) PlannedOutputs(job pipeline.Job, _ pipeline.Planned) ([]pipeline.OutputValue, error) {
	return e.readKept(job, plannedOutputsFile)
}

// AppliedOutputs implements pipeline.OutputReader: the apply has read them.
func (e *Engine) AppliedOutputs(_ context.Context, job pipeline.Job, _ pipeline.StoredPlan) ([]pipeline.OutputValue, error) {
	return e.readKept(job, appliedOutputsFile)
}

func (e *Engine) readKept(job pipeline.Job, name string) ([]pipeline.OutputValue, error) {
	raw, err := os.ReadFile(filepath.Join(job.Dir, "workspace", name))
	if err != nil {
		return nil, fmt.Errorf("read the outputs of %s: %w", job.Target(), err)
	}
	return pipeline.ParseOutputs(raw)
}
