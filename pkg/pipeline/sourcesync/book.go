package sourcesync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Book is what the runs before have left. Each object in the store holds the whole of it; the newest one counts.
type Book struct {
	Version int            `json:"version"` // 1
	Rows    map[string]int `json:"rows"`    // of each source, when it was read as a whole the last time
	// Values are those that a run has left, by the id of the repository and the name of the property.
	Values map[string]map[string]json.RawMessage `json:"values"`
}

func newBook() Book {
	return Book{Version: 1, Rows: map[string]int{}, Values: map[string]map[string]json.RawMessage{}}
}

// LoadBook reads the newest book; without one it is empty. One under a key that is not at hand any more is
// forgotten.
func LoadBook(ctx context.Context, s record.Records, now time.Time) (Book, error) {
	book := newBook()
	key, err := record.NewestKey(ctx, s, record.SyncPrefix, now, func(string) bool { return true })
	if err != nil {
		return book, fmt.Errorf("look for what earlier runs of sync have left: %w", err)
	}
	if key == "" {
		return book, nil
	}
	err = record.ReadFleet(ctx, s, key, &book)
	if errors.Is(err, pipeline.ErrUnknownKey) {
		return newBook(), nil
	}
	if err == nil && (book.Version != 1 || book.Rows == nil || book.Values == nil) {
		err = errors.New("it is not in the form of this metapipe")
	}
	if err != nil {
		return newBook(), fmt.Errorf("read what earlier runs of sync have left: %w", err)
	}
	return book, nil
}

// value is what the last run has left in a property.
func (b Book) value(id int64, property string) (json.RawMessage, bool) {
	v, known := b.Values[strconv.FormatInt(id, 10)][property]
	return v, known
}

// with is the book after a run.
func (b Book) with(rows map[string]int, settled []change.Row, results []change.Result) Book {
	after := newBook()
	maps.Copy(after.Rows, b.Rows)
	maps.Copy(after.Rows, rows)
	for id, values := range b.Values {
		after.Values[id] = maps.Clone(values)
	}
	for _, r := range settled {
		after.set(r)
	}
	for _, r := range results {
		switch r.Status {
		case change.Written, change.Same:
			after.set(r.Row)
		case change.Uncertain: // no one knows what this run has left
			after.forget(r.Row)
		}
	}
	return after
}

func (b Book) set(r change.Row) {
	if change.IsNone(r.New) {
		b.forget(r)
		return
	}
	id := strconv.FormatInt(r.ID, 10)
	if b.Values[id] == nil {
		b.Values[id] = map[string]json.RawMessage{}
	}
	b.Values[id][r.What] = r.New
}

func (b Book) forget(r change.Row) {
	id := strconv.FormatInt(r.ID, 10)
	delete(b.Values[id], r.What)
	if len(b.Values[id]) == 0 {
		delete(b.Values, id)
	}
}

// Keep writes down what a run has left, on top of what others have left since. A run that has changed nothing
// writes nothing.
func (r Result) Keep(ctx context.Context, s record.Records, now time.Time, results []change.Result) error {
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	before, err := LoadBook(last, s, now)
	if err != nil {
		return err
	}
	after := before.with(r.rows, r.settled, results)
	old, err := json.Marshal(before)
	if err != nil {
		return err
	}
	new, err := json.Marshal(after)
	if err != nil || bytes.Equal(old, new) {
		return err
	}
	if err := record.CreateFleet(last, s, record.SyncKey(now, pipeline.NewRequestID()), after); err != nil {
		return fmt.Errorf("keep what this run of sync has left: %w", err)
	}
	return nil
}
