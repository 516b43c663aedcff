package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

// DriftRules say what is done about what a scan finds.
type DriftRules struct {
	// Actions overrides the default action of a kind.
	Actions map[DriftKind]DriftAction
	// Remediate are the environments in which a scan may ask for an apply.
	Remediate []Environment
	Ignore    []IgnoreRule
}

// Action is what is done about a kind: by default an issue for real drift, and a
// report to the manager for everything else.
func (r DriftRules) Action(kind DriftKind) DriftAction {
	if action, ok := r.Actions[kind]; ok {
		return action
	}
	if kind == DriftReal {
		return DriftIssue
	}
	return DriftReport
}

// MayRemediate reports whether a scan may ask for an apply to env.
func (r DriftRules) MayRemediate(env Environment) bool { return slices.Contains(r.Remediate, env) }

// IgnoreRule hides differences that are known and accepted until a day.
type IgnoreRule struct {
	// Address of a resource, or "output.NAME". "*" stands for any characters,
	// everything else for itself.
	Address string
	// Attribute is a path such as `tags.LastSeen`, with "*" as above. It covers what
	// lies below it. Empty: the whole resource, also its creation or deletion.
	Attribute string
	Exception
}

func (r IgnoreRule) String() string {
	what := r.Address
	if r.Attribute != "" {
		what += " " + r.Attribute
	}
	return fmt.Sprintf("%s: %s (of %s, until %s: %s)", r.Where, what, r.Owner, r.LastDay(), r.Reason)
}

// Hides reports whether the rule covers a whole resource, or with an attribute
// that path of it.
func (r IgnoreRule) Hides(address, attribute string) bool {
	if !wildcard(r.Address, address) {
		return false
	}
	if r.Attribute == "" || attribute == "" {
		return r.Attribute == ""
	}
	if wildcard(r.Attribute, attribute) {
		return true
	}
	for i, c := range attribute { // what lies below
		if (c == '.' || c == '[') && i > 0 && wildcard(r.Attribute, attribute[:i]) {
			return true
		}
	}
	return false
}

// wildcard matches text with a pattern in which "*" stands for any characters. It
// takes at most as many steps as the product of both lengths.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, last)
}

// DriftKind says in which way a target is not as it should be.
type DriftKind string

// The kinds, in the order in which they are reported.
const (
	DriftError   DriftKind = "error"   // the check failed: nothing is known about the target
	DriftLost    DriftKind = "lost"    // the state is not the one that the last apply left: it is gone, older or another one
	DriftReal    DriftKind = "drift"   // someone changed the infrastructure outside of the tool
	DriftPending DriftKind = "pending" // the customer's configuration is merged and was never applied
	DriftManager DriftKind = "manager" // the manager's code changed since the last apply
	// DriftAbandoned: it was built, and a custom property of the repository has switched its tool
	// off. Nothing plans it, and nothing is destroyed.
	DriftAbandoned DriftKind = "abandoned"
)

// DriftAction is what is done about a kind.
type DriftAction string

// The actions: report informs the manager, issue also the customer.
const (
	DriftReport DriftAction = "report"
	DriftIssue  DriftAction = "issue"
	DriftIgnore DriftAction = "ignore"
)
