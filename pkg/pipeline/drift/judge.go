package drift

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// inspection is one plan of a target without what no one needs to know of it.
type inspection struct {
	plan    pipeline.Plan
	ignored []IgnoredDrift
	// drift says that someone changed something that the plan would change back;
	// rest, that the plan does more than that.
	drift, otherChanges bool
	fingerprint         string
	tree, code          string // digests of the manager's repository, and of the code in it
}

// inspect leaves out noise and what rules hide, and separates drift from other changes.
func inspect(planned pipeline.Planned, rules []pipeline.IgnoreRule, now time.Time, mac func() hash.Hash) (inspection, error) {
	l := inspection{plan: planned.Plan, tree: planned.Evidence.ManagerTree(), code: planned.Evidence.ManagerCode()}
	l.plan.Changes, l.plan.Drift, l.plan.Outputs, l.plan.Invocations = nil, nil, nil, nil
	hide := ignoring{rules: rules, now: now}
	for _, d := range planned.Plan.Drift {
		if d.Relevant && hide.resource(&d) {
			l.plan.Drift = append(l.plan.Drift, d)
		}
	}
	for _, c := range planned.Plan.Changes {
		if c.Action != pipeline.ActionRead && hide.resource(&c) {
			l.plan.Changes = append(l.plan.Changes, c)
		}
	}
	for _, o := range planned.Plan.Outputs {
		if hide.output(o) {
			l.plan.Outputs = append(l.plan.Outputs, o)
		}
	}
	for _, v := range planned.Plan.Invocations {
		if hide.invocation(v) {
			l.plan.Invocations = append(l.plan.Invocations, v)
		}
	}
	l.ignored = hide.hidden()
	l.plan.Counts = pipeline.CountChanges(l.plan.Changes)
	l.plan.Counts.Invoke = len(l.plan.Invocations)
	l.drift = len(l.plan.Drift) > 0
	l.otherChanges = l.more()
	if !l.drift && !l.otherChanges {
		return l, nil
	}
	differs := []any{l.plan.Changes, l.plan.Drift, l.plan.Outputs}
	if len(l.plan.Invocations)+len(l.plan.Deferred)+len(l.plan.Unknown) > 0 {
		differs = append(differs, l.plan.Invocations, l.plan.Deferred, l.plan.Unknown)
	}
	shown, err := json.Marshal(differs)
	if err != nil {
		return l, fmt.Errorf("encode what differs: %w", err)
	}
	h := mac()
	h.Write(shown)
	l.fingerprint = hex.EncodeToString(h.Sum(nil))
	return l, nil
}

// more reports whether the plan does more than change back what drifted. An action
// that a change triggers is judged with that change.
func (l inspection) more() bool {
	return l.plan.Unexplained || len(l.plan.Deferred) > 0 ||
		slices.ContainsFunc(l.plan.Changes, func(c pipeline.ResourceChange) bool { return !c.Reverts && (!l.drift || !follows(c)) }) ||
		slices.ContainsFunc(l.plan.Outputs, func(o pipeline.OutputChange) bool { return !l.drift || !o.After.Unknown }) ||
		slices.ContainsFunc(l.plan.Invocations, func(v pipeline.Invocation) bool {
			return !slices.ContainsFunc(l.plan.Changes, func(c pipeline.ResourceChange) bool { return c.Address == v.Resource })
		})
}

// follows reports whether a change is nothing but a consequence of another one:
// all that it changes is computed when that is done.
func follows(c pipeline.ResourceChange) bool {
	return c.Action == pipeline.ActionUpdate && len(c.Attributes) > 0 &&
		!slices.ContainsFunc(c.Attributes, func(a pipeline.AttributeChange) bool { return !a.After.Unknown })
}

// ignoring applies the rules that have not expired and remembers what they hid.
type ignoring struct {
	rules []pipeline.IgnoreRule
	now   time.Time
	hid   []IgnoredDrift
}

func (h *ignoring) rule(address, attribute string) (pipeline.IgnoreRule, bool) {
	for _, r := range h.rules {
		if !r.Expired(h.now) && r.Hides(address, attribute) {
			return r, true
		}
	}
	return pipeline.IgnoreRule{}, false
}

// resource takes hidden attributes out of a change and reports whether something
// is left of it. A creation or deletion is hidden as a whole or not at all.
func (h *ignoring) resource(c *pipeline.ResourceChange) bool {
	if rule, ok := h.rule(c.Address, ""); ok {
		h.hid = append(h.hid, IgnoredDrift{Address: c.Address, Reason: rule.Reason})
		return false
	}
	if c.Action != pipeline.ActionUpdate || len(c.Attributes) == 0 {
		return true
	}
	var left []pipeline.AttributeChange
	for _, a := range c.Attributes {
		if rule, ok := h.rule(c.Address, a.Path); ok {
			h.hid = append(h.hid, IgnoredDrift{Address: c.Address, Attribute: a.Path, Reason: rule.Reason})
			continue
		}
		left = append(left, a)
	}
	c.Attributes = left
	return len(left) > 0 || c.PreviousAddress != "" || c.IsImport()
}

