package change_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// world is a service with values, and a store with ledgers.
type world struct {
	t       *testing.T
	mu      sync.Mutex
	at      time.Time
	names   map[string]int64             // the id that has a name
	values  map[int64]map[string]string  // JSON by id and name of the value
	refuses string                       // the place whose writes are refused
	onWrite func(w *world, r change.Row) // before each write
	writes  int
	store   pipeline.Store
	sealer  pipeline.Sealer
	undo    []byte
	calls   func(do func() error) error // around each call; nil: as it is
}

func newWorld(t *testing.T, repositories int) *world {
	t.Helper()
	key := must(store.ParseKeys("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="))(t)
	w := &world{t: t, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), names: map[string]int64{}, values: map[int64]map[string]string{},
		store: pipelinetest.NewMemory(), sealer: must(store.NewSealer(key...))(t)}
	for n := range repositories {
		w.names[fmt.Sprintf("acme/r%02d", n)] = int64(100 + n)
		w.values[int64(100+n)] = map[string]string{"team": `"red"`, "tier": "null"}
	}
	return w
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *world) call(do func() error) error {
	if w.calls == nil {
		return do()
	}
	return w.calls(do)
}

// rows are those that give each repository both values.
func (w *world) rows(team string) []change.Row {
	var rows []change.Row
	for _, name := range slices.Sorted(maps.Keys(w.names)) {
		id := w.names[name]
		for what, value := range map[string]string{"team": team, "tier": `"paid"`} {
			customer := pipeline.CustomerName(strings.TrimPrefix(name, "acme/"))
			rows = append(rows, change.Row{Place: change.Place{ID: id, Name: name}, What: what, Old: json.RawMessage(w.values[id][what]), New: json.RawMessage(value),
				Customers: []pipeline.CustomerName{customer}})
		}
	}
	slices.SortFunc(rows, func(a, b change.Row) int { return strings.Compare(a.Name+a.What, b.Name+b.What) })
	return rows
}

// Batches are of at most three places.
func (w *world) Batches(rows []change.Row) [][]change.Row {
	var batches [][]change.Row
	for len(rows) > 0 {
		n := min(6, len(rows))
		batches = append(batches, rows[:n])
		rows = rows[n:]
	}
	return batches
}

func (w *world) Read(_ context.Context, rows []change.Row) []change.Seen {
	seen := make([]change.Seen, len(rows))
	for i, r := range rows {
		err := w.call(func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			id, there := w.names[r.Name]
			seen[i] = change.Seen{Gone: !there, Place: change.Place{ID: id, Name: r.Name}}
			if there {
				seen[i].Value = json.RawMessage(w.values[id][r.What])
			}
			for name, other := range w.names {
				if other == r.ID && name != r.Name && !there {
					seen[i] = change.Seen{Place: change.Place{ID: r.ID, Name: name}}
				}
			}
			return nil
		})
		if err != nil {
			seen[i] = change.Seen{Err: err}
		}
	}
	return seen
}

func (w *world) Write(_ context.Context, rows []change.Row) error {
	return w.call(func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, r := range rows {
			if w.onWrite != nil {
				w.onWrite(w, r)
			}
			if r.Name == w.refuses {
				return &change.OnePlaceError{Err: errors.New("422: " + r.Name)}
			}
		}
		w.writes++
		for _, r := range rows {
			w.values[w.names[r.Name]][r.What] = string(r.New)
		}
		return nil
	})
}

// through lets the calls of a store go through world.call.
type through struct {
	pipeline.Store
	w *world
}

func (s through) Create(ctx context.Context, key string, body io.Reader) error {
	return s.w.call(func() error { return s.Store.Create(ctx, key, body) })
}

func (s through) First(ctx context.Context, prefix string) (first string, err error) {
	err = s.w.call(func() error { first, err = s.Store.First(ctx, prefix); return err })
	return first, err
}

func (w *world) ledger() ledger.Ledger {
	return ledger.Ledger{Records: record.Records{Store: through{w.store, w}, Sealer: w.sealer}, Now: w.now}
}

func (w *world) applier(p change.Plan) *change.Applier {
	return &change.Applier{Writer: w, Ledger: w.ledger(), Now: w.now, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }, Actor: "kim",
		Keep: func(rows []change.Row) error {
			return w.call(func() error { w.undo = must(change.Undo(p, rows).Encode())(w.t); return nil })
		}}
}

func (w *world) apply(rows []change.Row) []change.Result {
	p := change.NewPlan("tests", len(w.names), rows)
	return w.applier(p).Apply(w.t.Context(), p)
}

