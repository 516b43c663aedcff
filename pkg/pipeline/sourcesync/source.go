package sourcesync

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Source is one source of truth.
type Source interface {
	// Records are all records of the source. They end when all of them were read; an error is the last
	// element, and then nothing is known about what is missing.
	Records(ctx context.Context) iter.Seq2[Record, error]
}

// Record is what a source says of one repository.
type Record struct {
	Where  string // for messages, such as line 7
	Key    string
	Fields map[string]Value // by the names of SourceConfig.Fields
}

// Value is a field of a record.
type Value struct {
	Text string // empty: no value. A list is JSON
	// Unclear is why the source has more than one answer; then it has no value.
	Unclear string
}

// Bounds of what a source may have.
const (
	MaxRows  = 200_000
	MaxField = 8 << 10 // bytes
)

// collect reads a source as a whole.
func collect(ctx context.Context, s Source) ([]Record, error) {
	var all []Record
	for r, err := range s.Records(ctx) {
		switch {
		case err != nil:
			return nil, err
		case len(all) == MaxRows:
			return nil, fmt.Errorf("it has more than %d rows", MaxRows)
		case len(r.Key) > MaxField:
			return nil, fmt.Errorf("%s: the key is longer than %d bytes", r.Where, MaxField)
		}
		for name, v := range r.Fields {
			if len(v.Text) > MaxField {
				return nil, fmt.Errorf("%s: the field %s is longer than %d bytes", r.Where, pipeline.Quote(name), MaxField)
			}
		}
		all = append(all, r)
	}
	return all, ctx.Err()
}

// ErrNoRows is the error of a source that has nothing: an empty answer is more likely a fault than the truth.
var ErrNoRows = errors.New("it has no rows")
