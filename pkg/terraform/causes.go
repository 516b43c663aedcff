package terraform

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxCauses bounds the causes of one change.
const maxCauses = 20

// explain notes what of variables.yml the changes of a plan come from: keys that
// differ from those applied last and that the manager's code leads to from a
// changed attribute, from the count or for_each of the resource, or from what
// triggers a replacement. Where it leads to none, the nearest local is noted. A
// destroy comes from the request, and from no key.
func (t *tracer) explain(plan *pipeline.Plan, r *redactor) {
	edits, err := t.edits()
	plan.Compared = t.job.Compared
	if err != nil {
		plan.Compared = pipeline.ComparedUnreadable
		t.log(fmt.Sprintf("The plan is made without the reasons for its changes: %v", err))
	}
	if t.job.Destroy || t.job.Variables == nil || t.scope(t.rootDir()) == nil {
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
		e := &explanation{tracer: t, edits: edits, changed: changed, seen: map[string]bool{}}
		e.resource(c.Address, c)
		c.Causes = e.causes()
		for k := range c.Causes {
			cause := &c.Causes[k]
			cause.Path, cause.Local = r.name(cause.Path), r.name(cause.Local)
			r.value(&cause.Before)
			r.value(&cause.After)
			if r.blind {
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
func (t *tracer) edits() ([]edit, error) {
	if t.job.Applied == nil || t.job.Variables == nil {
		return nil, nil
	}
	before, err := wholeOf(t.job.Applied, t.job.Environment)
	if err != nil {
		return nil, fmt.Errorf("read the variables of the last apply: %w", err)
	}
	after, err := wholeOf(t.job.Variables, t.job.Environment)
	if err != nil {
		return nil, fmt.Errorf("read the variables: %w", err)
	}
	var all []edit
	compareKeys(nil, side{value: before, present: true}, side{value: after, present: true}, &all)
	return all, nil
}

// wholeOf decodes all that a document says for an environment.
func wholeOf(d pipeline.Document, env pipeline.Environment) (any, error) {
	effective, err := d.Effective(env)
	if err != nil {
		return nil, err
	}
	whole, err := decodeAny(effective.Whole)
	if err != nil {
		return nil, err
	}
	if _, ok := whole.(map[string]any); !ok {
		return nil, fmt.Errorf("%s has no keys", env)
	}
	return whole, nil
}

func compareKeys(steps []string, b, a side, all *[]edit) {
	x, isX := b.value.(map[string]any)
	y, isY := a.value.(map[string]any)
	if isX && isY {
		for _, key := range keysOf(x, y) {
			compareKeys(join(steps, []string{key}), child(b, x, key), child(a, y, key), all)
		}
		return
	}
	if b.present != a.present || !bytes.Equal(canonicalJSON(nil, b.value), canonicalJSON(nil, a.value)) {
		*all = append(*all, edit{steps: steps, before: show(b), after: show(a)})
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
	if _, exact := e.job.Variables.Locate(e.ownSteps(place{steps: at.steps[:1]})...); exact {
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
		where, _ := e.job.Variables.Locate(f.steps...)
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
