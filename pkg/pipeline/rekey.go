package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Rekeyer seals again, under the first key, what must stay readable without the older
// ones: the records of the last applies and their variables. Requests, plans and kept
// states end by themselves; it reports those that still need an older key. What scans
// remember is written anew by each scan. Marks of used signatures need no key: one that
// cannot be read refuses its signature all the same.
//
// It removes and overwrites nothing: a new record takes a name behind the old one's and
// before that of any later apply, and the next apply removes both. So it can stop
// anywhere, run again, and run beside an apply.
type Rekeyer struct {
	Store Store
	First Sealer // the key that seals, alone
	All   Sealer // every key at hand
	Now   func() time.Time
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
	// Removable: everything was looked at, and only the first key is needed.
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
	result.Removable = len(result.Records) == result.Count(RekeyDone)
	return result, nil
}

// rekeyTarget holds the keys of one target that have to do with what lasts.
type rekeyTarget struct {
	customer      CustomerName
	env           Environment
	applied, kept []string
}

// rekeyTargets picks them out of all keys of the store, which are in ascending order.
func rekeyTargets(keys []string) []rekeyTarget {
	var targets []rekeyTarget
	for _, key := range keys {
		c, env, of, is := targetOfKey(key)
		if !is || of != "applied" && of != "kept" {
			continue
		}
		if n := len(targets); n == 0 || targets[n-1].customer != c || targets[n-1].env != env {
			targets = append(targets, rekeyTarget{customer: c, env: env})
		}
		t := &targets[len(targets)-1]
		if of == "kept" {
			t.kept = append(t.kept, key)
		} else if strings.HasSuffix(key, ".json") {
			t.applied = append(t.applied, key)
		}
	}
	return targets
}

// targetOfKey splits a key CUSTOMER/ENVIRONMENT/OF/...; false for one of another form.
func targetOfKey(key string) (c CustomerName, env Environment, of string, is bool) {
	parts := strings.SplitN(key, "/", 4)
	if len(parts) < 4 {
		return "", "", "", false
	}
	c, customerErr := ParseCustomerName(parts[0])
	env, envErr := ParseEnvironment(parts[1])
	return c, env, parts[2], customerErr == nil && envErr == nil
}

// classifyRekey says how a record stands that the first key alone, and all keys, read with these
// errors; false where it is under the first key. Other errors are returned.
func classifyRekey(key string, first, all error, old RekeyState, until string) (RekeyRecord, bool, error) {
	switch {
	case first == nil:
		return RekeyRecord{}, false, nil
	case errors.Is(first, ErrTampered) || errors.Is(all, ErrTampered):
		return RekeyRecord{Key: key, State: RekeyTampered, Until: "find out who can write to the store", Error: errors.Join(first, all).Error()}, true, nil
	case !errors.Is(first, ErrUnknownKey):
		return RekeyRecord{}, false, first
	case errors.Is(all, ErrUnknownKey):
		return RekeyRecord{Key: key, State: RekeyUnknown, Until: "add its key behind the first one and run this again; where the key is gone, see docs/RECOVERY.md", Error: all.Error()}, true, nil
	case all != nil:
		return RekeyRecord{}, false, all
	}
	return RekeyRecord{Key: key, State: old, Until: until}, true, nil
}

// Opened is a record of the last apply with its variables.
type Opened struct {
	Record    LastApply
	Variables []byte
	Found     bool
}

func OpenLastApply(ctx context.Context, s Records, c CustomerName, env Environment) (Opened, error) {
	stored, found, err := LoadLastApply(ctx, s, c, env)
	if err != nil || !found {
		return Opened{}, err
	}
	variables, err := stored.OpenVariables(ctx, s, s.Sealer)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%s: %w: the variables of the last apply are gone", stored.Variables, ErrTampered)
	}
	return Opened{stored, variables, true}, err
}

