package scans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// History is what is known of all targets after a scan; what a scan did not look at
// is carried over.
type History struct {
	Version int                      `json:"version"` // 1
	Trend   Trend                    `json:"trend"`
	Targets map[string]TargetHistory `json:"targets"` // by customer/environment
}

// Trend is the short form of an earlier scan.
type Trend struct {
	ID      string         `json:"id"`
	At      time.Time      `json:"at"`
	Targets int            `json:"targets"`
	Clean   int            `json:"clean"`
	Kinds   map[string]int `json:"kinds,omitempty"`
}

// count adds a target with the kinds that were found there.
func (t *Trend) count(kinds []string) {
	t.Targets++
	if len(kinds) == 0 {
		t.Clean++
	}
	for _, kind := range kinds {
		t.Kinds[kind]++
	}
}

// TargetHistory is what is known of one target.
type TargetHistory struct {
	Kinds     []string         `json:"kinds,omitempty"`
	Failed    bool             `json:"failed,omitempty"`    // it could not be looked at the last time
	FirstSeen time.Time        `json:"first_seen,omitzero"` // of these kinds
	LastSeen  time.Time        `json:"last_seen,omitzero"`  // of any kind
	CheckedAt time.Time        `json:"checked_at"`          // the last time
	Duration  pipeline.Seconds `json:"duration_seconds"`    // of the last check
	// Hidden are the kinds that failures say nothing about now, and HiddenSince when
	// those were first seen.
	Hidden      []string  `json:"hidden,omitempty"`
	HiddenSince time.Time `json:"hidden_since,omitzero"`
}

// see takes a result in. A failure says nothing about the target: the same finding
// after it is as old as it was before.
func (t *TargetHistory) see(o Observation) {
	switch {
	case slices.Equal(t.Kinds, o.Kinds) && !t.FirstSeen.IsZero():
	case o.Failed:
		t.Hidden, t.HiddenSince, t.FirstSeen = t.Kinds, t.FirstSeen, o.CheckedAt
	case slices.Equal(t.Hidden, o.Kinds) && !t.HiddenSince.IsZero():
		t.FirstSeen = t.HiddenSince
	default:
		t.FirstSeen = o.CheckedAt
	}
	if !o.Failed {
		t.Hidden, t.HiddenSince = nil, time.Time{}
	}
	t.Kinds, t.Failed, t.CheckedAt, t.Duration = o.Kinds, o.Failed, o.CheckedAt, o.Duration
	if len(o.Kinds) == 0 {
		t.FirstSeen = time.Time{}
	} else {
		t.LastSeen = o.CheckedAt
	}
}

// History is the newest history of the fleet.
func (s Scans) History(ctx context.Context) (History, error) { return s.historyBefore(ctx, "") }

// historyBefore leaves out the history of one scan, and of its parts. One under a key that is not at hand
// any more is forgotten: each scan writes the whole of it anew.
func (s Scans) historyBefore(ctx context.Context, scan string) (History, error) {
	h, err := s.readHistory(ctx, scan)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return History{Targets: map[string]TargetHistory{}}, nil
	}
	return h, err
}

// Known is the newest history for those who show it: one under a key that is not at hand is
// ErrUnknownKey, since that is not the same as none.
func (s Scans) Known(ctx context.Context) (History, error) { return s.readHistory(ctx, "") }

func (s Scans) readHistory(ctx context.Context, scan string) (History, error) {
	h := History{Targets: map[string]TargetHistory{}}
	key, err := record.NewestKey(ctx, s.Records, s.Prefix+"history/", s.Now(), func(key string) bool {
		return scan == "" || !strings.HasPrefix(key, s.Prefix+"history/"+scan)
	})
	if err != nil {
		return h, fmt.Errorf("look for earlier scans: %w", err)
	}
	if key == "" {
		return h, nil
	}
	if err := record.ReadFleet(ctx, s.Records, key, &h); err != nil {
		return h, fmt.Errorf("read the last scan: %w", err)
	}
	if h.Targets == nil {
		h.Targets = map[string]TargetHistory{}
	}
	return h, nil
}

// before is what was known of the targets of a scan when it began, so that a part of
// the fleet is compared with the same part; nil before the first scan.
func (h History) before(targets []Target) *Trend {
	if h.Trend.ID == "" {
		return nil
	}
	trend := &Trend{ID: h.Trend.ID, At: h.Trend.At, Kinds: map[string]int{}}
	for _, t := range targets {
		if known, ok := h.Targets[t.String()]; ok {
			trend.count(known.Kinds)
		}
	}
	return trend
}
