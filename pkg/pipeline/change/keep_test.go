package change_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// instant writes at once, 90 rows a batch.
type instant map[string]json.RawMessage

func (instant) Batches(rows []change.Row) (all [][]change.Row) {
	for len(rows) > 90 {
		all, rows = append(all, rows[:90]), rows[90:]
	}
	return append(all, rows)
}

func (w instant) Read(_ context.Context, rows []change.Row) []change.Seen {
	seen := make([]change.Seen, len(rows))
	for i, r := range rows {
		seen[i] = change.Seen{Place: r.Place, Value: json.RawMessage("null")}
		if v, is := w[r.Name+r.What]; is {
			seen[i].Value = v
		}
	}
	return seen
}

func (w instant) Write(_ context.Context, rows []change.Row) error {
	for _, r := range rows {
		w[r.Name+r.What] = r.New
	}
	return nil
}

// TestKeepingIsLinear: the way back of 1,000 repositories costs the run next to nothing. Each batch
// keeps all rows so far once.
func TestKeepingIsLinear(t *testing.T) {
	t.Parallel()
	var rows []change.Row
	for i := range 1000 {
		for _, what := range []string{"a", "b", "c"} {
			rows = append(rows, change.Row{Place: change.Place{ID: int64(i + 1), Name: fmt.Sprintf("acme/r%d", i)}, What: what, Old: json.RawMessage("null"), New: json.RawMessage(`"x"`),
				Customers: []pipeline.CustomerName{pipeline.CustomerName(fmt.Sprintf("c%d", i))}})
		}
	}
	p := change.NewPlan("tests", 1000, rows)
	w := newWorld(t, 0)
	a := w.applier(p)
	var kept []int
	a.Writer, a.Keep = instant{}, func(rows []change.Row) error { kept = append(kept, len(rows)); return nil }
	began := time.Now()
	if got := statuses(a.Apply(t.Context(), p)); got != "written 3000" {
		t.Fatal(got)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("%d rows took %s", len(rows), took)
	}
	if len(kept) != 35 || kept[0] != 90 || kept[33] != 3000 || kept[34] != 3000 {
		t.Errorf("kept %v", kept)
	}
}

// TestKeepTakesLong: a run that has kept its way back when another one may take it for dead writes
// nothing any more, and has nothing to take back.
func TestKeepTakesLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	p := change.NewPlan("tests", 1, w.rows(`"blue"`))
	a := w.applier(p)
	var kept []change.Row
	a.Keep = func(rows []change.Row) error { kept = rows; w.pass(4 * time.Minute); return nil }
	results := a.Apply(t.Context(), p)
	if got := statuses(results); got != "failed 2" || w.writes != 0 || !strings.Contains(results[0].Message, "took too long: run this again") {
		t.Errorf("%s in %d writes: %s", got, w.writes, results[0].Message)
	}
	if len(kept) > 0 {
		t.Errorf("a way back of what was not written: %v", kept)
	}
	a.Keep = nil
	if got := statuses(a.Apply(t.Context(), p)); got != "written 2" {
		t.Errorf("again: %s", got)
	}
}

// TestKeepOfParts: a batch that is refused as a whole and written in parts is kept once.
func TestKeepOfParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3)
	w.refuses = "acme/r01"
	p := change.NewPlan("tests", 3, w.rows(`"blue"`))
	a := w.applier(p)
	var kept []int
	a.Keep = func(rows []change.Row) error { kept = append(kept, len(rows)); return nil }
	if got := statuses(a.Apply(t.Context(), p)); got != "failed 2, written 4" || fmt.Sprint(kept) != "[6 4]" {
		t.Errorf("%s, kept %v", got, kept)
	}
}
