package change

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Writer reads and writes one kind of values. It knows what they mean.
type Writer interface {
	// Batches splits rows into those that one write can do, all of them or none. Rows of one place
	// come in one batch where that is possible.
	Batches(rows []Row) [][]Row
	// Read reads the present value of each row, in their order.
	Read(ctx context.Context, rows []Row) []Seen
	// Write writes one batch. Where one of several places may be why it is refused, the error is an
	// *OnePlaceError.
	Write(ctx context.Context, rows []Row) error
}

// Seen is the present value of a row.
type Seen struct {
	Place Place           // what has the name of the row's place now; zero beside an error
	Value json.RawMessage // as Canonical
	// Gone: the place is not there any more, or hidden.
	Gone bool
	Err  error
}

// OnePlaceError is the refusal of a batch for which one of its places may be the reason.
type OnePlaceError struct{ Err error }

func (e *OnePlaceError) Error() string { return e.Err.Error() }

func (e *OnePlaceError) Unwrap() error { return e.Err }

// Status is what became of a row.
type Status string

// The statuses.
const (
	Planned   Status = "planned"   // shown, and not applied
	Written   Status = "written"   // written, and read back
	Same      Status = "unchanged" // the value is there already
	Refused   Status = "refused"   // something else is there than the plan says
	Failed    Status = "failed"    // not written; the message says why
	Uncertain Status = "uncertain" // perhaps written: the answer, or the look at it, was lost
	Left      Status = "not-tried" // the run stopped before it
)

// Result is a row and what became of it.
type Result struct {
	Row
	Status  Status `json:"status"`
	Message string `json:"message,omitempty"`
}

// Applier applies plans.
type Applier struct {
	Writer Writer
	Ledger ledger.Ledger
	Now    func() time.Time
	Sleep  func(context.Context, time.Duration) error
	Actor  string
	Run    pipeline.Run
	Host   string
	// Keep keeps the way back of all rows that are or may be written, right before each batch.
	Keep func(rows []Row) error
}

// A run that is about to write a value holds it for claimTime, which is longer than a write takes:
// each is given up after writeTime. Then the run is taken for dead.
const (
	claimTime = 5 * time.Minute
	writeTime = 2 * time.Minute
)

// work is one plan on its way.
type work struct {
	*Applier
	plan    Plan
	results []*Result
	kept    []*Result                      // whose way back is kept, in the order of the writes
	isKept  map[*Result]bool               // the same
	since   map[string]time.Time           // when each row was claimed
	tips    map[pipeline.Target]ledger.Tip // as far as this run knows
	stopped string                         // why no other batch is tried
}

// Apply applies a plan batch by batch. It returns a result for each row, in their order, then one for
// each of Plan.Same. An interrupted run ends with the batch that it is at.
func (a *Applier) Apply(ctx context.Context, p Plan) []Result {
	w := &work{Applier: a, plan: p, isKept: map[*Result]bool{}, since: map[string]time.Time{}, tips: map[pipeline.Target]ledger.Tip{}}
	byKey := map[string]*Result{}
	for _, r := range p.Rows {
		result := &Result{Row: r, Status: Left}
		w.results = append(w.results, result)
		byKey[r.key()] = result
	}
	for _, rows := range a.Writer.Batches(p.Rows) {
		if w.stopped == "" && ctx.Err() != nil {
			w.stopped = "the run was stopped"
		}
		var batch []*Result
		for _, r := range rows {
			batch = append(batch, byKey[r.key()])
		}
		if w.stopped == "" {
			w.batch(ctx, batch)
		}
	}
	all := make([]Result, 0, len(p.Rows)+len(p.Same))
	for _, r := range w.results {
		if r.Status == Left {
			r.Message = w.stopped
		}
		all = append(all, *r)
	}
	for _, r := range p.Same {
		if w.stopped == "" && ctx.Err() == nil {
			w.settle(ctx, r)
		}
		all = append(all, Result{Row: r, Status: Same})
	}
	if err := w.keepAll(); err != nil {
		w.results[0].Message += fmt.Sprintf("; the way back was kept before, and not brought up to date: %v", err)
	}
	return all
}

// batch claims the rows, writes those that are as the plan says, and reads them back.
func (w *work) batch(ctx context.Context, batch []*Result) {
	claimed := w.claim(ctx, batch)
	if len(claimed) == 0 {
		return
	}
	byKey := map[string]*Result{}
	var rows []Row
	for _, r := range claimed {
		byKey[r.key()] = r
		rows = append(rows, r.Row)
	}
	for _, part := range w.Writer.Batches(rows) { // what was refused may leave rows that no one write can do
		var results []*Result
		for _, r := range part {
			results = append(results, byKey[r.key()])
		}
		w.write(ctx, results)
	}
}

