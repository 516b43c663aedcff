package ansible

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxShown bounds one side of a change as people see it, in bytes.
const maxShown = 16 << 10

// counts reports whether the result is one of its own: a loop is what its items are.
func (r result) counts() bool { return !r.Loop }

func (r result) changed() bool { return r.counts() && r.Status == "ok" && r.Changed }

// skippedByChoice reports whether the playbook itself skips the task.
func (r result) skippedByChoice() bool {
	for _, reason := range []string{"Conditional result was False", "No items in the list"} {
		if strings.HasPrefix(r.SkipReason, reason) {
			return true
		}
	}
	return false
}

// unpredictable reports whether check mode has passed over the task, so that what it does is
// not known: commands, and modules without check mode.
func (r result) unpredictable() bool {
	return r.counts() && r.Status == "skipped" && !r.skippedByChoice()
}

// prediction is what a check has predicted, for the comparison with another one. It holds
// sums in the place of values.
type prediction struct {
	Changes     []predicted `json:"changes"`
	Invocations []string    `json:"invocations"`
}

type predicted struct {
	Address string `json:"address"`
	Action  string `json:"action"` // the module
	Sum     string `json:"sum"`
}

// prediction of a check that went well.
func (r *run) prediction() ([]byte, error) {
	p := prediction{Changes: []predicted{}, Invocations: []string{}}
	for _, one := range r.results {
		switch {
		case one.changed():
			// The workspace lies elsewhere in each run.
			text, err := json.Marshal(one.Diff)
			if err != nil {
				return nil, err
			}
			text = bytes.ReplaceAll(text, []byte(r.w.dir), []byte("workspace"))
			p.Changes = append(p.Changes, predicted{one.address, one.Action, pipeline.SHA256Hex(text)})
		case one.unpredictable():
			p.Invocations = append(p.Invocations, one.address)
		}
	}
	sort.Slice(p.Changes, func(i, j int) bool { return p.Changes[i].Address < p.Changes[j].Address })
	slices.Sort(p.Invocations)
	return json.Marshal(p)
}

// fingerprint is a keyed hash of a prediction.
func (w *workspace) fingerprint(prediction []byte) string {
	if w.job.MAC == nil {
		return ""
	}
	mac := w.job.MAC()
	mac.Write(prediction)
	return hex.EncodeToString(mac.Sum(nil))
}

// plan is the model of a check that went well.
func (r *run) plan() pipeline.Plan {
	w := r.w
	p := pipeline.Plan{Tool: w.tool.tool(), Exactness: pipeline.ExactnessPredicted, Complete: true, Compared: w.job.Compared}
	var silent, hidden, passed []string
	for _, one := range r.results {
		switch {
		case one.changed():
			change := pipeline.ResourceChange{Address: one.address, Type: redact.Clean(one.Action), Action: one.effect(), Attributes: one.attributes()}
			p.Changes = append(p.Changes, change)
			if one.Censored {
				hidden = append(hidden, one.address)
			} else if len(change.Attributes) == 0 {
				silent = append(silent, one.address)
			}
		case one.unpredictable():
			p.Invocations = append(p.Invocations, pipeline.Invocation{Address: one.address})
			passed = append(passed, one.address)
		}
	}
	sort.SliceStable(p.Changes, func(i, j int) bool { return p.Changes[i].Address < p.Changes[j].Address })
	sort.SliceStable(p.Invocations, func(i, j int) bool { return p.Invocations[i].Address < p.Invocations[j].Address })
	p.Counts = pipeline.CountChanges(p.Changes)
	p.Counts.Invoke = len(p.Invocations)
	note := func(summary string, addresses []string) {
		if len(addresses) == 0 {
			return
		}
		d := pipeline.Diagnostic{Warning: true, Summary: summary, Detail: clip(strings.Join(addresses, "\n"), maxDetail)}
		w.filter.Diagnostic(&d)
		w.log.Diagnostic(d)
		p.Diagnostics = append(p.Diagnostics, d)
	}
	note(fmt.Sprintf("%d of the tasks do not run in check mode: Ansible does not say what they change", len(passed)), passed)
	note(fmt.Sprintf("Ansible does not say which attributes %d of the tasks change", len(silent)), silent)
	note(fmt.Sprintf("no_log hides what %d of the tasks change", len(hidden)), hidden)
	note("no host matches these plays", r.noHosts)
	w.filter.Plan(&p)
	// The items of loops and the targets of modules hold what the playbook computes.
	for i := range p.Changes {
		c := &p.Changes[i]
		c.Address = w.filter.Text(c.Address)
		for j := range c.Attributes {
			c.Attributes[j].Path = w.filter.Text(c.Attributes[j].Path)
		}
	}
	for i := range p.Invocations {
		p.Invocations[i].Address = w.filter.Text(p.Invocations[i].Address)
	}
	return p
}

