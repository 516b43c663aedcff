package drift

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// What a scan leaves in the store. Each object is written once:
//
//	_metapipe/scans/begun/<id>.json                   the targets and their shards: a record with a seal
//	_metapipe/scans/results/<id>/<customer>/<env>     sealed: what was found
//	_metapipe/scans/history/<id>.json                 the fleet after the scan: a record with a seal
const (
	scansBegun   = "_metapipe/scans/begun/"
	scansResults = "_metapipe/scans/results/"
	scansHistory = "_metapipe/scans/history/"
)

// MaxShards is how many jobs one matrix may have.
// https://docs.github.com/actions/reference/limits
const MaxShards = 256

// scanRecord says what a scan is to look at.
type scanRecord struct {
	Version       int           `json:"version"` // 1
	ID            string        `json:"id"`
	Manager       pipeline.Slug `json:"manager"`
	ManagerCommit pipeline.SHA  `json:"manager_commit"`
	StartedAt     time.Time     `json:"started_at"`
	Shards        int           `json:"shards"`
	Targets       []scanTarget  `json:"targets"`
}

type scanTarget struct {
	Customer    pipeline.CustomerName `json:"customer"`
	Environment pipeline.Environment  `json:"environment"`
	Shard       int                   `json:"shard"` // from 1
}

// fleetHistory is what is known of all targets after a scan; what a scan did not
// look at is carried over.
type fleetHistory struct {
	Version int                      `json:"version"` // 1
	Trend   Trend                    `json:"trend"`
	Targets map[string]targetHistory `json:"targets"` // by customer/environment
}

type targetHistory struct {
	Kinds     []pipeline.DriftKind `json:"kinds,omitempty"`
	FirstSeen time.Time            `json:"first_seen,omitzero"` // of these kinds
	LastSeen  time.Time            `json:"last_seen,omitzero"`  // of any kind
	CheckedAt time.Time            `json:"checked_at"`
	Duration  pipeline.Seconds     `json:"duration_seconds"` // of the last check
	// Hidden are the kinds that errors say nothing about now, and HiddenSince when
	// those were first seen.
	Hidden      []pipeline.DriftKind `json:"hidden,omitempty"`
	HiddenSince time.Time            `json:"hidden_since,omitzero"`
}

// see takes a result in. An error says nothing about the target: the same difference
// after it is as old as it was before.
func (t *targetHistory) see(r Result) {
	switch {
	case slices.Equal(t.Kinds, r.Kinds) && !t.FirstSeen.IsZero():
	case r.Failure != nil:
		t.Hidden, t.HiddenSince, t.FirstSeen = t.Kinds, t.FirstSeen, r.CheckedAt
	case slices.Equal(t.Hidden, r.Kinds) && !t.HiddenSince.IsZero():
		t.FirstSeen = t.HiddenSince
	default:
		t.FirstSeen = r.CheckedAt
	}
	if r.Failure == nil {
		t.Hidden, t.HiddenSince = nil, time.Time{}
	}
	t.Kinds, t.CheckedAt, t.Duration = r.Kinds, r.CheckedAt, r.Duration
	if r.Clean() {
		t.FirstSeen = time.Time{}
	} else {
		t.LastSeen = r.CheckedAt
	}
}

// checkScanID accepts what NewScanID makes.
func checkScanID(id string) error {
	at, tail, ok := strings.Cut(id, "-")
	if _, err := time.Parse("20060102T150405.000Z", at); !ok || err != nil || len(tail) != 8 || !pipeline.ConsistsOf(tail, 8, pipeline.Digits+"abcdef") {
		return &pipeline.UsageError{Message: fmt.Sprintf("%q is not the id of a scan", id), Next: "use the one that `drift --list` put out"}
	}
	return nil
}

func newScanID(now time.Time) string {
	return now.UTC().Format("20060102T150405.000Z") + "-" + string(pipeline.NewRequestID()[:8])
}

