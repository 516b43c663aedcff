package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Rekeyer seals again, under the first key, what must stay readable without the older
// ones: the records of the last applies with their variables, the outputs that other
// stacks need, and the ledgers. Requests, plans and kept
// states end by themselves; it reports those that still need an older key. What scans
// remember is written anew by each scan. Marks of used signatures need no key: one that
// cannot be read refuses its signature all the same.
//
// It removes and overwrites nothing: a new record takes a name behind the old one's and
// before that of any later apply, and the next apply removes both. So it can stop
// anywhere, run again, and run beside an apply.
type Rekeyer struct {
	Store pipeline.Store
	First pipeline.Sealer // the key that seals, alone
	All   pipeline.Sealer // every key at hand
	Now   func() time.Time
	// Customers are those with a file. They decide what is to be done about a record that no
	// key opens.
	Customers []pipeline.Customer
}

// RekeyState is how a record stands.
type RekeyState string

// The states of a record that is not under the first key.
const (
	RekeyOld      RekeyState = "old-key"  // Run with apply seals it again
	RekeyDone     RekeyState = "resealed" // it was sealed again just now
	RekeyWaits    RekeyState = "waits"    // it needs an older key until it ends
	RekeyUnknown  RekeyState = "no-key"   // no key at hand opens it
	RekeyTampered RekeyState = "tampered" // it is not what was stored
	RekeyUnused   RekeyState = "unused"   // no key opens it, and no command needs it opened
)

// RekeyRecord is a record that is not under the first key.
type RekeyRecord struct {
	Key   string     `json:"key"` // of the store
	State RekeyState `json:"state"`
	// Until says when a record that waits needs its key no more; for the others what to do.
	Until string `json:"until,omitempty"`
	Error string `json:"error,omitempty"` // why it cannot be opened
}

// RekeyResult is what a look at the store has found.
type RekeyResult struct {
	// Checked is the number of records that were looked at.
	Checked int           `json:"checked"`
	Records []RekeyRecord `json:"records"`
	// Removable: everything was looked at, and only the first key is needed. Records that are
	// unused may stay.
	Removable bool `json:"removable"`
}

// Count is the number of records in a state.
func (r RekeyResult) Count(state RekeyState) int {
	n := 0
	for _, stored := range r.Records {
		if stored.State == state {
			n++
		}
	}
	return n
}

// Run looks at the store, and with apply seals again what has to last. A record that no
// key at hand opens, or that was changed, is never sealed again. Customers that are not
// registered any more are looked at like the others. On an error the result holds what
// was seen until then.
func (r *Rekeyer) Run(ctx context.Context, apply bool) (RekeyResult, error) {
	result := RekeyResult{Records: []RekeyRecord{}}
	keys, err := r.Store.List(ctx, "")
	if err != nil {
		return result, fmt.Errorf("list the store: %w", err)
	}
	for _, t := range rekeyTargets(keys) {
		if err := r.lastApply(ctx, t, apply, &result); err != nil {
			return result, err
		}
		if err := r.outputs(ctx, t, apply, &result); err != nil {
			return result, err
		}
		if err := r.kept(ctx, t, &result); err != nil {
			return result, err
		}
	}
	if err := r.requests(ctx, keys, &result); err != nil {
		return result, err
	}
	if err := r.names(ctx, keys, apply, &result); err != nil {
		return result, err
	}
	if err := r.ledgers(ctx, keys, apply, &result); err != nil {
		return result, err
	}
	// A store without any record proves nothing: it may be another one than the
	// workflows use.
	result.Removable = result.Checked > 0 && len(result.Records) == result.Count(RekeyDone)+result.Count(RekeyUnused)
	return result, nil
}

// rekeyTarget holds the keys of one target that have to do with what lasts.
type rekeyTarget struct {
	pipeline.Target
	applied, kept, outputs []string
}