// effect is what the module says that it does to an object; mostly it is not said.
func (r result) effect() pipeline.Action {
	for _, d := range r.Diff {
		before, after := d.Before.field("state"), d.After.field("state")
		switch {
		case after == `"absent"`:
			return pipeline.ActionDelete
		case before == `"absent"`, d.Made && d.After != nil && d.After.Text != nil && d.Before != nil:
			return pipeline.ActionCreate
		}
	}
	return pipeline.ActionUpdate
}

// field is a member of the value, as JSON; empty: there is none.
func (s *side) field(name string) string {
	var object map[string]json.RawMessage
	if s == nil || s.Value == nil || json.Unmarshal(s.Value, &object) != nil {
		return ""
	}
	return string(object[name])
}

// attributes are what differs, as far as the module says it.
func (r result) attributes() []pipeline.AttributeChange {
	var all []pipeline.AttributeChange
	add := func(path string, before, after pipeline.Value) {
		if before != after {
			all = append(all, pipeline.AttributeChange{Path: path, Before: before, After: after})
		}
	}
	for _, d := range r.Diff {
		before, after := d.Before.members(), d.After.members()
		if before != nil || after != nil {
			for _, key := range slices.Sorted(maps.Keys(merged(before, after))) {
				add(redact.Clean(key), before[key], after[key])
			}
			continue
		}
		path := redact.Clean(r.Target)
		if path == "" {
			path = "content"
		}
		old := d.Before.value()
		if d.Made && old.Text == `""` {
			old = pipeline.Value{}
		}
		add(path, old, d.After.value())
		if d.Prepared != nil {
			add(path, pipeline.Value{}, d.Prepared.value())
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}

func merged(a, b map[string]pipeline.Value) map[string]pipeline.Value {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]pipeline.Value{}
	}
	maps.Copy(all, b)
	return all
}

// members are the members of an object; nil where it is none.
func (s *side) members() map[string]pipeline.Value {
	if s == nil || s.Value == nil {
		return nil
	}
	value, err := jsonvalue.Decode(s.Value)
	object, isObject := value.(map[string]any)
	if err != nil || !isObject {
		return nil
	}
	values := map[string]pipeline.Value{}
	for key, member := range object {
		values[key] = shown(member)
	}
	return values
}

func (s *side) value() pipeline.Value {
	switch {
	case s == nil:
		return pipeline.Value{}
	case s.Text != nil && s.Cut:
		return shown(*s.Text + "… (cut; SHA-256 of the whole: " + s.Sum + ")")
	case s.Text != nil:
		return shown(*s.Text)
	}
	value, err := jsonvalue.Decode(s.Value)
	if err != nil {
		return pipeline.Value{Unknown: true}
	}
	return shown(value)
}

// shown is a value as people see it.
func shown(value any) pipeline.Value {
	if s, ok := value.(string); ok && len(s) > maxShown {
		value = clip(s, maxShown) + fmt.Sprintf(" (%d bytes; SHA-256 %s)", len(s), pipeline.SHA256Hex([]byte(s)))
	}
	return pipeline.Value{Text: jsonvalue.Text(value, nil)}
}