// events are those of all ledgers, which must be whole.
func (w *world) events() map[ledger.Event]int {
	w.t.Helper()
	found := map[ledger.Event]int{}
	for name := range w.values {
		t := pipeline.Target{Customer: pipeline.CustomerName(fmt.Sprintf("r%02d", name-100))}
		report := must(ledger.Auditor{Ledger: ledger.Ledger{Records: record.Records{Store: w.store, Sealer: w.sealer}, Now: w.now}}.Chain(w.t.Context(), t))(w.t)
		if len(report.Findings) > 0 {
			w.t.Errorf("ledger of %s: %v", t.Customer, report.Findings)
		}
		open := map[string]string{}
		for _, e := range report.Entries {
			found[e.Event]++
			if e.Event == ledger.Changed && e.Change.New != open[e.Change.What] {
				w.t.Errorf("%s ends with %s what began as %s", t.Customer, e.Change.New, open[e.Change.What])
			}
			open[e.Change.What] = e.Change.New
		}
	}
	return found
}

func statuses(results []change.Result) string {
	count := map[change.Status]int{}
	for _, r := range results {
		count[r.Status]++
	}
	var parts []string
	for _, s := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s %d", s, count[s]))
	}
	return strings.Join(parts, ", ")
}

// TestApply: each row is written, recorded with both values, and taken back by its own file.
func TestApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	before := fmt.Sprint(w.values)
	results := w.apply(w.rows(`"blue"`))
	if got := statuses(results); got != "written 16" || w.writes != 3 {
		t.Fatalf("%s in %d writes", got, w.writes)
	}
	if got := w.events(); got[ledger.Changing] != 16 || got[ledger.Changed] != 16 {
		t.Errorf("%v", got)
	}
	if got := statuses(w.apply(w.rows(`"blue"`))); got != "unchanged 16" || w.writes != 3 {
		t.Errorf("again: %s", got)
	}
	if got := statuses(w.apply(w.undoRows())); got != "written 16" || fmt.Sprint(w.values) != before {
		t.Errorf("taken back: %s, %v", got, w.values)
	}
	entries, _, err := w.ledger().Read(t.Context(), pipeline.Target{Customer: "r03"})
	if err != nil || entries[0].Message != `team of acme/r03: "red" → "blue"` || entries[0].Actor != "kim" || entries[0].Change.PlaceID != 103 {
		t.Errorf("%+v, %v", entries[0], err)
	}
}

// undoRows are those of the file that takes back what was written.
func (w *world) undoRows() []change.Row {
	w.t.Helper()
	var rows []change.Row
	for _, r := range must(change.ParseFile(w.undo, "tests"))(w.t).Rows {
		row := r.Row()
		row.Customers = []pipeline.CustomerName{pipeline.CustomerName(fmt.Sprintf("r%02d", r.Place.ID-100))}
		rows = append(rows, row)
	}
	return rows
}

// TestApplyRefuses: what is not as the plan says is left alone and named, and the others are written.
func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	rows := w.rows(`"blue"`)
	w.values[100]["team"] = `"green"`                                // changed since
	w.values[101]["team"] = `"blue"`                                 // by someone else, to the same
	delete(w.names, "acme/r02")                                      // deleted
	delete(w.names, "acme/r03")                                      // renamed
	w.names["acme/store"] = 103                                      //
	w.names["acme/r04"], w.values[999] = 999, map[string]string{}    // another one of the name
	w.refuses = "acme/r05"                                           // GitHub does not take it
	w.onWrite = func(w *world, r change.Row) { w.renamed(r, "r06") } // while it is written
	results := w.apply(rows)
	want := map[string]string{
		"acme/r00 team": "refused: \"green\" is there now, and not \"red\"", "acme/r00 tier": "written", "acme/r01 team": "unchanged: it is there already", "acme/r01 tier": "written",
		"acme/r02 team": "refused: acme/r02 is not there any more", "acme/r02 tier": "refused: acme/r02 is not",
		"acme/r03 team": "refused: acme/r03 was renamed: it is acme/store now: show the plan again, and change `repository` in customers/r03.yml",
		"acme/r03 tier": "refused", "acme/r04 team": "refused: acme/r04 is another repository now: it has id 999, and the plan is for 104", "acme/r04 tier": "refused",
		"acme/r05 team": "failed: it was not written: 422", "acme/r05 tier": "failed", "acme/r06 team": "uncertain: acme/r06 was renamed", "acme/r06 tier": "uncertain",
		"acme/r07 team": "written", "acme/r07 tier": "written",
	}
	for _, r := range results {
		got := string(r.Status)
		if r.Message != "" {
			got += ": " + r.Message
		}
		if key := r.Name + " " + r.What; !strings.HasPrefix(got, want[key]) || want[key] == "" {
			t.Errorf("%s: %s", key, got)
		}
	}
	report := change.Report{Rows: results}
	var failed *pipeline.FailedError
	if err := report.Err(); !errors.As(err, &failed) || !strings.Contains(err.Error(), "4 of 16") {
		t.Errorf("%v", err)
	}
	var refused *pipeline.RefusedError
	if err := (change.Report{Rows: []change.Result{{Status: change.Refused}, {Status: change.Written}}}).Err(); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	if w.values[100]["team"] != `"green"` || w.values[105]["team"] != `"red"` || len(w.values[999]) > 0 {
		t.Errorf("%v", w.values)
	}
	for _, r := range must(change.ParseFile(w.undo, "tests"))(t).Rows {
		if id := r.Place.ID; id == 102 || id == 103 || id == 104 || id == 105 {
			t.Errorf("the way back has %s of %s", r.What, r.Place.Name)
		}
	}
}

