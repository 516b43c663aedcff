package compliance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// History is what earlier scans have found. GitHub does not say since when a value is there, so each scan
// notes when it has first seen it.
type History struct {
	Version int   `json:"version"` // 1
	Days    []Day `json:"days"`    // of whole scans, the oldest first; at most maxDays
	// Values are those of properties with a rule, by the id of the repository and the name of the property in
	// lower case.
	Values map[int64]map[string]Value `json:"values"`
}

// Day is the last whole scan of a day (UTC).
type Day struct {
	Day          string           `json:"day"` // 2026-11-30
	Repositories int              `json:"repositories"`
	Unknown      int              `json:"unknown"`
	Findings     map[Severity]int `json:"findings"`
	Score        float64          `json:"score"`
}

// Value is since when a value has been seen.
type Value struct {
	Hash  string    `json:"hash"`
	Since time.Time `json:"since"`
}

const maxDays = 90

// Histories keeps histories in the store. Each object holds the whole of one; the newest one counts.
type Histories struct {
	Records record.Records
	Now     func() time.Time
}

const historyRoot = "_metapipe/compliance/history/"

// Load reads the newest history. One under a key that is not at hand any more is forgotten: ages are counted
// from the next scan on, which reports a value as stale too late and never too early.
func (h Histories) Load(ctx context.Context) (History, error) {
	found := History{Version: 1, Values: map[int64]map[string]Value{}}
	key, err := record.NewestKey(ctx, h.Records, historyRoot, h.Now(), func(string) bool { return true })
	if err != nil {
		return found, fmt.Errorf("look for earlier scans: %w", err)
	}
	if key == "" {
		return found, nil
	}
	var read History
	err = record.ReadFleet(ctx, h.Records, key, &read)
	switch {
	case errors.Is(err, pipeline.ErrUnknownKey):
		return found, nil
	case err == nil && read.Version != 1:
		err = errors.New("it is not in the form of this metapipe")
	}
	if err != nil {
		return found, fmt.Errorf("read the last scan: %w", err)
	}
	if read.Values == nil {
		read.Values = map[int64]map[string]Value{}
	}
	return read, nil
}

// Save keeps a history. id is that of the run.
func (h Histories) Save(ctx context.Context, id string, next History) error {
	key := historyRoot + h.Now().UTC().Format("20060102T150405.000000000Z") + "-" + id + ".json"
	if err := record.CreateFleet(ctx, h.Records, key, next); err != nil {
		return fmt.Errorf("keep what the scan has found: %w", err)
	}
	return nil
}

// see notes the values of a repository.
func (s *Scan) see(repo Repository) {
	values := map[string]Value{}
	for _, rule := range s.Rules.Properties {
		value := repo.Properties.Get(rule.Name)
		if len(wordsOf(value)) == 0 {
			continue
		}
		name := strings.ToLower(rule.Name)
		now := Value{Hash: hashOf(value), Since: s.Now.UTC()}
		if before, known := s.before(repo.ID, name); known && before.Hash == now.Hash {
			now.Since = before.Since
		}
		values[name] = now
	}
	s.values[repo.ID] = values
}

// before is what earlier scans have noted of a value.
func (s *Scan) before(id int64, property string) (Value, bool) {
	if s.Earlier == nil {
		return Value{}, false
	}
	v, known := s.Earlier.Values[id][property]
	return v, known
}

// age is how long the value of a property has been seen; false: there are no earlier scans to ask.
func (s *Scan) age(id int64, property string) (time.Duration, bool) {
	v, known := s.values[id][strings.ToLower(property)]
	return s.Now.Sub(v.Since), known && s.Earlier != nil
}

func hashOf(value pipeline.Property) string {
	if value.Form == pipeline.PropertyList { // its items have no order
		value.List = slices.Sorted(slices.Values(value.List))
	}
	raw, err := json.Marshal(value)
	if err != nil { // texts and lists of texts always encode
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// Next is the history after the scan. What it did not look at is carried over; a repository that is gone is
// forgotten by a scan that knows of all.
func (s *Scan) Next(r Report) History {
	next := History{Version: 1, Values: map[int64]map[string]Value{}}
	if s.Earlier != nil {
		next.Days = slices.Clone(s.Earlier.Days)
		for id, values := range s.Earlier.Values {
			if !s.whole(r) || s.listed[id] {
				next.Values[id] = values
			}
		}
	}
	for id, values := range s.values {
		next.Values[id] = values
	}
	if s.narrowed() {
		return next
	}
	today := r.Day()
	next.Days = slices.DeleteFunc(next.Days, func(d Day) bool { return d.Day == today.Day })
	next.Days = append(next.Days, today)
	next.Days = next.Days[max(0, len(next.Days)-maxDays):]
	return next
}

// Day is the report as a part of the trend.
func (r Report) Day() Day {
	d := Day{Day: r.At.Format(time.DateOnly), Repositories: r.Scanned, Unknown: len(r.Unknown), Findings: map[Severity]int{}, Score: r.Score}
	for _, s := range Severities {
		if n := r.Count(s); n > 0 {
			d.Findings[s] = n
		}
	}
	return d
}

// narrowed reports whether the scan leaves out repositories that it was not told to leave out by the rules.
func (s *Scan) narrowed() bool { return s.Repository != "" || s.Limit > 0 }

// whole reports whether nothing is missing from a report.
func (s *Scan) whole(r Report) bool { return !s.narrowed() && len(r.Unknown) == 0 }
