package pipeline

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWildcard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.bc", false}, {"*", "", true}, {"*", "x", true},
		{"module.*.aws_instance.web", "module.a.module.b.aws_instance.web", true},
		{`aws_instance.web["*"]`, `aws_instance.web["x"]`, true}, {`aws_instance.web["*"]`, `aws_instance.web`, false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"*b*", "abc", true}, {"a*b*c", "acb", false}, {"", "", true}, {"", "a", false},
	} {
		if got := wildcard(c.pattern, c.text); got != c.want {
			t.Errorf("wildcard(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b", "axxb", "x")
	f.Fuzz(func(t *testing.T, pattern, text, middle string) {
		if strings.Contains(pattern, "*") == false && wildcard(pattern, text) != (pattern == text) {
			t.Errorf("without a star %q is itself only, and matched %q", pattern, text)
		}
		if !strings.Contains(text, "*") && !wildcard(text+"*"+text, text+middle+text) {
			t.Errorf("%q does not match around %q", text, middle)
		}
		rule := IgnoreRule{Address: pattern, Attribute: text}
		if rule.Hides(middle, "") {
			t.Error("a rule for an attribute hid a whole resource")
		}
	})
}

func TestIgnoreRulesCoverWhatLiesBelow(t *testing.T) {
	t.Parallel()
	rule := IgnoreRule{Address: "aws_instance.*", Attribute: "tags.Scan*"}
	for path, want := range map[string]bool{"tags.ScannedAt": true, "tags.Scan.at[0]": true, "tags": false, "tags.Owner": false, "x.tags.Scan": false} {
		if got := rule.Hides("aws_instance.web", path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	whole := IgnoreRule{Address: "aws_instance.web"}
	if !whole.Hides("aws_instance.web", "") || !whole.Hides("aws_instance.web", "ami") && whole.Attribute != "" || whole.Hides("aws_instance.other", "") {
		t.Error("a rule without an attribute is for the whole resource")
	}
}

func testMAC() hash.Hash { return hmac.New(sha256.New, []byte("key")) }

func attribute(path string, after Value) AttributeChange {
	return AttributeChange{Path: path, Before: Value{Text: `"a"`}, After: after}
}

func TestLookLeavesOutNoiseAndWhatRulesHide(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	known := Value{Text: `"b"`}
	drift := ResourceChange{Address: "a.b", Action: ActionUpdate, Relevant: true, Attributes: []AttributeChange{attribute("tags.Seen", known), attribute("size", known)}}
	revert := drift
	revert.Relevant, revert.Reverts = false, true
	noise := ResourceChange{Address: "a.noise", Action: ActionUpdate, Attributes: []AttributeChange{attribute("etag", known)}}
	follow := ResourceChange{Address: "a.follows", Action: ActionUpdate, Attributes: []AttributeChange{attribute("ref", Value{Unknown: true})}}
	moved := drift
	moved.PreviousAddress = "a.before"
	rule := func(attribute string, until time.Time) IgnoreRule {
		return IgnoreRule{Address: "a.b", Attribute: attribute, Reason: "known", Until: until}
	}
	for name, c := range map[string]struct {
		plan        Plan
		rules       []IgnoreRule
		drift, rest bool
		ignored     int
	}{
		"nothing":               {Plan{}, nil, false, false, 0},
		"noise":                 {Plan{Drift: []ResourceChange{noise}}, nil, false, false, 0},
		"drift":                 {Plan{Drift: []ResourceChange{drift}, Changes: []ResourceChange{revert}}, nil, true, false, 0},
		"and what follows":      {Plan{Drift: []ResourceChange{drift}, Changes: []ResourceChange{revert, follow}}, nil, true, false, 0},
		"follows nothing":       {Plan{Changes: []ResourceChange{follow}}, nil, false, true, 0},
		"one attribute hidden":  {Plan{Drift: []ResourceChange{drift}, Changes: []ResourceChange{revert}}, []IgnoreRule{rule("tags", now.Add(1))}, true, false, 1},
		"all hidden":            {Plan{Drift: []ResourceChange{drift}, Changes: []ResourceChange{revert}}, []IgnoreRule{rule("tags", now.Add(1)), rule("size", now.Add(1))}, false, false, 2},
		"moved, and all hidden": {Plan{Changes: []ResourceChange{moved}}, []IgnoreRule{rule("tags", now.Add(1)), rule("size", now.Add(1))}, false, true, 2},
		"an expired rule":       {Plan{Drift: []ResourceChange{drift}, Changes: []ResourceChange{revert}}, []IgnoreRule{rule("", now)}, true, false, 0},
		"the resource hidden":   {Plan{Drift: []ResourceChange{drift}, Changes: []ResourceChange{revert}}, []IgnoreRule{rule("", now.Add(1))}, false, false, 1},
		"an output":             {Plan{Outputs: []OutputChange{{Name: "x"}}}, nil, false, true, 0},
		"a read is no change":   {Plan{Changes: []ResourceChange{{Address: "data.a.b", Action: ActionRead}}}, nil, false, false, 0},
		"a deletion is not cut": {Plan{Changes: []ResourceChange{{Address: "a.b", Action: ActionDelete, Attributes: []AttributeChange{attribute("tags", Value{})}}}}, []IgnoreRule{rule("tags", now.Add(1))}, false, true, 0},
	} {
		got, err := inspect(Planned{Plan: c.plan}, c.rules, now, testMAC)
		if err != nil {
			t.Fatal(name, err)
		}
		if got.drift != c.drift || got.otherChanges != c.rest || len(got.ignored) != c.ignored {
			t.Errorf("%s: drift %v, rest %v, ignored %v", name, got.drift, got.otherChanges, got.ignored)
		}
		if found := got.fingerprint != ""; found != (c.drift || c.rest) {
			t.Errorf("%s: fingerprint %q", name, got.fingerprint)
		}
	}
}

func TestKindsOf(t *testing.T) {
	t.Parallel()
	last := &LastApply{Receipt: Receipt{Blob: "b1", ManagerTree: "t1"}}
	never := func() (inspection, error) { t.Error("one plan was enough"); return inspection{}, nil }
	again := func(l inspection) func() (inspection, error) { return func() (inspection, error) { return l, nil } }
	type kinds = []DriftKind
	for name, c := range map[string]struct {
		l     inspection
		blob  SHA
		last  *LastApply
		again func() (inspection, error)
		want  kinds
	}{
		"another customer came":      {inspection{tree: "t2", code: "c1", otherChanges: true}, "b1", &LastApply{Receipt: Receipt{Blob: "b1", ManagerTree: "t1", ManagerCode: "c1"}}, never, kinds{DriftReal}},
		"the code changed":           {inspection{tree: "t2", code: "c2", otherChanges: true}, "b1", &LastApply{Receipt: Receipt{Blob: "b1", ManagerTree: "t1", ManagerCode: "c1"}}, never, kinds{DriftManager}},
		"an old receipt":             {inspection{tree: "t2", otherChanges: true}, "b1", last, never, kinds{DriftManager}},
		"another tool":               {inspection{tree: "t1", otherChanges: true, plan: Plan{Tool: ToolVersion{Name: "tofu"}}}, "b1", last, never, kinds{DriftManager}},
		"clean":                      {inspection{tree: "t2"}, "b2", last, never, nil},
		"never applied":              {inspection{otherChanges: true}, "b2", nil, never, kinds{DriftPending}},
		"drift":                      {inspection{drift: true, tree: "t1"}, "b1", last, never, kinds{DriftReal}},
		"drift and more, same":       {inspection{drift: true, otherChanges: true, tree: "t1"}, "b1", last, never, kinds{DriftReal}},
		"what it reads has changed":  {inspection{otherChanges: true, tree: "t1"}, "b1", last, never, kinds{DriftReal}},
		"pending":                    {inspection{otherChanges: true, tree: "t1"}, "b2", last, never, kinds{DriftPending}},
		"manager":                    {inspection{otherChanges: true, tree: "t2"}, "b1", last, never, kinds{DriftManager}},
		"both":                       {inspection{otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{otherChanges: true, fingerprint: "y"}), kinds{DriftPending, DriftManager}},
		"only the manager":           {inspection{otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{otherChanges: true, fingerprint: "x"}), kinds{DriftManager}},
		"only the customer":          {inspection{otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{}), kinds{DriftPending}},
		"drift under a comment":      {inspection{drift: true, otherChanges: true, tree: "t1", fingerprint: "x"}, "b2", last, again(inspection{drift: true, otherChanges: true, fingerprint: "x"}), kinds{DriftReal}},
		"drift and pending":          {inspection{drift: true, otherChanges: true, tree: "t1", fingerprint: "x"}, "b2", last, again(inspection{drift: true, fingerprint: "y"}), kinds{DriftReal, DriftPending}},
		"drift, pending and manager": {inspection{drift: true, otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{drift: true, otherChanges: true, fingerprint: "y"}), kinds{DriftReal, DriftPending, DriftManager}},
	} {
		got, err := kindsOf(c.l, c.blob, c.last, c.again)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := kindsOf(inspection{otherChanges: true, tree: "t2"}, "b2", last, func() (inspection, error) { return inspection{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a second plan that fails: %v", err)
	}
}

func TestShardsAreBalanced(t *testing.T) {
	t.Parallel()
	history := fleetHistory{Targets: map[string]targetHistory{"slow/s": {Duration: Seconds(90 * time.Second)}, "a/s": {Duration: Seconds(10 * time.Second)}, "b/s": {Duration: Seconds(10 * time.Second)}}}
	var targets []scanTarget
	for _, name := range []CustomerName{"a", "b", "c", "d", "slow"} {
		targets = append(targets, scanTarget{Customer: name, Environment: "s"})
	}
	balance(targets, 2, history)
	shards := map[int][]CustomerName{}
	for _, target := range targets {
		shards[target.Shard] = append(shards[target.Shard], target.Customer)
	}
	if len(shards) != 2 || len(shards[1]) == 5 || len(shards[2]) == 5 || slices.Contains(shards[targets[4].Shard], "a") {
		t.Errorf("shards %v", shards)
	}
}

func TestApplyBranch(t *testing.T) {
	t.Parallel()
	for want, branches := range map[string][]string{"": nil, "main": {"release/*", "main"}, "prod": {"prod"}} {
		if got := applyBranch(EnvironmentRule{Branches: branches}); got != want {
			t.Errorf("%v: %q", branches, got)
		}
	}
	if got := applyBranch(EnvironmentRule{Branches: []string{"release/*"}}); got != "" {
		t.Errorf("a pattern alone: %q", got)
	}
}