func loadScan(ctx context.Context, s record.Records, id string) (scanRecord, error) {
	if err := checkScanID(id); err != nil {
		return scanRecord{}, err
	}
	var stored scanRecord
	err := record.ReadFleet(ctx, s, scansBegun+id+".json", &stored)
	if errors.Is(err, pipeline.ErrNotFound) {
		return stored, &pipeline.UsageError{Message: "there is no scan " + id + " in the store", Next: "begin one with `drift --list`, with the same store"}
	}
	if err == nil && (stored.Version != 1 || stored.ID != id || stored.Shards < 1) {
		err = errors.New("it is not in the form of this metapipe")
	}
	if err != nil {
		return stored, fmt.Errorf("read scan %s: %w", id, err)
	}
	return stored, nil
}

func resultKey(scan string, c pipeline.CustomerName, env pipeline.Environment) string {
	return scansResults + scan + "/" + pipeline.TargetName(c, env)
}

func resultBinding(scan string, c pipeline.CustomerName, env pipeline.Environment) pipeline.Binding {
	return pipeline.Binding{Customer: c, Environment: env, Data: []byte("metapipe drift\x00" + scan)}
}

// scanned are the keys of the results that there are.
func scanned(ctx context.Context, s pipeline.Store, scan string) (map[string]bool, error) {
	keys, err := s.List(ctx, scansResults+scan+"/")
	if err != nil {
		return nil, fmt.Errorf("look for results of scan %s: %w", scan, err)
	}
	done := make(map[string]bool, len(keys))
	for _, key := range keys {
		done[key] = true
	}
	return done, nil
}

func keepResult(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, scan string, r Result) error {
	b, err := json.Marshal(r)
	if err == nil {
		err = record.SealInto(ctx, s, sealer, resultKey(scan, r.Customer, r.Environment), resultBinding(scan, r.Customer, r.Environment), bytes.NewReader(b))
	}
	if err != nil && !errors.Is(err, pipeline.ErrExists) { // the same shard runs twice: the first one counts
		return fmt.Errorf("keep what was found of %s/%s: %w", r.Customer, r.Environment, err)
	}
	return nil
}

func loadResult(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, scan string, t scanTarget) (Result, error) {
	var r Result
	b, err := record.UnsealBytes(ctx, s, sealer, resultKey(scan, t.Customer, t.Environment), resultBinding(scan, t.Customer, t.Environment))
	if err == nil {
		err = pipeline.DecodeExact(b, &r)
	}
	if err == nil && (r.Customer != t.Customer || r.Environment != t.Environment) {
		err = pipeline.ErrTampered
	}
	if err != nil {
		return r, fmt.Errorf("read what was found of %s/%s: %w", t.Customer, t.Environment, err)
	}
	return r, nil
}

// lastHistory is the newest history, leaving out that of the scan itself. One under a
// key that is not at hand any more is forgotten: each scan writes the whole of it anew.
func lastHistory(ctx context.Context, s record.Records, except string, now time.Time) (fleetHistory, error) {
	h := fleetHistory{Targets: map[string]targetHistory{}}
	key, err := record.NewestKey(ctx, s, scansHistory, now, func(key string) bool { return key != scansHistory+except+".json" })
	if err != nil {
		return h, fmt.Errorf("look for earlier scans: %w", err)
	}
	if key == "" {
		return h, nil
	}
	if err := record.ReadFleet(ctx, s, key, &h); err != nil && !errors.Is(err, pipeline.ErrUnknownKey) {
		return h, fmt.Errorf("read the last scan: %w", err)
	}
	if h.Targets == nil {
		h.Targets = map[string]targetHistory{}
	}
	return h, nil
}

// Summary collects what all shards of a scan found.
type Summary struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	Now    func() time.Time
}

func (s Summary) records() record.Records {
	return record.Records{Store: s.Store, Sealer: s.Sealer}
}

