package pipeline

import (
	"bytes"
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
// remember is written anew by each scan.
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
	for _, record := range r.Records {
		if record.State == state {
			n++
		}
	}
	return n
}

// Run looks at the store, and with apply seals again what has to last. A record that no
// key at hand opens, or that was changed, is never sealed again. targets holds the
// environments of each customer. On an error the result holds what was seen until then.
func (r *Rekeyer) Run(ctx context.Context, targets map[CustomerName][]Environment, apply bool) (RekeyResult, error) {
	result := RekeyResult{Records: []RekeyRecord{}}
	customers := make([]CustomerName, 0, len(targets))
	for c := range targets {
		customers = append(customers, c)
	}
	slices.Sort(customers)
	for _, c := range customers {
		if err := r.requests(ctx, c, &result); err != nil {
			return result, err
		}
		for _, env := range targets[c] {
			if err := r.lastApply(ctx, c, env, apply, &result); err != nil {
				return result, err
			}
			if err := r.kept(ctx, c, env, &result); err != nil {
				return result, err
			}
		}
	}
	result.Removable = len(result.Records) == result.Count(RekeyDone)
	return result, nil
}

// judge says how a record stands that the first key alone, and all keys, read with these
// errors; false where it is under the first key. Other errors are returned.
func judge(key string, first, all error, old RekeyState, until string) (RekeyRecord, bool, error) {
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

// opened is a record of the last apply with its variables.
type opened struct {
	record    lastApply
	variables []byte
	found     bool
}

func openLastApply(ctx context.Context, s records, c CustomerName, env Environment) (opened, error) {
	record, found, err := loadLastApply(ctx, s, c, env)
	if err != nil || !found {
		return opened{}, err
	}
	variables, err := record.variables(ctx, s, s.Sealer)
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%s: %w: the variables of the last apply are gone", record.Variables, ErrTampered)
	}
	return opened{record, variables, true}, err
}

func (r *Rekeyer) lastApply(ctx context.Context, c CustomerName, env Environment, apply bool, result *RekeyResult) error {
	keys, err := r.Store.List(ctx, lastApplyPrefix(c, env))
	if err != nil {
		return fmt.Errorf("look for the last apply of %s: %w", targetName(c, env), err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasSuffix(key, ".json") })
	if len(keys) == 0 {
		return nil
	}
	result.Checked++
	newest := keys[len(keys)-1]
	_, first := openLastApply(ctx, records{r.Store, r.First}, c, env)
	last, all := openLastApply(ctx, records{r.Store, r.All}, c, env)
	record, is, err := judge(newest, first, all, RekeyOld, "run `metapipe rekey --apply`")
	if err != nil || !is {
		return err
	}
	if apply && record.State == RekeyOld && last.found {
		if err := r.reseal(ctx, c, env, newest, last); err != nil {
			return fmt.Errorf("seal %s again: %w", newest, err)
		}
		record.State, record.Until = RekeyDone, ""
	}
	result.Records = append(result.Records, record)
	return nil
}

// reseal writes the variables first: a record without them never stands.
func (r *Rekeyer) reseal(ctx context.Context, c CustomerName, env Environment, newest string, last opened) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	name, _, _ := strings.Cut(strings.TrimSuffix(newest, ".json"), rekeyed)
	base := name + rekeyed + r.Now().UTC().Format(lastApplyTimes)
	s := records{r.Store, r.First}
	record := last.record
	record.Variables = base + ".variables"
	if err := sealInto(ctx, s, r.First, record.Variables, binding(record.Receipt, objectVariables), bytes.NewReader(last.variables)); err != nil {
		return err
	}
	return s.create(ctx, lastApplyRecord(c, env), base+".json", record)
}

// rekeyed stands in the names of records that were sealed again. It sorts behind ".json",
// so that they come after the record that they were made of.
const rekeyed = ".rekeyed-"

// requests reports the open requests under an older key.
func (r *Rekeyer) requests(ctx context.Context, c CustomerName, result *RekeyResult) error {
	entries, err := openEntries(ctx, r.Store, openPrefix(c))
	if err != nil {
		return err
	}
	for _, e := range entries {
		key := requestKey(c, e.request)
		result.Checked++
		_, first := e.load(ctx, records{r.Store, r.First})
		_, all := e.load(ctx, records{r.Store, r.All})
		if errors.Is(first, ErrNotFound) {
			continue // the sweep removes such an entry
		}
		record, is, err := judge(key, first, all, RekeyWaits, "until the request is closed, and its plan applied or expired")
		if err != nil {
			return err
		}
		if is {
			result.Records = append(result.Records, record)
		}
	}
	return nil
}

// kept reports states that wait to be brought back and are under an older key.
func (r *Rekeyer) kept(ctx context.Context, c CustomerName, env Environment, result *RekeyResult) error {
	keys, err := r.Store.List(ctx, KeptPrefix(c, env))
	if err != nil {
		return fmt.Errorf("look for kept states of %s: %w", targetName(c, env), err)
	}
	for _, key := range keys {
		prefix, is := strings.CutSuffix(key, objectErrored)
		if !is || slices.Contains(keys, prefix+objectRecovered) {
			continue
		}
		result.Checked++
		folder := planning{customer: c, env: env, prefix: prefix}
		record, is, err := judge(key, r.opens(ctx, r.First, folder), r.opens(ctx, r.All, folder), RekeyWaits, "until `metapipe state recover` brings it back")
		if err != nil {
			return err
		}
		if is {
			result.Records = append(result.Records, record)
		}
	}
	return nil
}

// opens reads a kept state to its end.
func (r *Rekeyer) opens(ctx context.Context, sealer Sealer, folder planning) error {
	receipt, err := parseReceipt(ctx, r.Store, folder)
	if err != nil {
		return err
	}
	return unseal(ctx, r.Store, sealer, folder.key(objectErrored), binding(receipt, objectErrored), io.Discard)
}