// rekeyTargets picks them out of all keys of the store, which are in ascending order.
func rekeyTargets(keys []string) []rekeyTarget {
	var targets []rekeyTarget
	for _, key := range keys {
		target, of, is := targetOfKey(key)
		if !is || of != "applied" && of != "kept" && of != "outputs" {
			continue
		}
		if n := len(targets); n == 0 || targets[n-1].Target != target {
			targets = append(targets, rekeyTarget{Target: target})
		}
		t := &targets[len(targets)-1]
		switch {
		case of == "kept":
			t.kept = append(t.kept, key)
		case of == "outputs":
			t.outputs = append(t.outputs, key)
		case strings.HasSuffix(key, ".json"):
			t.applied = append(t.applied, key)
		}
	}
	return targets
}

// targetOfKey splits a key TARGET/OF/..., where TARGET is a folder of a target; false for one of another form.
func targetOfKey(key string) (t pipeline.Target, of string, is bool) {
	parts := strings.SplitN(key, "/", 4)
	if len(parts) < 4 {
		return t, "", false
	}
	c, err := pipeline.ParseCustomerName(parts[0])
	if err != nil {
		return t, "", false
	}
	t, err = c.ParsePart(parts[1])
	return t, parts[2], err == nil
}

// rekeyAdvice is what the list says is next for a record: old, its state where an older key
// at hand opens it, until what is next then, and lost what is next where no key does.
type rekeyAdvice struct {
	old         RekeyState
	until, lost string
}

// resealed is the advice for a record that Run with apply seals again.
func resealed(lost string) rekeyAdvice {
	return rekeyAdvice{old: RekeyOld, until: "run `metapipe rekey --apply`", lost: lost}
}

// classify says how a record stands that the first key alone, and all keys, read with these
// errors; false where it is under the first key. Other errors are returned.
func (a rekeyAdvice) classify(key string, first, all error) (RekeyRecord, bool, error) {
	switch {
	case first == nil:
		return RekeyRecord{}, false, nil
	case errors.Is(first, pipeline.ErrTampered) || errors.Is(all, pipeline.ErrTampered):
		return RekeyRecord{Key: key, State: RekeyTampered, Until: "find out who can write to the store", Error: errors.Join(first, all).Error()}, true, nil
	case !errors.Is(first, pipeline.ErrUnknownKey):
		return RekeyRecord{}, false, first
	case errors.Is(all, pipeline.ErrUnknownKey):
		return RekeyRecord{
			Key:   key,
			State: RekeyUnknown,
			Until: "add its key behind the first one and run this again; where the key is gone or has leaked, " + a.lost + " (docs/RECOVERY.md)",
			Error: all.Error(),
		}, true, nil
	case all != nil:
		return RekeyRecord{}, false, all
	}
	return RekeyRecord{Key: key, State: a.old, Until: a.until}, true, nil
}

const (
	lostApply   = "compare the state with what should be there, and run `metapipe state accept --customer NAME --environment ENVIRONMENT --reason TEXT` with the names that begin the key"
	lostRequest = "delete this object and the plans of the request, then the customer pushes again"
	lostKept    = "bring the state back with that key, on a machine that no one else uses: `metapipe state recover`"
)

func (r *Rekeyer) lastApply(ctx context.Context, t rekeyTarget, apply bool, result *RekeyResult) error {
	if len(t.applied) == 0 {
		return nil
	}
	result.Checked++
	newest := t.applied[len(t.applied)-1]
	_, first := record.OpenLastApply(ctx, record.Records{Store: r.Store, Sealer: r.First}, t.Target)
	last, all := record.OpenLastApply(ctx, record.Records{Store: r.Store, Sealer: r.All}, t.Target)
	return result.add(ctx, resealed(lostApply), newest, first, all, apply && last.Found, func(ctx context.Context) error { return r.reseal(ctx, newest, last) })
}

// add lists a record that the first key alone, and all keys, read with these errors, unless it
// is under the first key. With apply it is sealed again where an older key opens it.
func (r *RekeyResult) add(ctx context.Context, advice rekeyAdvice, key string, first, all error, apply bool, seal func(context.Context) error) error {
	stored, is, err := advice.classify(key, first, all)
	if err != nil || !is {
		return err
	}
	if apply && stored.State == RekeyOld {
		last, cancel := record.CleanupContext(ctx)
		defer cancel()
		if err := seal(last); err != nil {
			return fmt.Errorf("seal %s again: %w", key, err)
		}
		stored.State, stored.Until = RekeyDone, ""
	}
	r.Records = append(r.Records, stored)
	return nil
}

