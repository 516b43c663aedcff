package scans_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
	"github.com/metapipe/metapipe/pkg/store"
)

// cost is a result that has nothing to do with drift: what a target costs a month.
type cost struct {
	Customer    pipeline.CustomerName `json:"customer"`
	Environment pipeline.Environment  `json:"environment"`
	Stack       pipeline.StackName    `json:"stack,omitempty"`
	Dollars     int                   `json:"dollars"`
	Unknown     bool                  `json:"unknown,omitempty"`
	CheckedAt   time.Time             `json:"checked_at"`
}

func (c cost) Observation() scans.Observation {
	o := scans.Observation{
		Target: scans.Target{Target: pipeline.Target{Customer: c.Customer, Environment: c.Environment, Stack: c.Stack}},
		Failed: c.Unknown, CheckedAt: c.CheckedAt, Duration: pipeline.Seconds(time.Second)}
	switch {
	case c.Unknown:
		o.Kinds = []string{"unknown"}
	case c.Dollars > 100:
		o.Kinds = []string{"expensive"}
	}
	return o
}

// costs scans a fleet of three customers with two environments each.
type costs struct {
	t         *testing.T
	scans     scans.Scans
	customers []pipeline.Customer
	dollars   map[string]int // by target; -1: not known

	mu      sync.Mutex
	now     time.Time
	checked []string
}

func newCosts(t *testing.T) *costs {
	t.Helper()
	directory, err := store.NewDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	c := &costs{t: t, dollars: map[string]int{}, now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	c.scans = scans.Scans{Records: record.Records{Store: directory, Sealer: sealer}, Now: c.time, Command: "metapipe cost", Prefix: "_metapipe/costs/"}
	rules := []pipeline.EnvironmentRule{{Name: "staging"}, {Name: "production"}}
	for _, name := range []pipeline.CustomerName{"acme", "beta", "corp"} {
		c.customers = append(c.customers, pipeline.Customer{Name: name, Environments: []pipeline.Environment{"staging", "production"}, Manager: pipeline.Manager{Environments: rules}})
	}
	return c
}

func (c *costs) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Second)
	return c.now
}

func (c *costs) list(filter scans.Filter, shards int) scans.Listing {
	c.t.Helper()
	listing, err := c.scans.List(c.t.Context(), scans.ListInput{Customers: c.customers, Filter: filter, Shards: shards})
	if err != nil {
		c.t.Fatal(err)
	}
	return listing
}

// check looks at a shard and stops after so many targets.
func (c *costs) check(scan string, shard, most int) error {
	c.checked = nil
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	return scans.Check(ctx, c.scans, scans.Work[cost]{Scan: scan, Shard: shard, Workers: 1, Check: func(_ context.Context, t scans.Target) cost {
		if len(c.checked) == most {
			cancel()
		}
		c.checked = append(c.checked, t.String())
		dollars := c.dollars[t.String()]
		return cost{Customer: t.Customer, Environment: t.Environment, Stack: t.Stack, Dollars: dollars, Unknown: dollars < 0, CheckedAt: c.time()}
	}})
}

func (c *costs) merge(scan string) scans.Merged[cost] {
	c.t.Helper()
	merged, err := scans.Merge[cost](c.t.Context(), c.scans, scan)
	if err != nil {
		c.t.Fatal(err)
	}
	return merged
}

