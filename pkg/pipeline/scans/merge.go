package scans

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Merged is what all shards of a scan found.
type Merged[R Result] struct {
	Scan    Scan
	Results []R // in the order of the names of their targets
	// FirstSeen is since when a target is as it is now, by the name of the target;
	// zero for a clean one.
	FirstSeen map[string]time.Time
	// Missing are the names of targets that no shard has a result of.
	Missing []string
	// Before is what was known of the same targets after the scan before; nil for the
	// first.
	Before *Trend
}

// Merge collects what all shards of a scan found, and writes the history that the next
// scan builds on. Run again it returns the same. A scan with targets that no shard has a
// result of does not end by it: it can be resumed, and merged again.
func Merge[R Result](ctx context.Context, s Scans, id string) (Merged[R], error) {
	stored, err := s.Load(ctx, id)
	if err != nil {
		return Merged[R]{}, err
	}
	kept, err := s.kept(ctx, id)
	if err != nil {
		return Merged[R]{}, err
	}
	history, err := s.historyBefore(ctx, id)
	if err != nil {
		return Merged[R]{}, err
	}
	merged := Merged[R]{Scan: stored, FirstSeen: map[string]time.Time{}, Before: history.before(stored.Targets)}
	var there []Target
	for _, t := range stored.Targets {
		if kept[s.resultKey(id, t)] {
			there = append(there, t)
		} else {
			merged.Missing = append(merged.Missing, t.String())
		}
	}
	slices.Sort(merged.Missing)
	if merged.Results, err = collect[R](ctx, s, id, there); err != nil {
		return Merged[R]{}, err
	}
	history.Version, history.Trend = 1, Trend{ID: stored.ID, At: stored.StartedAt, Kinds: map[string]int{}}
	for _, r := range merged.Results {
		o := r.Observation()
		known := history.Targets[o.String()]
		known.see(o)
		history.Targets[o.String()] = known
		merged.FirstSeen[o.String()] = known.FirstSeen
		history.Trend.count(o.Kinds)
	}
	key := s.historyKey(id)
	if len(merged.Missing) > 0 {
		key = s.partKey(id, len(merged.Results))
	}
	err = record.CreateFleet(ctx, s.Records, key, history)
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return merged, fmt.Errorf("keep the history of the fleet: %w", err)
	}
	return merged, nil
}

// collect opens the results, a few at a time.
func collect[R Result](ctx context.Context, s Scans, id string, targets []Target) ([]R, error) {
	slices.SortFunc(targets, func(a, b Target) int {
		return cmp.Or(strings.Compare(string(a.Customer), string(b.Customer)), strings.Compare(string(a.Environment), string(b.Environment)), strings.Compare(string(a.Stack), string(b.Stack)))
	})
	results, errs := make([]R, len(targets)), make([]error, len(targets))
	turns := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i, t := range targets {
		turns <- struct{}{}
		all.Go(func() {
			results[i], errs[i] = load[R](ctx, s, id, t)
			<-turns
		})
	}
	all.Wait()
	return results, errors.Join(errs...)
}
