package drift

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

func testMAC() hash.Hash { return hmac.New(sha256.New, []byte("key")) }

func attribute(path string, after pipeline.Value) pipeline.AttributeChange {
	return pipeline.AttributeChange{Path: path, Before: pipeline.Value{Text: `"a"`}, After: after}
}

func TestLookLeavesOutNoiseAndWhatRulesHide(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	known := pipeline.Value{Text: `"b"`}
	drift := pipeline.ResourceChange{Address: "a.b", Action: pipeline.ActionUpdate, Relevant: true, Attributes: []pipeline.AttributeChange{attribute("tags.Seen", known), attribute("size", known)}}
	revert := drift
	revert.Relevant, revert.Reverts = false, true
	noise := pipeline.ResourceChange{Address: "a.noise", Action: pipeline.ActionUpdate, Attributes: []pipeline.AttributeChange{attribute("etag", known)}}
	follow := pipeline.ResourceChange{Address: "a.follows", Action: pipeline.ActionUpdate, Attributes: []pipeline.AttributeChange{attribute("ref", pipeline.Value{Unknown: true})}}
	moved := drift
	moved.PreviousAddress = "a.before"
	rule := func(attribute string, until time.Time) pipeline.IgnoreRule {
		return pipeline.IgnoreRule{Address: "a.b", Attribute: attribute, Exception: pipeline.Exception{Reason: "known", Until: until}}
	}
	for name, c := range map[string]struct {
		plan        pipeline.Plan
		rules       []pipeline.IgnoreRule
		drift, rest bool
		ignored     int
	}{
		"nothing":               {pipeline.Plan{}, nil, false, false, 0},
		"noise":                 {pipeline.Plan{Drift: []pipeline.ResourceChange{noise}}, nil, false, false, 0},
		"drift":                 {pipeline.Plan{Drift: []pipeline.ResourceChange{drift}, Changes: []pipeline.ResourceChange{revert}}, nil, true, false, 0},
		"and what follows":      {pipeline.Plan{Drift: []pipeline.ResourceChange{drift}, Changes: []pipeline.ResourceChange{revert, follow}}, nil, true, false, 0},
		"follows nothing":       {pipeline.Plan{Changes: []pipeline.ResourceChange{follow}}, nil, false, true, 0},
		"one attribute hidden":  {pipeline.Plan{Drift: []pipeline.ResourceChange{drift}, Changes: []pipeline.ResourceChange{revert}}, []pipeline.IgnoreRule{rule("tags", now.Add(1))}, true, false, 1},
		"all hidden":            {pipeline.Plan{Drift: []pipeline.ResourceChange{drift}, Changes: []pipeline.ResourceChange{revert}}, []pipeline.IgnoreRule{rule("tags", now.Add(1)), rule("size", now.Add(1))}, false, false, 2},
		"moved, and all hidden": {pipeline.Plan{Changes: []pipeline.ResourceChange{moved}}, []pipeline.IgnoreRule{rule("tags", now.Add(1)), rule("size", now.Add(1))}, false, true, 2},
		"an expired rule":       {pipeline.Plan{Drift: []pipeline.ResourceChange{drift}, Changes: []pipeline.ResourceChange{revert}}, []pipeline.IgnoreRule{rule("", now)}, true, false, 0},
		"the resource hidden":   {pipeline.Plan{Drift: []pipeline.ResourceChange{drift}, Changes: []pipeline.ResourceChange{revert}}, []pipeline.IgnoreRule{rule("", now.Add(1))}, false, false, 1},
		"an output":             {pipeline.Plan{Outputs: []pipeline.OutputChange{{Name: "x"}}}, nil, false, true, 0},
		"a read is no change":   {pipeline.Plan{Changes: []pipeline.ResourceChange{{Address: "data.a.b", Action: pipeline.ActionRead}}}, nil, false, false, 0},
		"a deletion is not cut": {pipeline.Plan{Changes: []pipeline.ResourceChange{{Address: "a.b", Action: pipeline.ActionDelete, Attributes: []pipeline.AttributeChange{attribute("tags", pipeline.Value{})}}}}, []pipeline.IgnoreRule{rule("tags", now.Add(1))}, false, true, 0},
	} {
		got, err := inspect(pipeline.Planned{Plan: c.plan}, c.rules, now, testMAC)
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
	last := &record.LastApply{Receipt: pipeline.Receipt{Blob: "b1", Evidence: managerOf("t1", "")}}
	never := func() (inspection, error) { t.Error("one plan was enough"); return inspection{}, nil }
	again := func(l inspection) func() (inspection, error) { return func() (inspection, error) { return l, nil } }
	type kinds = []pipeline.DriftKind
	for name, c := range map[string]struct {
		l     inspection
		blob  pipeline.SHA
		last  *record.LastApply
		again func() (inspection, error)
		want  kinds
	}{
		"another customer came":      {inspection{tree: "t2", code: "c1", otherChanges: true}, "b1", &record.LastApply{Receipt: pipeline.Receipt{Blob: "b1", Evidence: managerOf("t1", "c1")}}, never, kinds{pipeline.DriftReal}},
		"the code changed":           {inspection{tree: "t2", code: "c2", otherChanges: true}, "b1", &record.LastApply{Receipt: pipeline.Receipt{Blob: "b1", Evidence: managerOf("t1", "c1")}}, never, kinds{pipeline.DriftManager}},
		"an old receipt":             {inspection{tree: "t2", otherChanges: true}, "b1", last, never, kinds{pipeline.DriftManager}},
		"another tool":               {inspection{tree: "t1", otherChanges: true, plan: pipeline.Plan{Tool: pipeline.ToolVersion{Name: "tofu"}}}, "b1", last, never, kinds{pipeline.DriftManager}},
		"clean":                      {inspection{tree: "t2"}, "b2", last, never, nil},
		"never applied":              {inspection{otherChanges: true}, "b2", nil, never, kinds{pipeline.DriftPending}},
		"drift":                      {inspection{drift: true, tree: "t1"}, "b1", last, never, kinds{pipeline.DriftReal}},
		"drift and more, same":       {inspection{drift: true, otherChanges: true, tree: "t1"}, "b1", last, never, kinds{pipeline.DriftReal}},
		"what it reads has changed":  {inspection{otherChanges: true, tree: "t1"}, "b1", last, never, kinds{pipeline.DriftReal}},
		"pending":                    {inspection{otherChanges: true, tree: "t1"}, "b2", last, never, kinds{pipeline.DriftPending}},
		"manager":                    {inspection{otherChanges: true, tree: "t2"}, "b1", last, never, kinds{pipeline.DriftManager}},
		"both":                       {inspection{otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{otherChanges: true, fingerprint: "y"}), kinds{pipeline.DriftPending, pipeline.DriftManager}},
		"only the manager":           {inspection{otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{otherChanges: true, fingerprint: "x"}), kinds{pipeline.DriftManager}},
		"only the customer":          {inspection{otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{}), kinds{pipeline.DriftPending}},
		"drift under a comment":      {inspection{drift: true, otherChanges: true, tree: "t1", fingerprint: "x"}, "b2", last, again(inspection{drift: true, otherChanges: true, fingerprint: "x"}), kinds{pipeline.DriftReal}},
		"drift and pending":          {inspection{drift: true, otherChanges: true, tree: "t1", fingerprint: "x"}, "b2", last, again(inspection{drift: true, fingerprint: "y"}), kinds{pipeline.DriftReal, pipeline.DriftPending}},
		"drift, pending and manager": {inspection{drift: true, otherChanges: true, tree: "t2", fingerprint: "x"}, "b2", last, again(inspection{drift: true, otherChanges: true, fingerprint: "y"}), kinds{pipeline.DriftReal, pipeline.DriftPending, pipeline.DriftManager}},
	} {
		got, err := kindsOf(c.l, applied{blob: c.blob}, c.last, c.again)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := kindsOf(inspection{otherChanges: true, tree: "t2"}, applied{blob: "b2"}, last, func() (inspection, error) { return inspection{}, broken }); !errors.Is(err, broken) {
		t.Errorf("a second plan that fails: %v", err)
	}
}

// TestKindsOfNeeds: what differs since another stack has put out something else is a change
// that waits for its merge, and no drift.
func TestKindsOfNeeds(t *testing.T) {
	t.Parallel()
	sum := func(key, tag string) string { return strings.Repeat(key, 16) + strings.Repeat(tag, 64) }
	evidence := managerOf("t1", "")
	evidence.SetNeeded(sum("1", "a"))
	last := &record.LastApply{Receipt: pipeline.Receipt{Blob: "b1", Evidence: evidence}}
	never := func() (inspection, error) { t.Error("one plan was enough"); return inspection{}, nil }
	for name, c := range map[string]struct {
		tree, needed string
		want         []pipeline.DriftKind
	}{
		"the same outputs":        {"t1", sum("1", "a"), []pipeline.DriftKind{pipeline.DriftReal}},
		"other outputs":           {"t1", sum("1", "b"), []pipeline.DriftKind{pipeline.DriftPending}},
		"outputs and the manager": {"t2", sum("1", "b"), []pipeline.DriftKind{pipeline.DriftPending, pipeline.DriftManager}},
		"under another key":       {"t1", sum("2", "a"), []pipeline.DriftKind{pipeline.DriftPending}},
		"needed no more":          {"t1", "", []pipeline.DriftKind{pipeline.DriftPending}},
	} {
		got, err := kindsOf(inspection{otherChanges: true, tree: c.tree}, applied{"b1", c.needed}, last, never)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%v), want %v", name, got, err, c.want)
		}
	}
}

func TestApplyBranch(t *testing.T) {
	t.Parallel()
	for want, branches := range map[string][]string{"": nil, "main": {"release/*", "main"}, "prod": {"prod"}} {
		if got := applyBranch(pipeline.EnvironmentRule{Branches: branches}); got != want {
			t.Errorf("%v: %q", branches, got)
		}
	}
	if got := applyBranch(pipeline.EnvironmentRule{Branches: []string{"release/*"}}); got != "" {
		t.Errorf("a pattern alone: %q", got)
	}
}

func managerOf(tree, code string) pipeline.PlanEvidence {
	e := pipeline.NewPlanEvidence(pipeline.ToolVersion{})
	e.SetManager(tree, code)
	return e
}
