package trace

import (
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxCauses bounds the causes of one change.
const maxCauses = 20

// Explain notes what of variables.yml the changes of a plan come from: keys that
// differ from those applied last and that the manager's code leads to from a
// changed attribute, from the count or for_each of the resource, or from what
// triggers a replacement. Where it leads to none, the nearest local is noted. A
// destroy comes from the request, and from no key.
func (t *Tracer) Explain(plan *pipeline.Plan, r *redact.Filter) {
	variants, err := t.compared()
	plan.Compared = t.Job.Compared
	if err != nil {
		plan.Compared = pipeline.ComparedUnreadable
		t.Log(fmt.Sprintf("The plan is made without the reasons for its changes: %v", err))
	}
	if t.Job.Destroy || t.Job.Variables == nil || t.scope(t.rootDir()) == nil {
		return
	}
	changed := map[string][]*pipeline.ResourceChange{}
	for i := range plan.Changes {
		plain := pipeline.WithoutKeys(plan.Changes[i].Address)
		changed[plain] = append(changed[plain], &plan.Changes[i])
	}
	for i := range plan.Changes {
		c := &plan.Changes[i]
		if c.Data || c.Deposed != "" || c.Action == pipeline.ActionRead || c.Action == pipeline.ActionNone || c.Action == pipeline.ActionForget {
			continue
		}
		e := &explanation{Tracer: t, variants: variants, changed: changed, seen: map[string]bool{}}
		e.resource(c)
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

// compared finds the edits for this environment, in the order of their names, nil where
// there is none. Where nothing is there to compare with, Job.Compared says why.
func (t *Tracer) compared() (*variants, error) {
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
	v := &variants{env: t.Job.Environment, kept: map[string]*variant{}}
	v.difference = compare(way{}, jsonvalue.Side{Value: before, Present: true}, jsonvalue.Side{Value: after, Present: true}, &v.edits)
	if len(v.edits) == 0 {
		return nil, nil
	}
	return v, nil
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
	if e.variants == nil {
		return nil
	}
	if !at.overlay {
		return below(e.variants.edits, at.steps)
	}
	if own := below(e.variants.edits, e.ownSteps(at)); len(own) > 0 {
		return own
	}
	if _, exact := e.Job.Variables.Locate(e.ownSteps(place{steps: at.steps[:1]})...); exact {
		return nil // the environment's own key is in force, and is as it was
	}
	return below(e.variants.edits, at.steps)
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
		where, _ := e.Job.Variables.Locate(f.at...)
		cause := pipeline.Cause{Path: f.name, Where: where, Before: f.before, After: f.after}
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
