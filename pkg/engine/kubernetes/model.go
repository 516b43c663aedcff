package kubernetes

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// shown is an object as people see it.
func (w *workspace) shown(o map[string]any) jsonvalue.Side {
	if o == nil {
		return jsonvalue.Side{}
	}
	c := asked(o)
	delete(c, "apiVersion") // these are in the address
	delete(c, "kind")
	if metadata, ok := c["metadata"].(map[string]any); ok {
		delete(metadata, "name")
		delete(metadata, "namespace")
		if labels, ok := metadata["labels"].(map[string]any); ok && labels[partOfLabel] == w.applySet() {
			if delete(labels, partOfLabel); len(labels) == 0 {
				delete(metadata, "labels")
			}
		}
	}
	return jsonvalue.Side{Value: c, Present: true, Sensitive: marksOf(o)}
}

// sides are the two sides of a change. What is created is shown as its manifest says: what
// the server adds to it is not all known before.
func (w *workspace) sides(i item) (before, after jsonvalue.Side) {
	switch {
	case i.action == pipeline.ActionDelete:
		return w.shown(i.before), jsonvalue.Side{}
	case i.action == pipeline.ActionCreate || i.after == nil:
		after = w.shown(i.object.manifest)
	default:
		after = w.shown(i.after)
	}
	return w.shown(i.before), after
}

// model is the plan of a comparison, with its fingerprint.
func (w *workspace) model(c *comparison) (pipeline.Plan, string, error) {
	p := pipeline.Plan{Tool: w.tool.tool(), Exactness: pipeline.ExactnessExact, Complete: true, Compared: w.job.Compared, Composed: c.composed}
	var late, changed []string
	var exact []any
	for _, i := range c.items {
		if i.action == pipeline.ActionNone {
			continue
		}
		before, after := w.sides(i)
		change := pipeline.ResourceChange{Address: i.ref.String(), Type: i.kind(), Action: i.action}
		if i.action != pipeline.ActionDelete {
			change.Attributes = jsonvalue.Differences(before, after, nil)
		}
		p.Changes = append(p.Changes, change)
		before.Sensitive, after.Sensitive = nil, nil
		exact = append(exact, []any{i.ref.String(), i.action, jsonvalue.Differences(before, after, nil)})
		if i.deferred != "" {
			late = append(late, fmt.Sprintf("%s: %s is made by this plan", i.ref, i.deferred))
		}
		if i.action == pipeline.ActionUpdate {
			changed = append(changed, setBy(i, change.Attributes)...)
		}
	}
	slices.SortStableFunc(p.Changes, func(a, b pipeline.ResourceChange) int { return strings.Compare(a.Address, b.Address) })
	p.Counts = pipeline.CountChanges(p.Changes)
	note := func(summary string, lines []string) {
		if len(lines) == 0 {
			return
		}
		d := pipeline.Diagnostic{Warning: true, Summary: summary, Detail: clip(strings.Join(lines, "\n"), maxDetail)}
		w.filter.Diagnostic(&d)
		w.log.Diagnostic(d)
		p.Diagnostics = append(p.Diagnostics, d)
	}
	note(fmt.Sprintf("%d of the objects cannot be tried out yet: the server has not looked at what they say", len(late)), late)
	note("these objects are there already, and the target takes them over", c.taken)
	note("these objects of the inventory are left as they are", c.dropped)
	note("others have set what this plan changes", changed)
	note("the functions that predict what is composed warn", c.warnings)
	w.filter.Plan(&p)
	for _, i := range c.items {
		if i.action != pipeline.ActionNone {
			w.log.Print(fmt.Sprintf("%s: would %s", i.ref, i.action))
		}
	}
	if w.job.MAC == nil {
		return p, "", nil
	}
	raw, err := json.Marshal(exact)
	if err != nil {
		return p, "", w.failed("sum up the plan", err)
	}
	mac := w.job.MAC()
	mac.Write(raw)
	return p, hex.EncodeToString(mac.Sum(nil)), nil
}

// setBy says who has set the fields that a plan changes, as the server has noted it.
func setBy(i item, attributes []pipeline.AttributeChange) []string {
	managers, _ := at(i.before, "metadata", "managedFields").([]any)
	var lines []string
	for _, raw := range managers {
		manager, operation := textAt(raw, "manager"), textAt(raw, "operation")
		if manager == fieldManager && operation == "Apply" || textAt(raw, "subresource") != "" {
			continue
		}
		var paths []string
		for _, a := range attributes {
			if holds(at(raw, "fieldsV1"), a.Path) {
				paths = append(paths, a.Path)
			}
		}
		if len(paths) > 0 {
			lines = append(lines, fmt.Sprintf("%s: %s has set %s at %s", i.ref, redact.Clean(manager), strings.Join(paths, ", "), redact.Clean(textAt(raw, "time"))))
		}
	}
	return lines
}

// holds reports whether a set of fields has the one at path, or one that it is a part of.
func holds(fields any, path string) bool {
	for rest := path; ; {
		set, ok := fields.(map[string]any)
		if !ok {
			return false
		}
		var step string
		step, rest = nextStep(rest)
		next, there := set["f:"+step]
		if !there {
			return false
		}
		inner, _ := next.(map[string]any)
		if rest == "" || len(inner) == 0 || strings.HasPrefix(rest, "[") && !strings.HasPrefix(rest, `["`) {
			return true
		}
		fields = inner
	}
}

// nextStep takes the first key from a path such as data["a b"].x[0].
func nextStep(path string) (step, rest string) {
	path = strings.TrimPrefix(path, ".")
	if strings.HasPrefix(path, `["`) {
		if quoted, err := strconv.QuotedPrefix(path[1:]); err == nil {
			step, _ = strconv.Unquote(quoted)
			return step, strings.TrimPrefix(path[1+len(quoted):], "]")
		}
	}
	if i := strings.IndexAny(path, ".["); i > 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// sealedPlan is what an apply needs of a plan.
type sealedPlan struct {
	Objects []sealedObject `json:"objects"` // in the order of the apply; those that change
	Kept    []entry        `json:"kept"`    // those that do not
}

type sealedObject struct {
	ref
	Action   pipeline.Action `json:"action"`
	Manifest map[string]any  `json:"manifest,omitempty"` // nil: it is deleted
	UID      string          `json:"uid,omitempty"`      // of the object that there was; empty: there was none
	Digest   string          `json:"digest,omitempty"`   // of what was asked of it
	Late     bool            `json:"late,omitempty"`
}

func (c *comparison) sealed() sealedPlan {
	p := sealedPlan{Objects: []sealedObject{}, Kept: []entry{}}
	for _, i := range c.items {
		uid := textAt(i.before, "metadata", "uid")
		if i.action == pipeline.ActionNone {
			p.Kept = append(p.Kept, entry{i.ref, uid})
			continue
		}
		one := sealedObject{ref: i.ref, Action: i.action, UID: uid, Late: i.deferred != ""}
		if i.object != nil {
			one.Manifest = i.object.manifest
		}
		if i.before != nil {
			one.Digest = digest(i.before)
		}
		p.Objects = append(p.Objects, one)
	}
	return p
}
