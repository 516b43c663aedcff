package drift

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Filter picks targets; the zero value picks all.
type Filter struct {
	Customers    []pipeline.CustomerName
	Environments []pipeline.Environment
	// Stale leaves out targets that a scan has looked at, without an error or a lost state, in this
	// time. 0 leaves out none.
	Stale time.Duration
	// ChangedWithin leaves out targets that were neither asked for nor applied in
	// this time, as the store knows it. 0 leaves out none.
	ChangedWithin time.Duration
}

// Plan is a scan that was begun.
type Plan struct {
	Scan    string `json:"scan"`
	Targets int    `json:"targets"`
	Shards  []int  `json:"shards"` // their numbers; empty where there is nothing to look at
}

// Lister begins scans.
type Lister struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Now    func() time.Time
}

// ListInput is one call of a lister.
type ListInput struct {
	Manager       pipeline.Slug
	ManagerCommit pipeline.SHA
	Customers     []pipeline.Customer
	Filter        Filter
	Shards        int // at most; 1 to MaxShards
}

// Run picks the targets, shares them out so that all shards take about as long,
// and writes the scan down. Within a shard the one that was looked at longest ago
// is the first.
func (l Lister) Run(ctx context.Context, in ListInput) (Plan, error) {
	if in.Shards < 1 || in.Shards > MaxShards {
		return Plan{}, &pipeline.UsageError{Message: fmt.Sprintf("%d shards: want 1 to %d, which is what one matrix can have", in.Shards, MaxShards)}
	}
	now := l.Now().UTC()
	history, err := lastHistory(ctx, record.Records{Store: l.Store, Sealer: l.Sealer}, "", now)
	if err != nil {
		return Plan{}, err
	}
	targets, err := in.Filter.targets(in.Customers, history, now)
	if err != nil {
		return Plan{}, err
	}
	if in.Filter.ChangedWithin > 0 {
		if targets, err = changedSince(ctx, l.Store, targets, now.Add(-in.Filter.ChangedWithin)); err != nil {
			return Plan{}, err
		}
	}
	stored := scanRecord{Version: 1, ID: newScanID(now), Manager: in.Manager, ManagerCommit: in.ManagerCommit, StartedAt: now,
		Shards: max(1, min(in.Shards, len(targets))), Targets: targets}
	balance(stored.Targets, stored.Shards, history)
	if err := record.CreateFleet(ctx, record.Records{Store: l.Store, Sealer: l.Sealer}, scansBegun+stored.ID+".json", stored); err != nil {
		return Plan{}, fmt.Errorf("begin the scan: %w", err)
	}
	plan := Plan{Scan: stored.ID, Targets: len(targets), Shards: []int{}}
	if len(targets) > 0 {
		for n := range stored.Shards {
			plan.Shards = append(plan.Shards, n+1)
		}
	}
	return plan, nil
}

// Unfinished returns the newest scan that was begun and not summed up.
func (l Lister) Unfinished(ctx context.Context) (string, error) {
	id, err := unfinished(ctx, l.Store)
	if errors.Is(err, pipeline.ErrNotFound) {
		return "", &pipeline.UsageError{Message: "there is no interrupted scan to resume", Next: "leave --resume out"}
	}
	return id, err
}

// targets are those that pass the filter, the one that was looked at longest ago
// first.
func (f Filter) targets(customers []pipeline.Customer, history fleetHistory, now time.Time) ([]scanTarget, error) {
	if err := f.check(customers); err != nil {
		return nil, err
	}
	var targets []scanTarget
	for _, c := range customers {
		if len(f.Customers) > 0 && !slices.Contains(f.Customers, c.Name) {
			continue
		}
		for _, rule := range c.Manager.Environments {
			if !c.Allows(rule.Name) || len(f.Environments) > 0 && !slices.Contains(f.Environments, rule.Name) {
				continue
			}
			before := history.Targets[pipeline.TargetName(c.Name, rule.Name)]
			if f.Stale > 0 && now.Sub(before.CheckedAt) < f.Stale && !slices.Contains(before.Kinds, pipeline.DriftError) && !slices.Contains(before.Kinds, pipeline.DriftLost) {
				continue
			}
			targets = append(targets, scanTarget{Customer: c.Name, Environment: rule.Name})
		}
	}
	at := func(t scanTarget) time.Time {
		return history.Targets[pipeline.TargetName(t.Customer, t.Environment)].CheckedAt
	}
	slices.SortStableFunc(targets, func(a, b scanTarget) int {
		return cmp.Or(at(a).Compare(at(b)), strings.Compare(string(a.Customer), string(b.Customer)))
	})
	return targets, nil
}

// check refuses names that do not exist: a filter with a typo would find nothing
// and look clean.
func (f Filter) check(customers []pipeline.Customer) error {
	for _, name := range f.Customers {
		if !slices.ContainsFunc(customers, func(c pipeline.Customer) bool { return c.Name == name }) {
			return &pipeline.UsageError{Message: fmt.Sprintf("customer %q is not registered", name), Next: "name one of the files in customers/, without .yml"}
		}
	}
	for _, env := range f.Environments {
		if !slices.ContainsFunc(customers, func(c pipeline.Customer) bool { return c.Allows(env) }) {
			return &pipeline.UsageError{Message: fmt.Sprintf("no customer has an environment %q", env), Next: "metapipe.yml says which there are"}
		}
	}
	return nil
}

// balance gives each target to the shard that has the least to do so far, the
// longest ones first. What was never looked at counts as the average.
func balance(targets []scanTarget, shards int, history fleetHistory) {
	var sum time.Duration
	known := 0
	for _, t := range history.Targets {
		if t.Duration > 0 {
			sum, known = sum+time.Duration(t.Duration), known+1
		}
	}
	average := sum/time.Duration(max(known, 1)) + 1
	cost := func(t scanTarget) time.Duration {
		return cmp.Or(time.Duration(history.Targets[pipeline.TargetName(t.Customer, t.Environment)].Duration), average)
	}
	byCost := make([]int, len(targets))
	for i := range byCost {
		byCost[i] = i
	}
	slices.SortStableFunc(byCost, func(a, b int) int { return cmp.Compare(cost(targets[b]), cost(targets[a])) })
	load := make([]time.Duration, shards)
	for _, i := range byCost {
		least := 0
		for n := range load {
			if load[n] < load[least] {
				least = n
			}
		}
		targets[i].Shard = least + 1
		load[least] += cost(targets[i])
	}
}