// renamed renames a repository at the moment of its write, which then reaches another one.
func (w *world) renamed(r change.Row, name string) {
	if id := w.names["acme/"+name]; r.Name == "acme/"+name && id != 0 {
		delete(w.names, r.Name)
		w.names["acme/other"], w.values[0] = id, map[string]string{}
	}
}

// TestApplyStopped kills a run at each of its calls, before and after the effect. The run after it
// ends the same, and the ledgers are whole and say what happened.
func TestApplyStopped(t *testing.T) {
	t.Parallel()
	for _, through := range []bool{false, true} {
		for calls := 0; ; calls++ {
			w := newWorld(t, 4)
			before := fmt.Sprint(w.values)
			left, dead := calls, false
			w.calls = func(do func() error) error {
				switch left--; {
				case dead:
					return errors.New("the process is dead")
				case left == -1:
					dead = true
					if through {
						_ = do()
					}
					return errors.New("the process is dead")
				}
				return do()
			}
			first := w.apply(w.rows(`"blue"`))
			w.calls = nil
			for _, r := range first {
				if r.Status == change.Written && w.values[r.ID][r.What] != string(r.New) {
					t.Errorf("call %d: %s of %s is said to be written", calls, r.What, r.Name)
				}
			}
			undo := w.undo
			w.pass(10 * time.Minute)
			if got := statuses(w.apply(w.rows(`"blue"`))); strings.Contains(got, "failed") || strings.Contains(got, "refused") || strings.Contains(got, "uncertain") {
				t.Fatalf("call %d (%v): the next run: %s", calls, through, got)
			}
			if got := w.events(); got[ledger.Changed] != 8 {
				t.Fatalf("call %d (%v): %v", calls, through, got)
			}
			w.undoBoth(undo, before)
			if !dead {
				if calls < 30 {
					t.Errorf("only %d calls", calls)
				}
				break
			}
		}
	}
}

// TestApplyHeld: what a killed run was about to write is held for a while, and then written by another
// one.
func TestApplyHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	rows := w.rows(`"blue"`)
	dead := false
	w.calls = func(do func() error) error {
		if dead {
			return errors.New("the process is dead")
		}
		return do()
	}
	p := change.NewPlan("tests", 1, rows)
	a := w.applier(p)
	a.Keep = func([]change.Row) error { dead = true; return errors.New("the process is dead") } // behind its claim
	a.Apply(t.Context(), p)
	w.calls = nil
	w.pass(4 * time.Minute)
	results := w.apply(rows)
	if got := statuses(results); got != "refused 2" || !strings.Contains(results[0].Message, "another run of kim has begun to write it at 2026-03-01T12:00:00Z") {
		t.Errorf("%s: %s", got, results[0].Message)
	}
	w.pass(2 * time.Minute)
	if got := statuses(w.apply(rows)); got != "written 2" {
		t.Errorf("later: %s", got)
	}
	w.events()
}

// undoBoth takes back what two runs have written.
func (w *world) undoBoth(first []byte, want string) {
	w.t.Helper()
	if w.undo != nil {
		w.apply(w.undoRows())
	}
	if first != nil && fmt.Sprint(w.values) != want {
		w.undo = first
		if rows := w.undoRows(); len(rows) > 0 {
			w.apply(rows)
		}
	}
	if got := fmt.Sprint(w.values); got != want {
		w.t.Errorf("taken back: %s, want %s", got, want)
	}
}