func (r *Rekeyer) reseal(ctx context.Context, newest string, last record.Opened) error {
	name, _, _ := strings.Cut(strings.TrimSuffix(newest, ".json"), rekeyed)
	return last.Record.Seal(ctx, record.Records{Store: r.Store, Sealer: r.First}, name+rekeyed+r.Now().UTC().Format(record.LastApplyTimes)+".json", last.Variables)
}

// rekeyed stands in the names of records that were sealed again. It sorts behind ".json",
// so that they come after the record that they were made of.
const rekeyed = ".rekeyed-"

// requests reports the requests under an older key that are open, or that were pushed so
// short a time ago that a new one is ranked against them.
func (r *Rekeyer) requests(ctx context.Context, keys []string, result *RekeyResult) error {
	open := map[string]bool{} // keys of requests
	for _, key := range keys {
		e, is := record.OpenEntryOf(key)
		if !is {
			continue
		}
		open[record.RequestKey(e.Customer, e.Request)] = true
		load := func(sealer pipeline.Sealer) error {
			_, err := e.Load(ctx, record.Records{Store: r.Store, Sealer: sealer})
			return err
		}
		if err := r.request(record.RequestKey(e.Customer, e.Request), load, "until the request is closed, and its plan applied or expired", result); err != nil {
			return err
		}
	}
	for _, key := range keys {
		t, of, is := targetOfKey(key)
		id, known := record.EntryOf(key)
		until := record.OrderTime(key).Add(record.RankAfter)
		if !is || !known || of != "queue" || open[record.RequestKey(t.Customer, id)] || !r.Now().Before(until) {
			continue
		}
		open[record.RequestKey(t.Customer, id)] = true // once, whatever number of targets it has
		load := func(sealer pipeline.Sealer) error {
			_, err := record.LoadRequest(ctx, record.Records{Store: r.Store, Sealer: sealer}, t.Customer, id)
			return err
		}
		if err := r.request(record.RequestKey(t.Customer, id), load, fmt.Sprintf("until %s: the order of a push before then is compared with it", until.UTC().Format(time.RFC3339)), result); err != nil {
			return err
		}
	}
	return nil
}

// request reports a request that the first key alone does not open.
func (r *Rekeyer) request(key string, load func(pipeline.Sealer) error, until string, result *RekeyResult) error {
	result.Checked++
	first := load(r.First)
	if errors.Is(first, pipeline.ErrNotFound) {
		return nil // the sweep removes such an entry
	}
	stored, is, err := rekeyAdvice{old: RekeyWaits, until: until, lost: lostRequest}.classify(key, first, load(r.All))
	if err == nil && is {
		result.Records = append(result.Records, stored)
	}
	return err
}

// kept reports states that wait to be brought back and are under an older key.
func (r *Rekeyer) kept(ctx context.Context, t rekeyTarget, result *RekeyResult) error {
	for _, key := range t.kept {
		prefix, is := strings.CutSuffix(key, record.ObjectErrored)
		if !is || slices.Contains(t.kept, prefix+record.ObjectRecovered) {
			continue
		}
		result.Checked++
		folder := record.PlanAttempt{Target: t.Target, Prefix: prefix}
		advice := rekeyAdvice{old: RekeyWaits, until: "until `metapipe state recover` brings it back", lost: lostKept}
		stored, is, err := advice.classify(key, r.opens(ctx, r.First, folder), r.opens(ctx, r.All, folder))
		if err != nil {
			return err
		}
		if is {
			result.Records = append(result.Records, stored)
		}
	}
	return nil
}

// opens reads a kept state to its end.
func (r *Rekeyer) opens(ctx context.Context, sealer pipeline.Sealer, folder record.PlanAttempt) error {
	receipt, err := record.DecodeReceipt(ctx, r.Store, folder)
	if err != nil {
		return err
	}
	return record.Unseal(ctx, r.Store, sealer, folder.Key(record.ObjectErrored), pipeline.BindTo(receipt, record.ObjectErrored), io.Discard)
}