func (r *Rekeyer) lastApply(ctx context.Context, t rekeyTarget, apply bool, result *RekeyResult) error {
	if len(t.applied) == 0 {
		return nil
	}
	c, env := t.customer, t.env
	result.Checked++
	newest := t.applied[len(t.applied)-1]
	_, first := OpenLastApply(ctx, Records{Store: r.Store, Sealer: r.First}, c, env)
	last, all := OpenLastApply(ctx, Records{Store: r.Store, Sealer: r.All}, c, env)
	stored, is, err := classifyRekey(newest, first, all, RekeyOld, "run `metapipe rekey --apply`")
	if err != nil || !is {
		return err
	}
	if apply && stored.State == RekeyOld && last.Found {
		if err := r.reseal(ctx, newest, last); err != nil {
			return fmt.Errorf("seal %s again: %w", newest, err)
		}
		stored.State, stored.Until = RekeyDone, ""
	}
	result.Records = append(result.Records, stored)
	return nil
}

func (r *Rekeyer) reseal(ctx context.Context, newest string, last Opened) error {
	ctx, cancel := CleanupContext(ctx)
	defer cancel()
	name, _, _ := strings.Cut(strings.TrimSuffix(newest, ".json"), rekeyed)
	return last.Record.Seal(ctx, Records{Store: r.Store, Sealer: r.First}, name+rekeyed+r.Now().UTC().Format(LastApplyTimes), last.Variables)
}

// rekeyed stands in the names of records that were sealed again. It sorts behind ".json",
// so that they come after the record that they were made of.
const rekeyed = ".rekeyed-"

// requests reports the requests under an older key that are open, or that were pushed so
// short a time ago that a new one is ranked against them.
func (r *Rekeyer) requests(ctx context.Context, keys []string, result *RekeyResult) error {
	open := map[string]bool{} // keys of requests
	for _, key := range keys {
		e, is := OpenEntryOf(key)
		if !is {
			continue
		}
		open[RequestKey(e.Customer, e.Request)] = true
		load := func(sealer Sealer) error { _, err := e.Load(ctx, Records{Store: r.Store, Sealer: sealer}); return err }
		if err := r.request(RequestKey(e.Customer, e.Request), load, "until the request is closed, and its plan applied or expired", result); err != nil {
			return err
		}
	}
	for _, key := range keys {
		c, _, of, is := targetOfKey(key)
		id, known := EntryOf(key)
		until := OrderTime(key).Add(RankAfter)
		if !is || !known || of != "queue" || open[RequestKey(c, id)] || !r.Now().Before(until) {
			continue
		}
		open[RequestKey(c, id)] = true // once, whatever number of targets it has
		load := func(sealer Sealer) error {
			_, err := LoadRequest(ctx, Records{Store: r.Store, Sealer: sealer}, c, id)
			return err
		}
		if err := r.request(RequestKey(c, id), load, fmt.Sprintf("until %s: the order of a push before then is compared with it", until.UTC().Format(time.RFC3339)), result); err != nil {
			return err
		}
	}
	return nil
}

// request reports a request that the first key alone does not open.
func (r *Rekeyer) request(key string, load func(Sealer) error, until string, result *RekeyResult) error {
	result.Checked++
	first := load(r.First)
	if errors.Is(first, ErrNotFound) {
		return nil // the sweep removes such an entry
	}
	stored, is, err := classifyRekey(key, first, load(r.All), RekeyWaits, until)
	if err == nil && is {
		result.Records = append(result.Records, stored)
	}
	return err
}

// kept reports states that wait to be brought back and are under an older key.
func (r *Rekeyer) kept(ctx context.Context, t rekeyTarget, result *RekeyResult) error {
	for _, key := range t.kept {
		prefix, is := strings.CutSuffix(key, ObjectErrored)
		if !is || slices.Contains(t.kept, prefix+ObjectRecovered) {
			continue
		}
		result.Checked++
		folder := PlanAttempt{Customer: t.customer, Environment: t.env, Prefix: prefix}
		stored, is, err := classifyRekey(key, r.opens(ctx, r.First, folder), r.opens(ctx, r.All, folder), RekeyWaits, "until `metapipe state recover` brings it back")
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
func (r *Rekeyer) opens(ctx context.Context, sealer Sealer, folder PlanAttempt) error {
	receipt, err := DecodeReceipt(ctx, r.Store, folder)
	if err != nil {
		return err
	}
	return Unseal(ctx, r.Store, sealer, folder.Key(ObjectErrored), BindTo(receipt, ObjectErrored), io.Discard)
}