// TestResumedScan: a scan in two shards, of which one is interrupted, goes on where it
// stopped, and a merge in between knows what is missing.
func TestResumedScan(t *testing.T) {
	t.Parallel()
	c := newCosts(t)
	listing := c.list(scans.Filter{}, 2)
	if listing.Targets != 6 || !slices.Equal(listing.Shards, []int{1, 2}) {
		t.Fatalf("listed %+v", listing)
	}
	if err := c.check(listing.Scan, 1, 9); err != nil || len(c.checked) != 3 {
		t.Fatalf("shard 1 checked %v: %v", c.checked, err)
	}
	first := slices.Clone(c.checked)
	if err := c.check(listing.Scan, 2, 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted shard: %v", err)
	}
	for range 2 { // a merge of a part ends nothing, however often
		part := c.merge(listing.Scan)
		if len(part.Results) != 4 || len(part.Missing) != 2 || part.Before != nil {
			t.Errorf("a part: %+v", part)
		}
		if id, err := c.scans.Unfinished(t.Context()); err != nil || id != listing.Scan {
			t.Errorf("unfinished is %q: %v", id, err)
		}
	}
	if h, err := c.scans.History(t.Context()); err != nil || len(h.Targets) != 4 {
		t.Errorf("the history of a part has %d targets: %v", len(h.Targets), err)
	}
	if err := c.check(listing.Scan, 0, 9); err != nil || len(c.checked) != 2 || slices.Contains(first, c.checked[0]) {
		t.Errorf("after %v the rest is %v: %v", first, c.checked, err)
	}
	if merged := c.merge(listing.Scan); len(merged.Results) != 6 || merged.Missing != nil || merged.Before != nil || merged.Results[0].Observation().String() != "acme/production" {
		t.Errorf("merged %+v", merged)
	}
	if h, err := c.scans.History(t.Context()); err != nil || len(h.Targets) != 6 {
		t.Errorf("the history of the whole has %d targets: %v", len(h.Targets), err)
	}
	var usage *pipeline.UsageError
	if _, err := c.scans.Unfinished(t.Context()); !errors.As(err, &usage) {
		t.Errorf("nothing is unfinished: %v", err)
	}
	if err := c.check(listing.Scan, 3, 9); !errors.As(err, &usage) {
		t.Errorf("a shard that is not there: %v", err)
	}
}

// TestMergedScans: what was found first stays the first, also behind a failure, and a
// part of the fleet is compared with the same part.
func TestMergedScans(t *testing.T) {
	t.Parallel()
	c := newCosts(t)
	scan := func(filter scans.Filter) scans.Merged[cost] {
		t.Helper()
		listing := c.list(filter, 1)
		if err := c.check(listing.Scan, 0, 9); err != nil {
			t.Fatal(err)
		}
		return c.merge(listing.Scan)
	}
	c.dollars["acme/staging"], c.dollars["beta/staging"] = 500, -1
	since := scan(scans.Filter{}).FirstSeen["acme/staging"]
	c.dollars["acme/staging"] = -1
	failed := scan(scans.Filter{Customers: []pipeline.CustomerName{"acme"}})
	if failed.Before == nil || failed.Before.Targets != 2 || failed.Before.Clean != 1 || failed.Before.Kinds["expensive"] != 1 || failed.Before.Kinds["unknown"] != 0 {
		t.Errorf("the part is compared with %+v", failed.Before)
	}
	c.dollars["acme/staging"] = 600
	after := scan(scans.Filter{})
	if got := after.FirstSeen["acme/staging"]; since.IsZero() || !got.Equal(since) {
		t.Errorf("seen first at %s, want %s", got, since)
	}
	if !after.FirstSeen["corp/staging"].IsZero() || after.Before.Targets != 6 {
		t.Errorf("a clean target since %s, before %+v", after.FirstSeen["corp/staging"], after.Before)
	}
	if stale := c.list(scans.Filter{Stale: time.Hour}, 1); stale.Targets != 1 { // the one that failed
		t.Errorf("%d stale targets, want 1", stale.Targets)
	}
}

// TestScansOfAnotherKind: a result that was sealed for one kind of scan opens in no other.
func TestScansOfAnotherKind(t *testing.T) {
	t.Parallel()
	c := newCosts(t)
	listing := c.list(scans.Filter{}, 1)
	if err := c.check(listing.Scan, 0, 9); err != nil {
		t.Fatal(err)
	}
	c.scans.Command = "metapipe labels"
	if _, err := scans.Merge[cost](t.Context(), c.scans, listing.Scan); !errors.Is(err, pipeline.ErrTampered) {
		t.Errorf("read as results of another command: %v", err)
	}
}
