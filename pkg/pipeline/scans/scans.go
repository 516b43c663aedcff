package scans

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// MaxShards is how many jobs one matrix may have.
// https://docs.github.com/actions/reference/limits
const MaxShards = 256

// Scans are the scans of one kind in a store. Each object of theirs is written once:
//
//	<prefix>begun/<id>.json                   the targets and their shards: a record with a seal
//	<prefix>results/<id>/<customer>/<env>     sealed: what was found
//	<prefix>history/<id>.json                 the fleet after the scan: a record with a seal
//	<prefix>history/<id>-<results>.json       the same after a part of it, which can be resumed
type Scans struct {
	Records record.Records
	Now     func() time.Time
	// Command is what people run to scan, such as "metapipe drift": it is named in
	// errors, and seals are bound to it.
	Command string
	// Prefix is where the scans lie in the store; it ends with a slash.
	Prefix string
}

// Scan says what a scan is to look at.
type Scan struct {
	Version       int           `json:"version"` // 1
	ID            string        `json:"id"`
	Manager       pipeline.Slug `json:"manager"`
	ManagerCommit pipeline.SHA  `json:"manager_commit"`
	StartedAt     time.Time     `json:"started_at"`
	Shards        int           `json:"shards"`
	Targets       []Target      `json:"targets"`
}

// Target is one customer in one environment, and the shard that looks at it.
type Target struct {
	pipeline.Target
	Shard int `json:"shard"` // from 1
}

func (s Scans) begunKey(id string) string { return s.Prefix + "begun/" + id + ".json" }

func (s Scans) historyKey(id string) string { return s.Prefix + "history/" + id + ".json" }

// partKey is the history after a part of a scan, with so many results. It sorts before the
// one of the whole scan, and behind those of smaller parts.
func (s Scans) partKey(id string, results int) string {
	return fmt.Sprintf("%shistory/%s-%06d.json", s.Prefix, id, results)
}

// checkID accepts what newID makes.
func (s Scans) checkID(id string) error {
	at, tail, ok := strings.Cut(id, "-")
	if _, err := time.Parse("20060102T150405.000Z", at); !ok || err != nil || len(tail) != 8 || !pipeline.ConsistsOf(tail, 8, pipeline.Digits+"abcdef") {
		return pipeline.Usagef("%q is not the id of a scan", id).Nextf("use the one that `%s list` printed", s.Command)
	}
	return nil
}

func newID(now time.Time) string {
	return now.UTC().Format("20060102T150405.000Z") + "-" + string(pipeline.NewRequestID()[:8])
}

// Load reads a scan that was begun.
func (s Scans) Load(ctx context.Context, id string) (Scan, error) {
	if err := s.checkID(id); err != nil {
		return Scan{}, err
	}
	var stored Scan
	err := record.ReadFleet(ctx, s.Records, s.begunKey(id), &stored)
	if errors.Is(err, pipeline.ErrNotFound) {
		return stored, pipeline.Usagef("there is no scan %s in the store", id).
			Nextf("begin one with `%s list`, with the same store", s.Command)
	}
	if err == nil && (stored.Version != 1 || stored.ID != id || stored.Shards < 1) {
		err = errors.New("it is not in the form of this metapipe")
	}
	if err != nil {
		return stored, fmt.Errorf("read scan %s: %w", id, err)
	}
	return stored, nil
}

// Unfinished returns the newest scan that was begun and not merged, or merged before all of
// its targets had a result.
func (s Scans) Unfinished(ctx context.Context) (string, error) {
	begun, err := s.Records.List(ctx, s.Prefix+"begun/")
	if err != nil {
		return "", fmt.Errorf("look for scans: %w", err)
	}
	ended, err := s.Records.List(ctx, s.Prefix+"history/")
	if err != nil {
		return "", fmt.Errorf("look for scans: %w", err)
	}
	ids := map[string]bool{}
	for _, key := range begun {
		ids[strings.TrimSuffix(strings.TrimPrefix(key, s.Prefix+"begun/"), ".json")] = true
	}
	for _, key := range ended {
		delete(ids, strings.TrimSuffix(strings.TrimPrefix(key, s.Prefix+"history/"), ".json"))
	}
	if len(ids) == 0 {
		return "", pipeline.Usagef("there is no interrupted scan to resume").Nextf("leave --resume out")
	}
	return slices.Max(slices.Collect(maps.Keys(ids))), nil
}
