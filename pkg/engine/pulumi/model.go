package pulumi

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

// saved is a plan as the CLI has saved it.
type saved struct {
	Resources map[string]struct {
		Goal *struct {
			Type  string          `json:"type"`
			Input json.RawMessage `json:"inputDiff"`
		} `json:"goal"`
		Steps []string        `json:"steps"`
		State json.RawMessage `json:"state"`
	} `json:"resourcePlans"`
}

// readSaved reads a saved plan, and adds what is secret in it to what nobody may see.
func (w *workspace) readSaved(content []byte) (saved, error) {
	var p saved
	if err := json.Unmarshal(content, &p); err != nil {
		return p, err
	}
	if len(p.Resources) == 0 {
		return p, fmt.Errorf("it holds no resource")
	}
	for _, one := range p.Resources {
		raws := [][]byte{one.State}
		if one.Goal != nil {
			raws = append(raws, one.Goal.Input)
		}
		for _, raw := range raws {
			if err := w.crypt.revealJSON(raw, w.secrets.AddAll); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// rootState are the outputs of the stack after the plan, as the plan keeps them.
func (p saved) rootState() json.RawMessage {
	for urn, one := range p.Resources {
		if strings.Contains(urn, "::"+rootType+"::") {
			return one.State
		}
	}
	return nil
}

// fingerprint is a keyed hash of what a plan would do, secrets included.
func (w *workspace) fingerprint(p saved, r *run) (string, error) {
	if w.job.MAC == nil {
		return "", nil
	}
	type change struct {
		URN   string   `json:"urn"`
		Steps []string `json:"steps"`
		Input any      `json:"input"`
	}
	var changes []change
	for _, urn := range slices.Sorted(maps.Keys(p.Resources)) {
		one := p.Resources[urn]
		if len(one.Steps) == 0 || slices.Equal(one.Steps, []string{"same"}) {
			continue
		}
		c := change{URN: urn, Steps: one.Steps}
		if one.Goal != nil {
			value, err := jsonvalue.Decode(one.Goal.Input)
			if err == nil {
				c.Input, _, err = w.crypt.reveal(value, func(any) {})
			}
			if err != nil {
				return "", err
			}
		}
		changes = append(changes, c)
	}
	if w.job.Destroy {
		for _, s := range r.steps {
			changes = append(changes, change{URN: s.URN, Steps: []string{s.Op}})
		}
		sort.SliceStable(changes, func(i, j int) bool { return changes[i].URN < changes[j].URN })
	}
	outputs, err := w.clearOutputs(p.rootState())
	if err != nil {
		return "", err
	}
	content, err := json.Marshal(map[string]any{"changes": changes, "outputs": outputs})
	if err != nil {
		return "", err
	}
	mac := w.job.MAC()
	mac.Write(content)
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// plan is the model of a preview that went well.
func (r *run) plan(p saved) (pipeline.Plan, error) {
	w := r.w
	plan := pipeline.Plan{Tool: w.tool.tool(), Exactness: pipeline.ExactnessBound, Complete: true, Compared: w.job.Compared}
	if w.job.Destroy {
		plan.Exactness = pipeline.ExactnessPredicted
	}
	of := map[string][]step{}
	var order []string
	for _, s := range r.steps {
		if s.Type == rootType || strings.HasPrefix(s.Type, providerPrefix) {
			continue
		}
		if len(of[s.URN]) == 0 {
			order = append(order, s.URN)
		}
		of[s.URN] = append(of[s.URN], s)
	}
	for _, urn := range order {
		change, is, err := ofSteps(urn, of[urn])
		if err != nil {
			return plan, err
		}
		if is {
			change.Reverts = reverts(of[urn], r.refreshed[urn])
			plan.Changes = append(plan.Changes, change)
		}
	}
	for _, urn := range slices.Sorted(maps.Keys(r.refreshed)) {
		drift, is, err := ofRefresh(r.refreshed[urn])
		if err != nil {
			return plan, err
		}
		if is {
			drift.Relevant = slices.ContainsFunc(plan.Changes, func(c pipeline.ResourceChange) bool { return c.Address == drift.Address })
			plan.Drift = append(plan.Drift, drift)
		}
	}
	sort.SliceStable(plan.Changes, func(i, j int) bool { return plan.Changes[i].Address < plan.Changes[j].Address })
	plan.Counts = pipeline.CountChanges(plan.Changes)
	var err error
	if plan.Outputs, err = w.outputChanges(p); err != nil {
		return plan, err
	}
	plan.Diagnostics = r.diagnostics()
	w.filter.Plan(&plan)
	return plan, nil
}

// ofSteps is what the steps on one resource do together.
func ofSteps(urn string, steps []step) (pipeline.ResourceChange, bool, error) {
	c := pipeline.ResourceChange{Address: address(urn), Action: pipeline.ActionNone}
	created, deleted := -1, -1
	var main step
	for i, s := range steps {
		c.Type = redact.Clean(s.Type)
		switch s.Op {
		case "same", "remove-pending-replace":
			continue
		case "create":
			c.Action, main = pipeline.ActionCreate, s
		case "update":
			c.Action, main = pipeline.ActionUpdate, s
		case "delete":
			if c.Action, main = pipeline.ActionDelete, s; s.Old != nil && s.Old.RetainOnDelete {
				c.Action = pipeline.ActionForget
			}
		case "replace", "create-replacement", "import-replacement":
			c.Action, main = pipeline.ActionReplace, s
			c.Imports = c.Imports || s.Op == "import-replacement"
			if s.Op != "replace" && created < 0 {
				created = i
			}
		case "delete-replaced", "discard-replaced":
			if c.Action != pipeline.ActionReplace {
				c.Action, main = pipeline.ActionReplace, s
			}
			c.KeepsOld = c.KeepsOld || s.Op == "discard-replaced" || s.Old != nil && s.Old.RetainOnDelete
			deleted = i
		case "read", "read-replacement", "discard":
			c.Action, c.Data, main = pipeline.ActionRead, true, s
		case "import":
			c.Imports, main = true, s
		default:
			c.Action, main = pipeline.Action(redact.Clean(s.Op)), s
		}
	}
	if c.Action == pipeline.ActionNone && !c.Imports {
		return c, false, nil
	}
	if c.Imports && main.New != nil && !isUnknown(main.New.ID) {
		c.ImportID = redact.Clean(main.New.ID)
	}
	c.CreateFirst = created >= 0 && deleted > created
	var err error
	c.Attributes, err = main.attributes()
	return c, true, err
}

// attributes are the inputs that differ.
func (s step) attributes() ([]pipeline.AttributeChange, error) {
	before, after, err := s.sides(func(one *side) json.RawMessage { return one.Inputs })
	if err != nil {
		return nil, err
	}
	var replace [][]string
	for _, key := range s.Keys {
		replace = append(replace, []string{key})
	}
	found := jsonvalue.Differences(before, after, replace)
	if before.Present && after.Present {
		found = append(found, s.unseen(before, after, found)...)
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Path < found[j].Path })
	return found, nil
}

// unseen are the differences that the provider names and the values do not show: those of
// secrets, whose values no event has, and of what the provider itself has computed.
func (s step) unseen(before, after jsonvalue.Side, seen []pipeline.AttributeChange) (found []pipeline.AttributeChange) {
	named := map[string]bool{}
	for _, key := range s.Diffs {
		named[key] = true
	}
	for path := range s.Detailed {
		key, _, _ := strings.Cut(path, ".")
		key, _, _ = strings.Cut(key, "[")
		named[key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(named)) {
		if strings.HasPrefix(key, "__") || key == "" || slices.ContainsFunc(seen, func(a pipeline.AttributeChange) bool {
			return a.Path == key || strings.HasPrefix(a.Path, key+".") || strings.HasPrefix(a.Path, key+"[")
		}) {
			continue
		}
		old, _ := before.Value.(map[string]any)
		planned, _ := after.Value.(map[string]any)
		x, y := jsonvalue.Child(before, old, key), jsonvalue.Child(after, planned, key)
		change := pipeline.AttributeChange{Path: redact.Clean(key), Before: jsonvalue.Show(x), After: jsonvalue.Show(y), ForcesReplacement: slices.Contains(s.Keys, key)}
		if jsonvalue.ContainsTrue(x.Sensitive) || jsonvalue.ContainsTrue(y.Sensitive) {
			change.Before, change.After = jsonvalue.Hide(x, true), jsonvalue.Hide(y, true)
		} else if change.Before == change.After {
			change.After = pipeline.Value{Unknown: true}
		}
		found = append(found, change)
	}
	return found
}

// sides are the two sides of a step.
func (s step) sides(of func(*side) json.RawMessage) (before, after jsonvalue.Side, err error) {
	if s.Old != nil {
		before, err = properties(of(s.Old))
	}
	if err == nil && s.New != nil && s.Op != "delete" && s.Op != "delete-replaced" {
		after, err = properties(of(s.New))
	}
	return before, after, err
}

// ofRefresh is what has changed outside of the tool.
func ofRefresh(s step) (pipeline.ResourceChange, bool, error) {
	if s.Type == rootType || strings.HasPrefix(s.Type, providerPrefix) || s.Old == nil || s.Old.External {
		return pipeline.ResourceChange{}, false, nil
	}
	c := pipeline.ResourceChange{Address: address(s.URN), Type: redact.Clean(s.Type), Action: pipeline.ActionUpdate}
	if s.New == nil {
		c.Action = pipeline.ActionDelete
		return c, true, nil
	}
	before, after, err := s.sides(func(one *side) json.RawMessage { return one.Outputs })
	if err != nil {
		return c, false, err
	}
	c.Attributes = jsonvalue.Differences(before, after, nil)
	return c, len(c.Attributes) > 0, nil
}

// reverts reports whether the steps on a resource do nothing but put back what has changed
// outside of the tool.
func reverts(steps []step, refreshed step) bool {
	last := steps[len(steps)-1]
	if refreshed.Old == nil || last.New == nil || last.Op != "update" && last.Op != "create" {
		return false
	}
	return last.Op == "create" == (refreshed.New == nil) && sameJSON(refreshed.Old.Inputs, last.New.Inputs) &&
		(refreshed.New == nil || !bytes.Equal(refreshed.Old.Outputs, refreshed.New.Outputs))
}

func sameJSON(a, b json.RawMessage) bool {
	x, err := jsonvalue.Decode(a)
	y, err2 := jsonvalue.Decode(b)
	return err == nil && err2 == nil && jsonvalue.Equal(x, y)
}
