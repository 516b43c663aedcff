package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Ledger is the append-only record of what was asked of a target, who decided
// and what was done: one write-once object per event, each holding the hash of
// the one before it.
type Ledger struct {
	Store Store
	Now   func() time.Time
}

// LedgerEvent says what an entry records.
type LedgerEvent string

// The events of a target.
const (
	LedgerRequested  LedgerEvent = "requested"  // a request with a proved origin was accepted for it
	LedgerPlanned    LedgerEvent = "planned"    // a plan ended, well or not
	LedgerApproved   LedgerEvent = "approved"   // people let the apply pass its gate
	LedgerApplying   LedgerEvent = "applying"   // the plan is used from here on
	LedgerApplied    LedgerEvent = "applied"    // the apply ended well
	LedgerRefused    LedgerEvent = "refused"    // the plan may not be applied; the reason says why
	LedgerFailed     LedgerEvent = "failed"     // a plan or an apply failed or was stopped
	LedgerSuperseded LedgerEvent = "superseded" // a newer request took its place
	LedgerClosed     LedgerEvent = "closed"     // nobody will finish it any more: the finaliser or the sweep says so
	LedgerUnlocked   LedgerEvent = "unlocked"   // a lock of the state was released by hand or by the sweep
	LedgerRecovered  LedgerEvent = "recovered"  // a kept state was brought back
	LedgerRejected   LedgerEvent = "rejected"   // a request was not accepted
)

// LedgerEntry is one record. Append fills in Version, Sequence, Previous and At.
type LedgerEntry struct {
	Version     int          `json:"version"`  // 1
	Sequence    int          `json:"sequence"` // 1 for the first of its target
	Previous    string       `json:"previous"` // SHA-256 of the entry before it, hexadecimal; empty for the first
	At          time.Time    `json:"at"`
	Event       LedgerEvent  `json:"event"`
	Customer    CustomerName `json:"customer"`
	Environment Environment  `json:"environment"`
	Request     RequestID    `json:"request,omitempty"`
	Commit      SHA          `json:"commit,omitempty"`
	Actor       string       `json:"actor,omitempty"` // who asked, approved or did it
	Receipt     string       `json:"receipt,omitempty"`
	Outcome     Outcome      `json:"outcome,omitempty"`
	Reason      Reason       `json:"reason,omitempty"`
	Message     string       `json:"message,omitempty"`
	Run         Run          `json:"run,omitzero"`
}

// LedgerHead names the last entry of a target's ledger. Kept where the writer of
// the store cannot change it, it makes a rewritten ledger visible.
type LedgerHead struct {
	Sequence int    `json:"sequence"`
	SHA256   string `json:"sha256"`
}

func ledgerPrefix(c CustomerName, env Environment) string {
	return fmt.Sprintf("%s/%s/ledger/", c, env)
}

func ledgerKey(c CustomerName, env Environment, sequence int) string {
	return fmt.Sprintf("%s%010d.json", ledgerPrefix(c, env), sequence)
}

// Append adds an entry at the end of its target's ledger. When two append at
// once, one goes behind the other.
func (l Ledger) Append(ctx context.Context, e LedgerEntry) (LedgerHead, error) {
	fail := func(err error) (LedgerHead, error) {
		return LedgerHead{}, fmt.Errorf("record %q in the ledger of %s/%s: %w", e.Event, e.Customer, e.Environment, err)
	}
	head, err := l.Head(ctx, e.Customer, e.Environment)
	for err == nil {
		e.Version, e.At = 1, l.Now().UTC()
		e.Sequence, e.Previous = head.Sequence+1, head.SHA256
		var b []byte
		if b, err = json.Marshal(e); err != nil {
			break
		}
		err = l.Store.Create(ctx, ledgerKey(e.Customer, e.Environment, e.Sequence), bytes.NewReader(b))
		if err == nil {
			return LedgerHead{Sequence: e.Sequence, SHA256: sha256Hex(b)}, nil
		}
		if errors.Is(err, ErrExists) { // somebody was quicker
			head, err = l.Head(ctx, e.Customer, e.Environment)
		}
	}
	return fail(err)
}

// Head returns the last entry's number and hash; zero for an empty ledger.
func (l Ledger) Head(ctx context.Context, c CustomerName, env Environment) (LedgerHead, error) {
	keys, err := l.Store.List(ctx, ledgerPrefix(c, env))
	if err != nil || len(keys) == 0 {
		return LedgerHead{}, err
	}
	b, err := readAll(ctx, l.Store, keys[len(keys)-1])
	if err != nil {
		return LedgerHead{}, err
	}
	e, err := parseLedgerEntry(b)
	return LedgerHead{Sequence: e.Sequence, SHA256: sha256Hex(b)}, err
}

// ErrBrokenLedger is what Read returns (wrapped) when an entry is missing, was
// changed or belongs elsewhere.
var ErrBrokenLedger = errors.New("the ledger is not whole")

// Read returns the entries of a target, oldest first, as far as the chain holds;
// a chain that does not hold is ErrBrokenLedger beside them.
func (l Ledger) Read(ctx context.Context, c CustomerName, env Environment) ([]LedgerEntry, LedgerHead, error) {
	keys, err := l.Store.List(ctx, ledgerPrefix(c, env))
	if err != nil {
		return nil, LedgerHead{}, err
	}
	var (
		entries []LedgerEntry
		head    LedgerHead
	)
	for i, key := range keys {
		b, err := readAll(ctx, l.Store, key)
		if err != nil {
			return entries, head, err
		}
		e, err := parseLedgerEntry(b)
		switch {
		case err != nil:
			return entries, head, fmt.Errorf("%w: %s: %w", ErrBrokenLedger, key, err)
		case key != ledgerKey(c, env, i+1) || e.Sequence != i+1 || e.Customer != c || e.Environment != env:
			return entries, head, fmt.Errorf("%w: entry %d of %s/%s is missing or belongs elsewhere (found %s)", ErrBrokenLedger, i+1, c, env, key)
		case e.Previous != head.SHA256:
			return entries, head, fmt.Errorf("%w: entry %d of %s/%s does not follow entry %d", ErrBrokenLedger, e.Sequence, c, env, e.Sequence-1)
		}
		entries, head = append(entries, e), LedgerHead{Sequence: e.Sequence, SHA256: sha256Hex(b)}
	}
	return entries, head, nil
}

func parseLedgerEntry(b []byte) (LedgerEntry, error) {
	var e LedgerEntry
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return LedgerEntry{}, fmt.Errorf("ledger entry: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF || e.Version != 1 {
		return LedgerEntry{}, errors.New("ledger entry: not in the form of this metapipe")
	}
	return e, nil
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
