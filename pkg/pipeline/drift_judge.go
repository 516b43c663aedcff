package pipeline

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"time"
)

// looked is one plan of a target without what nobody needs to know of it.
type looked struct {
	plan    Plan
	ignored []IgnoredDrift
	// drift tells that somebody changed something that the plan would change back;
	// rest, that the plan does more than that.
	drift, rest bool
	fingerprint string
	tree, code  string // digests of the manager's repository, and of the code in it
}

// look leaves out noise and what rules hide, and tells drift from other changes.
func look(planned Planned, rules []IgnoreRule, now time.Time, mac func() hash.Hash) (looked, error) {
	l := looked{plan: planned.Plan, tree: planned.ManagerTree, code: planned.ManagerCode}
	l.plan.Changes, l.plan.Drift, l.plan.Outputs = nil, nil, nil
	hide := ignoring{rules: rules, now: now}
	for _, d := range planned.Plan.Drift {
		if d.Relevant && hide.resource(&d) {
			l.plan.Drift = append(l.plan.Drift, d)
		}
	}
	for _, c := range planned.Plan.Changes {
		if c.Action != ActionRead && hide.resource(&c) {
			l.plan.Changes = append(l.plan.Changes, c)
		}
	}
	for _, o := range planned.Plan.Outputs {
		if hide.output(o) {
			l.plan.Outputs = append(l.plan.Outputs, o)
		}
	}
	l.ignored = hide.hidden()
	l.plan.Counts = countChanges(l.plan.Changes)
	l.drift = len(l.plan.Drift) > 0
	l.rest = slices.ContainsFunc(l.plan.Changes, func(c ResourceChange) bool { return !c.Reverts && (!l.drift || !follows(c)) }) ||
		slices.ContainsFunc(l.plan.Outputs, func(o OutputChange) bool { return !l.drift || !o.After.Unknown })
	if !l.drift && !l.rest {
		return l, nil
	}
	shown, err := json.Marshal([]any{l.plan.Changes, l.plan.Drift, l.plan.Outputs})
	if err != nil {
		return l, fmt.Errorf("encode what differs: %w", err)
	}
	h := mac()
	h.Write(shown)
	l.fingerprint = hex.EncodeToString(h.Sum(nil))
	return l, nil
}

// follows reports whether a change is nothing but a consequence of another one:
// all that it changes is computed when that is done.
func follows(c ResourceChange) bool {
	return c.Action == ActionUpdate && len(c.Attributes) > 0 &&
		!slices.ContainsFunc(c.Attributes, func(a AttributeChange) bool { return !a.After.Unknown })
}

func countChanges(changes []ResourceChange) Counts {
	var n Counts
	for _, c := range changes {
		if c.Data {
			continue
		}
		switch c.Action {
		case ActionCreate:
			n.Create++
		case ActionUpdate:
			n.Update++
		case ActionReplace:
			n.Replace++
		case ActionDelete:
			n.Delete++
		case ActionForget:
			n.Forget++
		}
		if c.PreviousAddress != "" {
			n.Move++
		}
		if c.ImportID != "" {
			n.Import++
		}
	}
	return n
}

// ignoring applies the rules that have not expired and remembers what they hid.
type ignoring struct {
	rules []IgnoreRule
	now   time.Time
	hid   []IgnoredDrift
}

func (h *ignoring) rule(address, attribute string) (IgnoreRule, bool) {
	for _, r := range h.rules {
		if !r.Expired(h.now) && r.hides(address, attribute) {
			return r, true
		}
	}
	return IgnoreRule{}, false
}

// resource takes hidden attributes out of a change and reports whether something
// is left of it. A creation or deletion is hidden as a whole or not at all.
func (h *ignoring) resource(c *ResourceChange) bool {
	if rule, ok := h.rule(c.Address, ""); ok {
		h.hid = append(h.hid, IgnoredDrift{Address: c.Address, Reason: rule.Reason})
		return false
	}
	if c.Action != ActionUpdate || len(c.Attributes) == 0 {
		return true
	}
	var left []AttributeChange
	for _, a := range c.Attributes {
		if rule, ok := h.rule(c.Address, a.Path); ok {
			h.hid = append(h.hid, IgnoredDrift{Address: c.Address, Attribute: a.Path, Reason: rule.Reason})
			continue
		}
		left = append(left, a)
	}
	c.Attributes = left
	return len(left) > 0 || c.PreviousAddress != "" || c.ImportID != ""
}

func (h *ignoring) output(o OutputChange) bool {
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
func (l looked) sameManager(r Receipt) bool {
	if r.Tool != l.plan.Tool {
		return false
	}
	return r.ManagerTree == l.tree || r.ManagerCode != "" && r.ManagerCode == l.code
}

// kindsOf names what a plan found. again plans once more, with the variables that
// were applied last, where one plan cannot tell; it is nil where nothing was.
func kindsOf(l looked, blob SHA, last *lastApply, again func() (looked, error)) ([]DriftKind, error) {
	var kinds []DriftKind
	if l.drift {
		kinds = append(kinds, DriftReal)
	}
	if !l.rest {
		return kinds, nil
	}
	if last == nil {
		return append(kinds, DriftPending), nil
	}
	sameVariables, sameManager := last.Receipt.Blob == blob, l.sameManager(last.Receipt)
	switch {
	case sameVariables && sameManager:
		if !l.drift {
			// Nothing of ours has changed since the plan was empty: something that it
			// reads, such as a data source, has.
			kinds = append(kinds, DriftReal)
		}
		return kinds, nil
	case sameVariables:
		return append(kinds, DriftManager), nil
	case sameManager && !l.drift:
		return append(kinds, DriftPending), nil
	}
	// The variables differ, and so does something else.
	before, err := again()
	if err != nil {
		return kinds, err
	}
	if before.fingerprint != l.fingerprint {
		kinds = append(kinds, DriftPending)
	}
	if before.rest && !sameManager {
		kinds = append(kinds, DriftManager)
	}
	if len(kinds) == 0 {
		kinds = append(kinds, DriftReal)
	}
	return kinds, nil
}