// Run returns the scan with the results in the order of their names, and writes the
// history that the next scan builds on. Run again it returns the same.
func (s Summary) Run(ctx context.Context, id string, customers []pipeline.Customer) (Scan, error) {
	stored, err := loadScan(ctx, s.records(), id)
	if err != nil {
		return Scan{}, err
	}
	done, err := scanned(ctx, s.Store, id)
	if err != nil {
		return Scan{}, err
	}
	history, err := lastHistory(ctx, s.records(), id, s.Now())
	if err != nil {
		return Scan{}, err
	}
	now := s.Now().UTC()
	scan := Scan{ID: id, Manager: stored.Manager, ManagerCommit: stored.ManagerCommit, StartedAt: stored.StartedAt, EndedAt: now, ExpiredRules: pipeline.ExpiredRules(customers, now)}
	scan.Before = history.before(stored.Targets)
	var there []scanTarget
	for _, t := range stored.Targets {
		if done[resultKey(id, t.Customer, t.Environment)] {
			there = append(there, t)
		} else {
			scan.Missing = append(scan.Missing, pipeline.TargetName(t.Customer, t.Environment))
		}
	}
	if scan.Results, err = s.collect(ctx, id, there); err != nil {
		return Scan{}, err
	}
	slices.Sort(scan.Missing)
	history.take(&scan)
	err = record.CreateFleet(ctx, s.records(), scansHistory+id+".json", history)
	if err != nil && !errors.Is(err, pipeline.ErrExists) {
		return scan, fmt.Errorf("keep the history of the fleet: %w", err)
	}
	return scan, nil
}

// collect opens the results, a few at a time.
func (s Summary) collect(ctx context.Context, id string, targets []scanTarget) ([]Result, error) {
	slices.SortFunc(targets, func(a, b scanTarget) int {
		return cmp.Or(strings.Compare(string(a.Customer), string(b.Customer)), strings.Compare(string(a.Environment), string(b.Environment)))
	})
	results, errs := make([]Result, len(targets)), make([]error, len(targets))
	turns := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i, t := range targets {
		turns <- struct{}{}
		all.Go(func() {
			results[i], errs[i] = loadResult(ctx, s.Store, s.Sealer, id, t)
			<-turns
		})
	}
	all.Wait()
	return results, errors.Join(errs...)
}

// before is what was known of the targets of a scan when it began, so that a part of
// the fleet is compared with the same part; nil before the first scan.
func (h fleetHistory) before(targets []scanTarget) *Trend {
	if h.Trend.ID == "" {
		return nil
	}
	trend := &Trend{ID: h.Trend.ID, At: h.Trend.At, Kinds: map[pipeline.DriftKind]int{}}
	for _, t := range targets {
		known, ok := h.Targets[pipeline.TargetName(t.Customer, t.Environment)]
		if !ok {
			continue
		}
		trend.Targets++
		if len(known.Kinds) == 0 {
			trend.Clean++
		}
		for _, kind := range known.Kinds {
			trend.Kinds[kind]++
		}
	}
	return trend
}

// take puts a scan into the history and says since when things are as they are.
func (h *fleetHistory) take(scan *Scan) {
	trend := Trend{ID: scan.ID, At: scan.StartedAt, Kinds: map[pipeline.DriftKind]int{}}
	for i := range scan.Results {
		r := &scan.Results[i]
		name := pipeline.TargetName(r.Customer, r.Environment)
		t := h.Targets[name]
		t.see(*r)
		r.FirstSeen = t.FirstSeen
		h.Targets[name] = t
		trend.Targets++
		if r.Clean() {
			trend.Clean++
		}
		for _, kind := range r.Kinds {
			trend.Kinds[kind]++
		}
	}
	h.Version, h.Trend = 1, trend
}

// unfinished returns the newest scan that nobody has summed up, or ErrNotFound.
func unfinished(ctx context.Context, s pipeline.Store) (string, error) {
	begun, err := s.List(ctx, scansBegun)
	if err != nil {
		return "", fmt.Errorf("look for scans: %w", err)
	}
	ended, err := s.List(ctx, scansHistory)
	if err != nil {
		return "", fmt.Errorf("look for scans: %w", err)
	}
	ids := map[string]bool{}
	for _, key := range begun {
		ids[strings.TrimSuffix(strings.TrimPrefix(key, scansBegun), ".json")] = true
	}
	for _, key := range ended {
		delete(ids, strings.TrimSuffix(strings.TrimPrefix(key, scansHistory), ".json"))
	}
	if len(ids) == 0 {
		return "", pipeline.ErrNotFound
	}
	return slices.Max(slices.Collect(maps.Keys(ids))), nil
}