// write writes rows that this run has claimed.
func (w *work) write(ctx context.Context, batch []*Result) {
	rows := rowsOf(batch)
	if err := w.ready(ctx, batch); err != nil {
		w.end(ctx, batch, Failed, "it was not written: "+err.Error())
		return
	}
	limited, cancel := context.WithTimeout(ctx, writeTime)
	err := w.Writer.Write(limited, rows)
	cancel()
	var one *OnePlaceError
	if errors.As(err, &one) && w.severalPlaces(rows) {
		for _, part := range byPlace(batch) {
			w.write(ctx, part)
		}
		return
	}
	if err != nil && !errors.As(err, &one) {
		w.stopped = "an earlier write failed"
	}
	w.readBack(ctx, batch, err)
}

// ready keeps the way back, and says why the rows cannot be written for all that. What takes time comes
// before the look at the clock.
func (w *work) ready(ctx context.Context, batch []*Result) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case w.stopped != "":
		return errors.New(w.stopped)
	}
	if err := w.keep(batch); err != nil {
		w.stopped = "the way back could not be kept"
		return fmt.Errorf("%s: %w", w.stopped, err)
	}
	if w.late(rowsOf(batch)) {
		return errors.New("what came before its write took too long: run this again")
	}
	return nil
}

// late reports whether another run may take this one for dead before the write ends.
func (w *work) late(rows []Row) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return w.Now().After(w.since[r.key()].Add(claimTime - writeTime)) })
}

func (w *work) severalPlaces(rows []Row) bool { return Plan{Rows: rows}.Places() > 1 }

func byPlace(batch []*Result) [][]*Result {
	var parts [][]*Result
	at := map[string]int{}
	for _, r := range batch {
		i, known := at[r.placeKey()]
		if !known {
			i = len(parts)
			at[r.placeKey()] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], r)
	}
	return parts
}

// looks is how often a value that was written is looked for: what GitHub shows may be behind.
const looks = 3

// readBack looks what a write has left. failed is its error: also then the value may be there.
func (w *work) readBack(ctx context.Context, batch []*Result, failed error) {
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	open := batch
	for look := 1; len(open) > 0; look++ {
		seen := w.Writer.Read(last, rowsOf(open))
		var behind []*Result
		for i, r := range open {
			if w.judge(ctx, r, seen[i], failed, look == looks) {
				continue
			}
			behind = append(behind, r)
		}
		if open = behind; len(open) > 0 && w.Sleep(last, time.Duration(look)*time.Second) != nil {
			for _, r := range open {
				r.Status, r.Message = Uncertain, "it was written, and not read back: show the plan again"
			}
			return
		}
	}
}

// judge says what became of a row from what was read back; false: look again.
func (w *work) judge(ctx context.Context, r *Result, seen Seen, failed error, final bool) bool {
	switch {
	case seen.Err != nil:
		r.Status = Uncertain
		r.Message = fmt.Sprintf("it may be written: it could not be read back: %v", seen.Err)
		if failed != nil {
			r.Message = fmt.Sprintf("it may be written: %v; it could not be read back: %v", failed, seen.Err)
		}
	case seen.Gone || seen.Place != r.Place:
		r.Status = Uncertain
		r.Message = fmt.Sprintf("%s while it was written: look at what has the name %s now, which may have got the value", moved(r.Row, seen), r.Name)
	case bytes.Equal(seen.Value, r.New):
		w.end(ctx, []*Result{r}, Written, "")
	case failed != nil && bytes.Equal(seen.Value, r.Old):
		w.end(ctx, []*Result{r}, Failed, "it was not written: "+failed.Error())
	case !final:
		return false
	case failed != nil:
		r.Status = Uncertain
		r.Message = fmt.Sprintf("it may be written in part: %v; %s is there now", failed, clip(seen.Value))
	default:
		r.Status = Uncertain
		r.Message = fmt.Sprintf("it was written, and %s is there now: someone else may have changed it", clip(seen.Value))
	}
	return true
}

// keep keeps the way back of what may be written so far and of a batch. What is kept already, of a
// batch that is written in parts, is not kept again.
func (w *work) keep(batch []*Result) error {
	before := len(w.kept)
	for _, r := range batch {
		if !w.isKept[r] {
			w.isKept[r] = true
			w.kept = append(w.kept, r)
		}
	}
	if len(w.kept) == before {
		return nil
	}
	return w.keepAll()
}

// keepAll keeps the way back of what is or may be written so far.
func (w *work) keepAll() error {
	if w.Keep == nil || len(w.kept) == 0 {
		return nil
	}
	rows := make([]Row, 0, len(w.kept))
	for _, r := range w.kept {
		if r.Status != Failed && r.Status != Refused {
			rows = append(rows, r.Row)
		}
	}
	return w.Keep(rows)
}

func rowsOf(results []*Result) []Row {
	rows := make([]Row, len(results))
	for i, r := range results {
		rows[i] = r.Row
	}
	return rows
}

// clip is a value for a message.
func clip(value json.RawMessage) string { return pipeline.Clip(string(value), 80) }
