package terraform

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// checkNeeded compares the outputs that the stack needs with its root. Each stack must be a
// variable of the root. Where the root refers to an output that is not known yet, nothing
// is planned: a value in its place would be a guess.
func (w *workspace) checkNeeded() error {
	var waits []pipeline.Diagnostic
	var unknown []string
	for _, needed := range w.job.Needed {
		name := string(needed.Stack)
		if _, declared := w.module.Variables[name]; !declared {
			return &pipeline.FailedError{
				Message:  fmt.Sprintf("%s cannot be planned: the stack %s needs %s, and its root %s declares no variable %q", target(w.job), w.job.Stack, name, w.job.Root(), name),
				Next:     pipeline.ProviderNext,
				Operator: fmt.Sprintf("declare variable %q in %s, or take %s out of `needs` in metapipe.yml", name, w.job.Root(), name),
			}
		}
		found, err := w.unknownReferences(needed)
		if err != nil {
			return w.failed("read the root module", err)
		}
		if waits = append(waits, found...); needed.Unknown != "" {
			unknown = append(unknown, needed.Unknown)
		}
	}
	if len(waits) == 0 && len(unknown) == 0 {
		return nil
	}
	for _, d := range waits {
		w.log.Diagnostic(d)
	}
	return &pipeline.DeferredError{Message: deferredMessage(waits, unknown), Waits: waits}
}

// deferredMessage names the first place, how many more there are, and why nothing is known.
func deferredMessage(waits []pipeline.Diagnostic, unknown []string) string {
	var parts []string
	if len(waits) > 0 {
		first := waits[0].Summary
		if more := len(waits) - 1; more > 0 {
			first += fmt.Sprintf(" (+%d more)", more)
		}
		parts = append(parts, first)
	}
	return strings.Join(append(parts, unknown...), "; ")
}

// unknownReferences are the places of the root that refer to an output which is not known.
func (w *workspace) unknownReferences(needed pipeline.NeededOutputs) ([]pipeline.Diagnostic, error) {
	open := map[string]bool{}
	for _, o := range needed.Values {
		if !o.Known() {
			open[o.Name] = true
		}
	}
	if len(open) == 0 && needed.Unknown == "" {
		return nil, nil
	}
	references, err := module.References(w.root, w.tool.Name, string(needed.Stack))
	if err != nil {
		return nil, err
	}
	var waits []pipeline.Diagnostic
	for _, r := range references {
		if r.Attribute != "" && needed.Unknown == "" && !open[r.Attribute] {
			continue
		}
		output := "an output"
		if r.Attribute != "" {
			output = "the output " + redact.Clean(r.Attribute)
		}
		waits = append(waits, pipeline.Diagnostic{
			Warning: true,
			Summary: fmt.Sprintf("%s depends on %s of %s that is not known yet", redact.Clean(r.What), output, needed.Stack),
			Where:   pipeline.Position{File: path.Join(w.job.Root(), r.File), Line: r.Line},
		})
	}
	return waits, nil
}

// neededValues are the variables of the needed stacks, by name: an object from output to
// value. An output that is not known is null, and the root does not refer to it.
func (w *workspace) neededValues() (map[string]json.RawMessage, error) {
	values := map[string]json.RawMessage{}
	for _, needed := range w.job.Needed {
		if err := pipeline.CheckOutputs(needed.Values); err != nil {
			return nil, fmt.Errorf("the outputs of %s: %w", needed.Stack, err)
		}
		object := map[string]json.RawMessage{}
		for _, o := range needed.Values {
			object[o.Name] = o.Value // nil is null
		}
		b, err := json.Marshal(object)
		if err != nil {
			return nil, fmt.Errorf("the outputs of %s: %w", needed.Stack, err)
		}
		values[string(needed.Stack)] = b
	}
	return values, nil
}

// addNeeded adds the sensitive outputs of other stacks to the secrets.
func (w *workspace) addNeeded(set redact.Secrets) error {
	for _, needed := range w.job.Needed {
		for _, o := range needed.Values {
			if !o.Sensitive || !o.Known() {
				continue
			}
			if err := set.AddRaw(o.Value); err != nil {
				return fmt.Errorf("the output %s of %s: %w", o.Name, needed.Stack, err)
			}
		}
	}
	return nil
}

// markSensitive lets the tool treat a variable as sensitive where the root refers to a
// sensitive output in it: then what is computed from it stays hidden too, as it would where
// the root itself declares the variable sensitive.
func (w *workspace) markSensitive() error {
	w.hidden = map[string]bool{}
	variables := map[string]any{}
	for _, needed := range w.job.Needed {
		name := string(needed.Stack)
		refers, err := w.refersToSensitive(needed)
		if err != nil {
			return w.failed("read the root module", err)
		}
		if refers && !w.module.Variables[name].Sensitive {
			w.hidden[name], variables[name] = true, map[string]bool{"sensitive": true}
		}
	}
	if len(variables) == 0 {
		return nil
	}
	content, err := json.Marshal(map[string]any{"variable": variables})
	if err != nil {
		return w.failed("write "+module.NeededOverride, err)
	}
	if err := os.WriteFile(filepath.Join(w.root, module.NeededOverride), content, 0o600); err != nil {
		return w.written("write "+module.NeededOverride, err)
	}
	return nil
}

// refersToSensitive reports whether the root refers to a sensitive output of the stack, or
// takes all of its outputs where one is sensitive.
func (w *workspace) refersToSensitive(needed pipeline.NeededOutputs) (bool, error) {
	secret := map[string]bool{}
	for _, o := range needed.Values {
		if o.Sensitive {
			secret[o.Name] = true
		}
	}
	if len(secret) == 0 {
		return false, nil
	}
	references, err := module.References(w.root, w.tool.Name, string(needed.Stack))
	return slices.ContainsFunc(references, func(r module.Reference) bool { return r.Attribute == "" || secret[r.Attribute] }), err
}
