package scans

import (
	"cmp"
	"context"
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
	Stacks       []pipeline.StackName
	// Stale leaves out targets that a scan has looked at, with success, in this time.
	// 0 leaves out none.
	Stale time.Duration
	// ChangedWithin leaves out targets that were neither asked for nor applied in
	// this time, as the store knows it. 0 leaves out none.
	ChangedWithin time.Duration
}

// Listing is a scan that was begun.
type Listing struct {
	Scan    string `json:"scan"`
	Targets int    `json:"targets"`
	Shards  []int  `json:"shards"` // their numbers; empty where there is nothing to look at
}

// ListInput is one call of List.
type ListInput struct {
	Manager       pipeline.Slug
	ManagerCommit pipeline.SHA
	Customers     []pipeline.Customer
	// Left are applied targets that their customers do not have any more.
	Left   []pipeline.Target
	Filter Filter
	Shards int // at most; 1 to MaxShards
}

// List picks the targets, shares them out so that all shards take about as long,
// and writes the scan down. Within a shard the one that was looked at longest ago
// is the first.
func (s Scans) List(ctx context.Context, in ListInput) (Listing, error) {
	if in.Shards < 1 || in.Shards > MaxShards {
		return Listing{}, pipeline.Usagef("%d shards: want 1 to %d, which is what one matrix can have", in.Shards, MaxShards)
	}
	now := s.Now().UTC()
	history, err := s.History(ctx)
	if err != nil {
		return Listing{}, err
	}
	targets, err := in.targets(history, now)
	if err != nil {
		return Listing{}, err
	}
	if in.Filter.ChangedWithin > 0 {
		if targets, err = changedSince(ctx, s.Records, targets, now.Add(-in.Filter.ChangedWithin)); err != nil {
			return Listing{}, err
		}
	}
	stored := Scan{Version: 1, ID: newID(now), Manager: in.Manager, ManagerCommit: in.ManagerCommit, StartedAt: now,
		Shards: max(1, min(in.Shards, len(targets))), Targets: targets}
	balance(stored.Targets, stored.Shards, history)
	if err := record.CreateFleet(ctx, s.Records, s.begunKey(stored.ID), stored); err != nil {
		return Listing{}, fmt.Errorf("begin the scan: %w", err)
	}
	listing := Listing{Scan: stored.ID, Targets: len(targets), Shards: []int{}}
	if len(targets) > 0 {
		for n := range stored.Shards {
			listing.Shards = append(listing.Shards, n+1)
		}
	}
	return listing, nil
}

// targets are those that pass the filter, the one that was looked at longest ago
// first.
func (in ListInput) targets(history History, now time.Time) ([]Target, error) {
	f := in.Filter
	if err := in.check(); err != nil {
		return nil, err
	}
	var targets []Target
	for _, c := range in.Customers {
		if len(f.Customers) > 0 && !slices.Contains(f.Customers, c.Name) {
			continue
		}
		for _, t := range in.targetsOf(c) {
			if len(f.Environments) > 0 && !slices.Contains(f.Environments, t.Environment) || len(f.Stacks) > 0 && !slices.Contains(f.Stacks, t.Stack) {
				continue
			}
			before := history.Targets[t.String()]
			if f.Stale > 0 && now.Sub(before.CheckedAt) < f.Stale && !before.Failed {
				continue
			}
			targets = append(targets, Target{Target: t})
		}
	}
	slices.SortStableFunc(targets, func(a, b Target) int {
		return cmp.Or(history.Targets[a.String()].CheckedAt.Compare(history.Targets[b.String()].CheckedAt), strings.Compare(string(a.Customer), string(b.Customer)))
	})
	return targets, nil
}

// targetsOf are those that a customer has, and those that it has left.
func (in ListInput) targetsOf(c pipeline.Customer) []pipeline.Target {
	targets := c.Targets()
	for _, t := range in.Left {
		if t.Customer == c.Name {
			targets = append(targets, t)
		}
	}
	return targets
}

// check refuses names that do not exist: a filter with a typo would find nothing
// and look clean.
func (in ListInput) check() error {
	for _, name := range in.Filter.Customers {
		if !slices.ContainsFunc(in.Customers, func(c pipeline.Customer) bool { return c.Name == name }) {
			return pipeline.Usagef("customer %q is not registered", name).Nextf("name one of the files in customers/, without .yml")
		}
	}
	has := func(of func(pipeline.Target) bool) bool {
		return slices.ContainsFunc(in.Customers, func(c pipeline.Customer) bool { return slices.ContainsFunc(in.targetsOf(c), of) })
	}
	for _, env := range in.Filter.Environments {
		if !has(func(t pipeline.Target) bool { return t.Environment == env }) {
			return pipeline.Usagef("no customer has an environment %q", env).Nextf("metapipe.yml says which there are")
		}
	}
	for _, stack := range in.Filter.Stacks {
		if !has(func(t pipeline.Target) bool { return t.Stack == stack }) {
			return pipeline.Usagef("no customer has a stack %q", stack).Nextf("metapipe.yml says which there are")
		}
	}
	return nil
}

// balance gives each target to the shard that has the least to do so far, the
// longest ones first. What was never looked at counts as the average.
func balance(targets []Target, shards int, history History) {
	var sum time.Duration
	known := 0
	for _, t := range history.Targets {
		if t.Duration > 0 {
			sum, known = sum+time.Duration(t.Duration), known+1
		}
	}
	average := sum/time.Duration(max(known, 1)) + 1
	cost := func(t Target) time.Duration {
		return cmp.Or(time.Duration(history.Targets[t.String()].Duration), average)
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