// invocation reports whether an action is left: one that is triggered by a resource
// goes with it.
func (h *ignoring) invocation(v pipeline.Invocation) bool {
	if _, ok := h.rule(v.Resource, ""); ok && v.Resource != "" {
		return false
	}
	rule, ok := h.rule(v.Address, "")
	if ok {
		h.hid = append(h.hid, IgnoredDrift{Address: v.Address, Reason: rule.Reason})
	}
	return !ok
}

func (h *ignoring) output(o pipeline.OutputChange) bool {
	rule, ok := h.rule("output."+o.Name, "")
	if ok {
		h.hid = append(h.hid, IgnoredDrift{Address: "output." + o.Name, Reason: rule.Reason})
	}
	return !ok
}

// hidden is each hidden thing once: drift and the change that reverts it name the
// same attributes.
func (h *ignoring) hidden() []IgnoredDrift {
	slices.SortFunc(h.hid, func(a, b IgnoredDrift) int {
		return slices.Compare([]string{a.Address, a.Attribute, a.Reason}, []string{b.Address, b.Attribute, b.Reason})
	})
	return slices.Compact(h.hid)
}

// sameManager reports whether the manager has changed nothing that a plan is made
// from, since that of the receipt: neither the code nor the tool.
func (l inspection) sameManager(r pipeline.Receipt) bool {
	then := r.Evidence
	if then.Tool() != l.plan.Tool {
		return false
	}
	return then.ManagerTree() == l.tree || then.ManagerCode() != "" && then.ManagerCode() == l.code
}

// applied is what a plan was made from beside the manager's code.
type applied struct {
	blob   pipeline.SHA // of variables.yml
	needed string       // sum of the outputs of other stacks
}

// sameNeeded reports whether the outputs of other stacks are those of the last apply. Sums
// under different keys cannot be compared, and count as other ones: that is no drift.
func (a applied) sameNeeded(r pipeline.Receipt) bool {
	same, _ := pipeline.SameFingerprint(a.needed, r.Evidence.Needed())
	return same || a.needed == "" && r.Evidence.Needed() == ""
}

// noOutputs is a target that was applied, and whose needed outputs are not on record now.
func noOutputs(t pipeline.Target, deferred *pipeline.DeferredError) error {
	return pipeline.Usagef("%s cannot be compared: %s", t.Name(), deferred.Message).
		Nextf("start a request for the needed stack: a plan without changes, or an apply, writes its outputs again")
}

// kindsOf names what a plan found. again plans once more, with the variables that
// were applied last, where one plan does not show it; it is nil where nothing was.
func kindsOf(l inspection, now applied, last *record.LastApply, again func() (inspection, error)) ([]pipeline.DriftKind, error) {
	var kinds []pipeline.DriftKind
	if l.drift {
		kinds = append(kinds, pipeline.DriftReal)
	}
	if !l.otherChanges {
		return kinds, nil
	}
	if last == nil {
		return append(kinds, pipeline.DriftPending), nil
	}
	sameVariables, sameManager := last.Receipt.Blob == now.blob, l.sameManager(last.Receipt)
	switch {
	case !now.sameNeeded(last.Receipt): // another stack has put out something else
		if kinds = append(kinds, pipeline.DriftPending); !sameManager {
			kinds = append(kinds, pipeline.DriftManager)
		}
		return kinds, nil
	case sameVariables && sameManager:
		if !l.drift {
			// Nothing of ours has changed since the plan was empty: something that it
			// reads, such as a data source, has.
			kinds = append(kinds, pipeline.DriftReal)
		}
		return kinds, nil
	case sameVariables:
		return append(kinds, pipeline.DriftManager), nil
	case sameManager && !l.drift:
		return append(kinds, pipeline.DriftPending), nil
	}
	// The variables differ, and so does something else.
	before, err := again()
	if err != nil {
		return kinds, err
	}
	if before.fingerprint != l.fingerprint {
		kinds = append(kinds, pipeline.DriftPending)
	}
	if before.otherChanges && !sameManager {
		kinds = append(kinds, pipeline.DriftManager)
	}
	if len(kinds) == 0 {
		kinds = append(kinds, pipeline.DriftReal)
	}
	return kinds, nil
}
