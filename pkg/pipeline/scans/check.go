package scans

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Result is what one check of a target found. It is kept as JSON.
type Result interface{ Observation() Observation }

// Observation is what the fleet remembers of a result.
type Observation struct {
	Target
	Kinds     []string // of what was found; empty for a clean target
	Failed    bool     // the target could not be looked at; a kind says so, too
	CheckedAt time.Time
	Duration  pipeline.Seconds
}

// Work is one call of Check.
type Work[R Result] struct {
	Scan    string // id of a scan that was begun
	Shard   int    // 1 … number of shards; 0: all
	Workers int    // at least 1
	// Check looks at one target. That it cannot is a result, too.
	Check func(ctx context.Context, t Target) R
	// Logged is called after each target, by one goroutine at a time. It may be nil.
	Logged func(done, total int, result R)
}

// Check looks at the targets of a shard that have no result yet, and keeps the
// results. The error is that of the scan itself.
func Check[R Result](ctx context.Context, s Scans, w Work[R]) error {
	stored, err := s.Load(ctx, w.Scan)
	if err != nil {
		return err
	}
	if w.Shard < 0 || w.Shard > stored.Shards {
		return pipeline.Usagef("scan %s has shards 1 to %d, and not %d", w.Scan, stored.Shards, w.Shard)
	}
	kept, err := s.kept(ctx, w.Scan)
	if err != nil {
		return err
	}
	var todo []Target
	for _, t := range stored.Targets {
		if (w.Shard == 0 || t.Shard == w.Shard) && !kept[s.resultKey(w.Scan, t)] {
			todo = append(todo, t)
		}
	}
	c := &checking[R]{Work: w, scans: s, total: len(todo)}
	return c.run(ctx, todo)
}

// checking is what the workers of one call share.
type checking[R Result] struct {
	Work[R]
	scans Scans
	total int

	mu   sync.Mutex
	done int
}

func (c *checking[R]) run(ctx context.Context, todo []Target) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan Target)
	var workers sync.WaitGroup
	for range min(max(c.Workers, 1), max(len(todo), 1)) {
		workers.Go(func() {
			for t := range next {
				// A store that takes no result makes all further work useless.
				if err := c.target(ctx, t); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, t := range todo {
		select {
		case next <- t:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("scan %s stopped after %d of %d targets (--resume goes on): %w", c.Scan, c.done, c.total, context.Cause(ctx))
	}
	return nil
}

// target looks at one target and keeps the result. A scan that was stopped keeps
// none: what it found may be nothing but its own end.
func (c *checking[R]) target(ctx context.Context, t Target) error {
	result := c.Check(ctx, t)
	if ctx.Err() != nil {
		return nil
	}
	if err := keep(ctx, c.scans, c.Scan, t, result); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done++
	if c.Logged != nil {
		c.Logged(c.done, c.total, result)
	}
	return nil
}

func (s Scans) resultKey(scan string, t Target) string {
	return s.Prefix + "results/" + scan + "/" + t.Folder()
}

func (s Scans) resultBinding(scan string, t Target) pipeline.Binding {
	return pipeline.Binding{Target: t.Target, Data: []byte(s.Command + "\x00" + scan)}
}

// kept are the keys of the results that there are.
func (s Scans) kept(ctx context.Context, scan string) (map[string]bool, error) {
	keys, err := s.Records.List(ctx, s.Prefix+"results/"+scan+"/")
	if err != nil {
		return nil, fmt.Errorf("look for results of scan %s: %w", scan, err)
	}
	kept := make(map[string]bool, len(keys))
	for _, key := range keys {
		kept[key] = true
	}
	return kept, nil
}

func keep[R Result](ctx context.Context, s Scans, scan string, t Target, result R) error {
	b, err := json.Marshal(result)
	if err == nil {
		err = record.SealInto(ctx, s.Records, s.Records.Sealer, s.resultKey(scan, t), s.resultBinding(scan, t), bytes.NewReader(b))
	}
	if err != nil && !errors.Is(err, pipeline.ErrExists) { // the same shard runs twice: the first one counts
		return fmt.Errorf("keep what was found of %s: %w", t.String(), err)
	}
	return nil
}

func load[R Result](ctx context.Context, s Scans, scan string, t Target) (R, error) {
	var result R
	b, err := record.UnsealBytes(ctx, s.Records, s.Records.Sealer, s.resultKey(scan, t), s.resultBinding(scan, t))
	if err == nil {
		err = pipeline.DecodeExact(b, &result)
	}
	if err == nil && result.Observation().String() != t.String() {
		err = pipeline.ErrTampered
	}
	if err != nil {
		return result, fmt.Errorf("read what was found of %s: %w", t.String(), err)
	}
	return result, nil
}
