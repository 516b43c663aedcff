package cloudformation

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxCauses bounds the keys that are named for one change.
const maxCauses = 5

// edits are the keys of variables.yml that are not as they were applied last, by the parameter that they set. There are none
// where what was applied is not known.
func (w *workspace) edits() map[string]pipeline.Cause {
	if w.job.Applied == nil {
		return nil
	}
	before, err := w.job.Applied.Effective(w.job.Environment)
	if err != nil {
		return nil // they explain a plan, and decide nothing
	}
	now, err := w.job.Variables.Effective(w.job.Environment)
	if err != nil {
		return nil
	}
	found := map[string]pipeline.Cause{}
	for _, name := range w.template.order {
		if isOwn(name) {
			continue
		}
		key, given, _ := w.keyFor(name, now.Values)
		old, was, _ := w.keyFor(name, before.Values)
		if given && was && bytes.Equal(now.Values[key], before.Values[old]) || !given && !was || w.values[name].output != "" {
			continue
		}
		if !given {
			key = old
		}
		secret := w.template.parameters[name].noEcho
		cause := pipeline.Cause{Path: key, Before: w.shownValue(before.Values[old], was, secret), After: w.shownValue(now.Values[key], given, secret)}
		var own bool
		if cause.Where, own = w.job.Variables.Locate("environments", string(w.job.Environment), key); own {
			cause.Path = "environments." + string(w.job.Environment) + "." + key
		} else {
			cause.Where, _ = w.job.Variables.Locate(key)
		}
		found[name] = cause
	}
	return found
}

func (w *workspace) shownValue(raw json.RawMessage, there, secret bool) pipeline.Value {
	if !there {
		return pipeline.Value{}
	}
	value, err := jsonvalue.Decode(raw)
	if err != nil || secret {
		return pipeline.Value{Sensitive: true}
	}
	v := pipeline.Value{Text: jsonvalue.Text(value, nil)}
	w.filter.Value(&v)
	return v
}

// explainBy names the keys that a change comes from: those of the parameters that the properties which differ refer to.
func (w *workspace) explainBy(edits map[string]pipeline.Cause, change *pipeline.ResourceChange) {
	made := w.template.resources[change.Address].made
	for _, name := range w.template.order {
		cause, edited := edits[name]
		if !edited || len(change.Causes) == maxCauses {
			continue
		}
		if slices.ContainsFunc(change.Attributes, func(a pipeline.AttributeChange) bool {
			return made[topOf(a.Path)][name]
		}) {
			change.Causes = append(change.Causes, cause)
		}
	}
}

// topOf is the property that a path begins with.
func topOf(path string) string {
	if i := strings.IndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return path
}
