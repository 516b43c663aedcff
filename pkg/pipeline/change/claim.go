package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// claims is how often a claim is tried while others write to the same ledger.
const claims = 5

// claim reads each row again and claims it in its ledger, where it is as the plan says. It returns
// those that it has claimed; the others have their result.
//
// The entry is written right behind the one that was the last before the value was read. So of two
// runs that want the same value one is first, and the other one reads again and sees it.
func (w *work) claim(ctx context.Context, rows []*Result) (claimed []*Result) {
	for try := 1; len(rows) > 0; try++ {
		free := w.free(ctx, rows)
		seen := w.Writer.Read(ctx, rowsOf(free))
		var again []*Result
		for i, r := range free {
			if !w.compare(ctx, r, seen[i]) {
				continue
			}
			switch err := w.begin(ctx, r); {
			case err == nil:
				claimed = append(claimed, r)
			case errors.Is(err, pipeline.ErrExists) && try < claims:
				again = append(again, r)
			case errors.Is(err, pipeline.ErrExists):
				r.Status, r.Message = Refused, "others write to its ledger without a pause: show the plan again"
			default:
				r.Status, r.Message = Failed, fmt.Sprintf("it was not written, since it cannot be recorded: %v", err)
			}
		}
		for _, r := range again {
			delete(w.tips, r.Ledger())
		}
		rows = again
	}
	return claimed
}

// free returns the rows that no other run holds, as their ledgers say.
func (w *work) free(ctx context.Context, rows []*Result) (free []*Result) {
	for _, r := range rows {
		last, found, err := w.lastChange(ctx, r.Row)
		switch {
		case err != nil:
			r.Status, r.Message = Failed, fmt.Sprintf("it was not written: read the ledger of %s: %v", ledger.Name(r.Ledger()), err)
		case found && last.Event == ledger.Changing && last.Change.Plan != w.plan.ID && w.Now().Before(last.At.Add(claimTime)):
			r.Status = Refused
			r.Message = fmt.Sprintf("another run of %s has begun to write it at %s: show the plan again when that has ended, or %d minutes later", last.Actor,
				last.At.UTC().Format(time.RFC3339), int(claimTime.Minutes()))
		default:
			free = append(free, r)
		}
	}
	return free
}

// lastChange is the newest entry about the value, and notes the tip of its ledger.
func (w *work) lastChange(ctx context.Context, r Row) (ledger.Entry, bool, error) {
	tip, known := w.tips[r.Ledger()]
	if !known {
		var err error
		if tip, err = w.Ledger.Tip(ctx, r.Ledger()); err != nil && !errors.Is(err, pipeline.ErrUnknownKey) {
			return ledger.Entry{}, false, err
		}
		w.tips[r.Ledger()] = tip
	}
	return w.Ledger.LastChange(ctx, tip, *r.change(w.plan.ID))
}

// compare says what becomes of a row that is not as the plan says; true: it is.
func (w *work) compare(ctx context.Context, r *Result, seen Seen) bool {
	switch {
	case seen.Err != nil:
		r.Status, r.Message = Failed, fmt.Sprintf("it was not written, since it could not be read: %v", seen.Err)
	case seen.Gone || seen.Place != r.Place:
		r.Status, r.Message = Refused, moved(r.Row, seen)+": "+afterMove(r.Row, seen)
	case bytes.Equal(seen.Value, r.New):
		r.Status, r.Message = Same, "it is there already"
		w.settle(ctx, r.Row)
	case !bytes.Equal(seen.Value, r.Old):
		r.Status, r.Message = Refused, fmt.Sprintf("%s is there now, and not %s: show the plan again", clip(seen.Value), clip(r.Old))
	default:
		return true
	}
	return false
}

// moved says what has become of the place of a row.
func moved(r Row, seen Seen) string {
	switch {
	case seen.Gone:
		return r.Name + " is not there any more, or the token may not see it"
	case seen.Place.ID != r.ID:
		return fmt.Sprintf("%s is another repository now: it has id %d, and the plan is for %d", r.Name, seen.Place.ID, r.ID)
	}
	if owner(seen.Place.Name) != owner(r.Name) {
		return fmt.Sprintf("%s was transferred: it is %s now", r.Name, seen.Place.Name)
	}
	return fmt.Sprintf("%s was renamed: it is %s now", r.Name, seen.Place.Name)
}

// owner is that of a place, in lower case: GitHub compares names so.
func owner(name string) string {
	before, _, _ := strings.Cut(name, "/")
	return strings.ToLower(before)
}

// afterMove says what to do about it.
func afterMove(r Row, seen Seen) string {
	switch {
	case seen.Gone || seen.Place.ID != r.ID:
		return "find out what has become of it, and show the plan again"
	case owner(seen.Place.Name) != owner(r.Name):
		return "make sure that the new owner may deploy, change `repository` in " + files(r) + ", and make a new plan: this one is for the former owner"
	}
	return "show the plan again, and change `repository` in " + files(r)
}

// files are those of the customers in the repository.
func files(r Row) string {
	if len(r.Customers) == 0 {
		return "the customer's file"
	}
	names := make([]string, len(r.Customers))
	for i, c := range r.Customers {
		names[i] = fmt.Sprintf("customers/%s.yml", c)
	}
	return strings.Join(names, ", ")
}

// entry is an entry about a row.
func (w *work) entry(event ledger.Event, r Row, message string) ledger.Entry {
	if message == "" {
		message = fmt.Sprintf("%s: %s → %s", r, clip(r.Old), clip(r.New))
	}
	return ledger.Entry{Target: r.Ledger(), Event: event, Actor: w.Actor, Run: w.Run, Host: w.Host, Message: message, Change: r.change(w.plan.ID)}
}

// begin records that the row is about to be written, behind the tip that was read before its value.
func (w *work) begin(ctx context.Context, r *Result) error {
	w.since[r.key()] = w.Now()
	tip, err := w.Ledger.AppendNext(ctx, w.tips[r.Ledger()], w.entry(ledger.Changing, r.Row, ""))
	if err == nil {
		w.tips[r.Ledger()] = tip
	}
	return err
}

// end gives rows their result and records it, also in a run that is being stopped.
func (w *work) end(ctx context.Context, rows []*Result, status Status, message string) {
	last, cancel := record.CleanupContext(ctx)
	defer cancel()
	for _, r := range rows {
		r.Status, r.Message = status, message
		event := ledger.Changed
		if status != Written {
			event = ledger.Unchanged
		}
		if err := w.append(last, w.entry(event, r.Row, message)); err != nil {
			r.Message += fmt.Sprintf("; that it has ended is not recorded: %v", err)
			if status == Written {
				r.Message = fmt.Sprintf("it is written; that it has ended is not recorded, which a later run does: %v", err)
			}
		}
	}
}

func (w *work) append(ctx context.Context, e ledger.Entry) error {
	tip, err := w.Ledger.AppendAfter(ctx, w.tips[e.Target], e)
	if err == nil {
		w.tips[e.Target] = tip
	}
	return err
}

// settle ends what a run has left open that died after its write. r.New is there.
func (w *work) settle(ctx context.Context, r Row) {
	last, found, err := w.lastChange(ctx, r)
	if err != nil || !found || last.Event != ledger.Changing || last.Change.Plan == w.plan.ID || w.Now().Before(last.At.Add(claimTime)) {
		return
	}
	if last.Change.New != string(r.New) {
		return
	}
	e := w.entry(ledger.Changed, r, fmt.Sprintf("%s: %s is there, which a run has written that was stopped", r, clip(r.New)))
	e.Change = last.Change
	_ = w.append(ctx, e) // a later run settles it
}
