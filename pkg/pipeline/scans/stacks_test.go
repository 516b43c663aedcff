package scans_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// TestScanOfStacks: each stack of an environment is a target with a result and a history of
// its own, and so is a target that was left when metapipe.yml named its stacks.
func TestScanOfStacks(t *testing.T) {
	t.Parallel()
	c := newCosts(t)
	for i := range c.customers {
		c.customers[i].Manager.Stacks = []pipeline.StackRule{{Name: "network"}, {Name: "hosts"}}
	}
	c.customers = c.customers[:2]
	c.customers[1].Stacks = []pipeline.StackName{"hosts"}
	list := func(f scans.Filter) scans.Listing {
		t.Helper()
		listing, err := c.scans.List(t.Context(), scans.ListInput{Customers: c.customers, Filter: f, Shards: 1,
			Left: []pipeline.Target{{Customer: "acme", Environment: "staging"}, {Customer: "acme", Environment: "live"}}})
		if err != nil {
			t.Fatal(err)
		}
		return listing
	}
	all := list(scans.Filter{})
	c.dollars["acme/staging/hosts"] = 500
	if err := c.check(all.Scan, 1, 99); err != nil {
		t.Fatal(err)
	}
	slices.Sort(c.checked)
	want := []string{"acme/live", "acme/production/hosts", "acme/production/network", "acme/staging", "acme/staging/hosts", "acme/staging/network", "beta/production/hosts", "beta/staging/hosts"}
	if !slices.Equal(c.checked, want) {
		t.Errorf("checked %v, want %v", c.checked, want)
	}
	merged := c.merge(all.Scan)
	if len(merged.Missing) != 0 || len(merged.Results) != len(want) {
		t.Errorf("%+v", merged)
	}
	for _, r := range merged.Results {
		if expensive := r.Dollars > 100; expensive != (r.Customer == "acme" && r.Environment == "staging" && r.Stack == "hosts") {
			t.Errorf("%+v", r)
		}
	}
	if n := list(scans.Filter{Environments: []pipeline.Environment{"staging"}}).Targets; n != 4 {
		t.Errorf("%d targets of staging", n)
	}
	if n := list(scans.Filter{Environments: []pipeline.Environment{"live"}}).Targets; n != 1 {
		t.Errorf("%d targets of an environment that was left", n)
	}
	if n := list(scans.Filter{Stacks: []pipeline.StackName{"network"}}).Targets; n != 2 {
		t.Errorf("%d targets of a stack that one customer has", n)
	}
	_, err := c.scans.List(t.Context(), scans.ListInput{Customers: c.customers, Filter: scans.Filter{Stacks: []pipeline.StackName{"portal"}}, Shards: 1})
	if err == nil || !strings.Contains(err.Error(), `no customer has a stack "portal"`) {
		t.Errorf("a stack that there is not: %v", err)
	}
	c.customers[1].Stacks = nil // beta gets the other stack, too
	if n := list(scans.Filter{Stale: time.Hour}).Targets; n != 2 {
		t.Errorf("%d targets were never looked at, want the two new stacks of beta", n)
	}
}