// TestApplyTwiceAtOnce lets two runs write different values: for each one of them wins, and the other
// one says so.
func TestApplyTwiceAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		w := newWorld(t, 6)
		var both sync.WaitGroup
		results := make([][]change.Result, 2)
		plans := []change.Plan{change.NewPlan("tests", 6, w.rows(`"blue"`)), change.NewPlan("tests", 6, w.rows(`"green"`))}
		for i, p := range plans {
			a := w.applier(p)
			a.Keep = nil
			both.Go(func() { results[i] = a.Apply(t.Context(), p) })
		}
		both.Wait()
		for i, r := range results[0] {
			if r.What != "team" {
				continue
			}
			other := results[1][i]
			if (r.Status == change.Written) == (other.Status == change.Written) {
				t.Fatalf("%s: %s (%s), %s (%s)", r.Name, r.Status, r.Message, other.Status, other.Message)
			}
			won := r
			if other.Status == change.Written {
				won = other
			}
			if got := w.values[r.ID]["team"]; got != string(won.New) {
				t.Errorf("%s has %s, and %s is said to be written", r.Name, got, won.New)
			}
		}
		w.events()
	}
}

// TestApplyInterrupted: a run that is interrupted at a write ends it, and tries no other.
func TestApplyInterrupted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 6)
	ctx, cancel := context.WithCancel(t.Context())
	w.onWrite = func(*world, change.Row) { cancel() }
	p := change.NewPlan("tests", 6, w.rows(`"blue"`))
	results := w.applier(p).Apply(ctx, p)
	if got := statuses(results); got != "not-tried 6, written 6" || results[11].Message != "the run was stopped" {
		t.Errorf("%s: %s", got, results[11].Message)
	}
	if got := w.events(); got[ledger.Changing] != 6 || got[ledger.Changed] != 6 {
		t.Errorf("%v", got)
	}
}

// TestKeepFails: nothing is written without a way back.
func TestKeepFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 4)
	p := change.NewPlan("tests", 4, w.rows(`"blue"`))
	a := w.applier(p)
	a.Keep = func([]change.Row) error { return errors.New("the disk is full") }
	if got := statuses(a.Apply(t.Context(), p)); got != "failed 6, not-tried 2" || w.writes != 0 {
		t.Errorf("%s in %d writes", got, w.writes)
	}
}

// TestApplyTransferred: a repository of another owner is refused, and the message says what to do.
func TestApplyTransferred(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	rows := w.rows(`"blue"`)
	delete(w.names, "acme/r00")
	w.names["globex/r00"] = 100
	const want = "acme/r00 was transferred: it is globex/r00 now: make sure that the new owner may deploy, change `repository` in customers/r00.yml, and make a new plan: this one is for the former owner"
	for _, r := range w.apply(rows) {
		if r.Status != change.Refused || r.Message != want {
			t.Errorf("%s: %s", r.Status, r.Message)
		}
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fleet, places, allowed int
		good                   bool
	}{
		{1, 1, 0, true}, {5, 1, 0, true}, {5, 2, 0, false}, {5, 2, 2, true}, {5, 2, 1, false}, {100, 10, 0, true}, {100, 11, 0, false}, {1000, 30, 0, true}, {1000, 31, 0, false},
		{1000, 31, 31, true}, {0, 1, 0, true}, {0, 0, 0, true},
	} {
		w := newWorld(t, tc.places)
		p := change.NewPlan("tests", tc.fleet, w.rows(`"blue"`))
		err := p.Guard(tc.allowed)
		var usage *pipeline.UsageError
		if (err == nil) != tc.good || err != nil && !errors.As(err, &usage) {
			t.Errorf("%+v: %v", tc, err)
		}
		if err != nil && !strings.Contains(err.Error(), fmt.Sprintf("add --max-changes %d", tc.places)) {
			t.Errorf("%v", err)
		}
	}
	w := newWorld(t, 1)
	rows := w.rows(`"blue"`)
	if err := change.NewPlan("tests", 1, append(rows, rows[0])).Check(); err == nil {
		t.Error("a value is written twice")
	}
	rows[0].New = json.RawMessage(`"` + strings.Repeat("x", ledger.MaxChangeValue) + `"`)
	if err := change.NewPlan("tests", 1, rows).Check(); err == nil {
		t.Error("a value is longer than the ledger takes")
	}
}
