package sourcesync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// fewest is how many percent of the rows of the last good read a read has at least.
const fewest = 80

// read is a source that was read, or could not be.
type read struct {
	config    SourceConfig
	rows      int
	err       error // nothing of the source is used
	records   map[int64][]Record
	unmatched []Record
}

// readSource reads a source as a whole and finds the repositories of its rows.
func (s *Sync) readSource(ctx context.Context, c SourceConfig, f *fleet) *read {
	r := &read{config: c, records: map[int64][]Record{}}
	source, err := s.Connect(c)
	var all []Record
	if err == nil {
		all, err = collect(ctx, source)
	}
	if err == nil {
		err = s.enough(c, len(all))
	}
	if err == nil {
		err = uniqueKeys(c, all)
	}
	if err != nil {
		r.err = err
		return r
	}
	r.rows = len(all)
	for _, one := range all {
		if id := f.find(c.Key, one.Key); id != 0 {
			r.records[id] = append(r.records[id], one)
		} else {
			r.unmatched = append(r.unmatched, one)
		}
	}
	return r
}

// enough refuses a read that has far fewer rows than there have to be.
func (s *Sync) enough(c SourceConfig, rows int) error {
	before := s.Book.Rows[c.Name]
	switch {
	case rows == 0:
		return ErrNoRows
	case rows < c.MinRows:
		return fmt.Errorf("it has %d rows, and min_rows is %d", rows, c.MinRows)
	case rows*100 < before*fewest && !s.AllowFewer:
		return fmt.Errorf("it has %d rows, and the last good read had %d: if that is right, add --allow-fewer", rows, before)
	}
	return nil
}

// uniqueKeys refuses two rows with one key: no one can say which counts.
func uniqueKeys(c SourceConfig, all []Record) error {
	seen := make(map[string]string, len(all))
	for _, r := range all {
		if r.Key == "" {
			return fmt.Errorf("%s has no %s", r.Where, pipeline.Quote(c.KeyField))
		}
		key := r.Key
		if c.Key == KeyRepository {
			key = strings.ToLower(key)
		}
		if other, twice := seen[key]; twice {
			return fmt.Errorf("%s and %s have the same %s %s", other, r.Where, c.KeyField, pipeline.Quote(r.Key))
		}
		seen[key] = r.Where
	}
	return nil
}

// Errors of a field of a record.
var (
	errNoValue = errors.New("there is no value")
	errUnclear = errors.New("there is more than one value")
)

// value is what the source says of a property of a repository. Without a value the error is errNoValue, or wraps
// errUnclear; any other one says why the value cannot be used.
func (r *read) value(id int64, f Field) (string, error) {
	text, known := "", false
	for _, one := range r.records[id] {
		v := one.Fields[f.From]
		if v.Unclear != "" {
			return "", fmt.Errorf("%w: %s", errUnclear, v.Unclear)
		}
		this, err := f.transform(v.Text)
		if errors.Is(err, errNoValue) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", one.Where, err)
		}
		if known && this != text {
			return "", fmt.Errorf("rows about the same repository differ: %s, and %s in %s", pipeline.Quote(text), pipeline.Quote(this), one.Where)
		}
		text, known = this, true
	}
	if !known {
		return "", errNoValue
	}
	return text, nil
}

// transform changes a text as sync.yml says.
func (f Field) transform(text string) (string, error) {
	if f.Trim {
		text = strings.TrimSpace(text)
	}
	if f.Lower {
		text = strings.ToLower(text)
	}
	if text == "" {
		return "", errNoValue
	}
	if f.Map != nil {
		to, known := f.Map[text]
		if !known {
			return "", fmt.Errorf("%s is not in the map of %s", pipeline.Quote(text), f.From)
		}
		text = to
	}
	return f.Prefix + text, nil
}

// needed are the sources that have a say in the properties, in the order of sync.yml.
func (s *Sync) needed(rules []PropertyRule) []SourceConfig {
	return slices.DeleteFunc(slices.Clone(s.Config.Sources), func(c SourceConfig) bool {
		return !slices.ContainsFunc(rules, func(p PropertyRule) bool { return slices.Contains(p.Sources, c.Name) })
	})
}
