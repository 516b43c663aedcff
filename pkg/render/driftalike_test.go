package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestDriftAlike: three targets that differ alike are a group, two are none.
func TestDriftAlike(t *testing.T) {
	t.Parallel()
	change := func(address string, action pipeline.Action, paths ...string) pipeline.ResourceChange {
		c := pipeline.ResourceChange{Address: address, Action: action}
		for _, p := range paths {
			c.Attributes = append(c.Attributes, pipeline.AttributeChange{Path: p})
		}
		return c
	}
	var scan drift.Scan
	add := func(name string, kinds []pipeline.DriftKind, failure *drift.Failure, results ...pipeline.ResourceChange) {
		scan.Results = append(scan.Results, drift.Result{Target: pipeline.Target{Customer: pipeline.CustomerName(name), Environment: "live"}, Kinds: kinds, Failure: failure,
			Plan: &pipeline.Plan{Drift: results, Changes: results}})
	}
	found := []pipeline.DriftKind{pipeline.DriftReal}
	for i := range 4 {
		results := []pipeline.ResourceChange{change("bucket.logs", pipeline.ActionUpdate, "tags.b", "tags.a")}
		if i == 1 { // in another order, and one more
			results = []pipeline.ResourceChange{change("rule.open", pipeline.ActionDelete), change("bucket.logs", pipeline.ActionUpdate, "tags.a", "tags.b")}
		}
		add(fmt.Sprintf("c%d", 4-i), found, nil, results...)
	}
	add("other", found, nil, change("rule.open", pipeline.ActionDelete))
	add("elsewhere", found, nil, change("bucket.logs", pipeline.ActionUpdate, "name"))
	add("clean", nil, nil, change("bucket.logs", pipeline.ActionUpdate, "tags.a", "tags.b"))
	for i := range 3 {
		add(fmt.Sprintf("e%d", i), []pipeline.DriftKind{pipeline.DriftError}, &drift.Failure{Cause: "denied"})
	}
	want := []render.Alike{
		{What: "bucket.logs (tags.a, tags.b)", Targets: []string{"c1/live", "c2/live", "c3/live", "c4/live"}},
		{What: "error (denied)", Targets: []string{"e0/live", "e1/live", "e2/live"}},
	}
	if diff := cmp.Diff(want, render.DriftAlike(scan)); diff != "" {
		t.Error(diff)
	}
	if got := want[0].Names(2); got != "c1/live, c2/live and 2 more" {
		t.Errorf("%q", got)
	}
	if summary := (render.Renderer{}).Drift(scan); !strings.Contains(summary, "Several targets differ alike") || !strings.Contains(summary, "c1/live, c2/live") {
		t.Errorf("the summary does not say it:\n%s", summary)
	}
}
