package trace

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/terraform/jsonvalue"
	"github.com/metapipe/metapipe/pkg/terraform/redact"
)

// maxCauses bounds the causes of one change.
const maxCauses = 20

// Explain notes what of variables.yml the changes of a plan come from: keys that
// differ from those applied last and that the manager's code leads to from a
// changed attribute, from the count or for_each of the resource, or from what
// triggers a replacement. Where it leads to none, the nearest local is noted. A
// destroy comes from the request, and from no key.
func (t *Tracer) Explain(plan *pipeline.Plan, r *redact.Filter) {
	edits, err := t.edits()
	plan.Compared = t.Job.Compared
	if err != nil {
		plan.Compared = pipeline.ComparedUnreadable
		t.Log(fmt.Sprintf("The plan is made without the reasons for its changes: %v", err))
	}
	if t.Job.Destroy || t.Job.Variables == nil || t.scope(t.rootDir()) == nil {
		return
	}
	changed := map[string]*pipeline.ResourceChange{}
	for i := range plan.Changes {
		changed[pipeline.WithoutKeys(plan.Changes[i].Address)] = &plan.Changes[i]
	}
	for i := range plan.Changes {
		c := &plan.Changes[i]
		if c.Data || c.Deposed != "" || c.Action == pipeline.ActionRead || c.Action == pipeline.ActionNone || c.Action == pipeline.ActionForget {
			continue
		}
		e := &explanation{Tracer: t, edits: edits, changed: changed, seen: map[string]bool{}}
		e.resource(c.Address, c)
		c.Causes = e.causes()
		for k := range c.Causes {
			cause := &c.Causes[k]
			cause.Path, cause.Local = r.Name(cause.Path), r.Name(cause.Local)
			r.Value(&cause.Before)
			r.Value(&cause.After)
			if r.Blind {
				cause.Before, cause.After = pipeline.Value{Sensitive: true}, pipeline.Value{Sensitive: true}
			}
		}
	}
}

// edit is a key of variables.yml that differs from the one applied last.
type edit struct {
	steps         []string
	before, after pipeline.Value
}

// edits are the keys that differ for this environment, in the order of their names.
// A list counts as one value. Where nothing is there to compare with there are none,
// and Job.Compared says why.
func (t *Tracer) edits() ([]edit, error) {
	if t.Job.Applied == nil || t.Job.Variables == nil {
		return nil, nil
	}
	before, err := wholeOf(t.Job.Applied, t.Job.Environment)
	if err != nil {
		return nil, fmt.Errorf("read the variables of the last apply: %w", err)
	}
	after, err := wholeOf(t.Job.Variables, t.Job.Environment)
	if err != nil {
		return nil, fmt.Errorf("read the variables: %w", err)
	}
	var all []edit
	compareKeys(nil, jsonvalue.Side{Value: before, Present: true}, jsonvalue.Side{Value: after, Present: true}, &all)
	return all, nil
}

// wholeOf decodes all that a document says for an environment.
func wholeOf(d pipeline.Document, env pipeline.Environment) (any, error) {
	effective, err := d.Effective(env)
	if err != nil {
		return nil, err
	}
	whole, err := jsonvalue.Decode(effective.Whole)
	if err != nil {
		return nil, err
	}
	if _, ok := whole.(map[string]any); !ok {
		return nil, fmt.Errorf("%s has no keys", env)
	}
	return whole, nil
}

func compareKeys(steps []string, b, a jsonvalue.Side, all *[]edit) {
	x, isX := b.Value.(map[string]any)
	y, isY := a.Value.(map[string]any)
	if isX && isY {
		for _, key := range keysOf(x, y) {
			compareKeys(join(steps, []string{key}), jsonvalue.Child(b, x, key), jsonvalue.Child(a, y, key), all)
		}
		return
	}
	if b.Present != a.Present || !bytes.Equal(jsonvalue.Canonical(nil, b.Value), jsonvalue.Canonical(nil, a.Value)) {
		*all = append(*all, edit{steps: steps, before: jsonvalue.Show(b), after: jsonvalue.Show(a)})
	}
}

func keysOf(x, y map[string]any) []string {
	var keys []string
	for key := range x {
		keys = append(keys, key)
	}
	for key := range y {
		if _, ok := x[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// under are the edits at, below or above a place.
func (e *explanation) under(at place) []edit {
	if !at.overlay {
		return below(e.edits, at.steps)
	}
	if own := below(e.edits, e.ownSteps(at)); len(own) > 0 {
		return own
	}
	if _, exact := e.Job.Variables.Locate(e.ownSteps(place{steps: at.steps[:1]})...); exact {
		return nil // the environment's own key is in force, and is as it was
	}
	return below(e.edits, at.steps)
}

func below(all []edit, steps []string) []edit {
	if len(steps) == 0 {
		return nil // everything: it says nothing about one change
	}
	var found []edit
	for _, x := range all {
		if n := min(len(steps), len(x.steps)); slices.Equal(x.steps[:n], steps[:n]) {
			found = append(found, x)
		}
	}
	return found
}

// causes are the edits that were found, or else the nearest local.
func (e *explanation) causes() []pipeline.Cause {
	var out []pipeline.Cause
	for _, f := range e.found {
		if len(out) == maxCauses {
			break
		}
		where, _ := e.Job.Variables.Locate(f.steps...)
		cause := pipeline.Cause{Path: strings.Join(f.steps, "."), Where: where, Before: f.before, After: f.after}
		if e.guarded {
			cause.Before, cause.After = concealed(f.before), concealed(f.after)
		}
		out = append(out, cause)
	}
	if len(out) == 0 && e.local != nil {
		out = append(out, *e.local)
	}
	return out
}

// concealed hides a value, but not whether there is one.
func concealed(v pipeline.Value) pipeline.Value {
	if v.Absent() {
		return v
	}
	return pipeline.Value{Sensitive: true}
}
