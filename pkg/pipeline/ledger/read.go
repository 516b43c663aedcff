package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Tip returns the last entry of a ledger, and verifies it. One without a valid seal is
// ErrTampered. Behind one under a key that is not at hand, which is ErrUnknownKey, the tip
// says what is there, and that is not verified.
func (l Ledger) Tip(ctx context.Context, t pipeline.Target) (Tip, error) {
	return l.tip(ctx, t, 0)
}

// tip is Tip of a ledger that has an entry with a number.
func (l Ledger) tip(ctx context.Context, t pipeline.Target, known int) (Tip, error) {
	length, err := l.length(ctx, t, known)
	if err != nil || length == 0 {
		return Tip{}, err
	}
	read := l.entry(ctx, t, length)
	if read.err != nil {
		return Tip{}, read.err
	}
	tip := Tip{LedgerHead: pipeline.LedgerHead{Sequence: read.Sequence, SHA256: read.sum}, Last: read.Entry}
	signed, err := l.lastSigned(ctx, read)
	if err != nil {
		return Tip{}, err
	}
	tip.Fold = signed.Fold
	if err = l.verify(ctx, signed); err != nil && !errors.Is(err, pipeline.ErrUnknownKey) {
		return Tip{}, err
	}
	return tip, err
}

// lastSigned goes back from an entry to the last one that carries a seal. It is the entry
// itself in most cases, and the zero entry where there is none.
func (l Ledger) lastSigned(ctx context.Context, at readEntry) (readEntry, error) {
	for back := 0; at.isUnsigned(); back++ {
		if at.Sequence == 1 {
			return readEntry{}, nil
		}
		if back == maxLookBack {
			return readEntry{}, fmt.Errorf("%w: entry %d and the %d before it carry no seal", ErrBroken, at.Sequence, back)
		}
		if at = l.readBefore(ctx, at.Entry); at.err != nil {
			return readEntry{}, at.err
		}
	}
	return at, nil
}

// verify checks the seal of an entry.
func (l Ledger) verify(ctx context.Context, e readEntry) error {
	if e.Sequence == 0 || l.Sealer == nil {
		return nil
	}
	_, err := l.Verify(ctx, record.LedgerOf(e.Target), record.LedgerKey(e.Target, e.Sequence), e.stored)
	return err
}

// back goes from the last entry back to those of a time, and yields each until it has enough.
func (l Ledger) back(ctx context.Context, t pipeline.Target, since time.Time, yield func(Entry) bool) error {
	tip, err := l.Tip(ctx, t)
	if err != nil {
		return err
	}
	return l.backFrom(ctx, tip.Last, since, yield)
}

// backFrom is back from an entry that is believed.
func (l Ledger) backFrom(ctx context.Context, at Entry, since time.Time, yield func(Entry) bool) (err error) {
	for at.Sequence > 0 && (at.isUnsigned() || !at.At.Before(since.Add(-wrongClock))) && yield(at) && at.Sequence > 1 {
		if at, err = l.before(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// before is the entry in front of one that is believed.
func (l Ledger) before(ctx context.Context, e Entry) (Entry, error) {
	read := l.readBefore(ctx, e)
	return read.Entry, read.err
}

// readBefore reads the entry in front of one, which holds its hash.
func (l Ledger) readBefore(ctx context.Context, e Entry) readEntry {
	read := l.entry(ctx, e.Target, e.Sequence-1)
	if read.err == nil && read.sum != e.Previous {
		read.err = notFollowing(e.Sequence)
	}
	return read
}

func notFollowing(sequence int) error {
	return fmt.Errorf("%w: entry %d does not follow entry %d: one of the two was changed or replaced", ErrBroken, sequence, sequence-1)
}

// maxEntry is far more than an entry has: its texts are short lines.
const maxEntry = 64 << 10

// entry reads one entry, which must be of this ledger and in its place. It does not verify
// it.
func (l Ledger) entry(ctx context.Context, t pipeline.Target, sequence int) readEntry {
	key := record.LedgerKey(t, sequence)
	b, err := record.ReadAtMost(ctx, l.Store, key, maxEntry)
	if errors.Is(err, record.ErrTooLarge) {
		return readEntry{err: fmt.Errorf("%w: %w", ErrBroken, err)}
	}
	if err != nil {
		return readEntry{err: err}
	}
	content, err := record.Content(b)
	if err != nil {
		return readEntry{err: fmt.Errorf("%w: %s: ledger entry: %w", ErrBroken, key, err)}
	}
	e, err := parseEntry(content)
	if err != nil {
		return readEntry{err: fmt.Errorf("%w: %s: %w", ErrBroken, key, err)}
	}
	if e.Sequence != sequence || e.Target != t {
		return readEntry{err: fmt.Errorf("%w: %s holds entry %d of %s", ErrBroken, key, e.Sequence, Name(e.Target))}
	}
	return readEntry{Entry: e, stored: b, sum: pipeline.SHA256Hex(b)}
}

// ErrBroken is what Read returns (wrapped) when an entry is missing, was
// changed or belongs elsewhere.
var ErrBroken = errors.New("the ledger is not whole")

// Read returns the entries of a target, oldest first, as far as the chain holds;
// a chain that does not hold is ErrBroken beside them. A last entry without a valid seal is
// ErrTampered, and one under a key that is not at hand ErrUnknownKey, beside all of them.
func (l Ledger) Read(ctx context.Context, t pipeline.Target) ([]Entry, pipeline.LedgerHead, error) {
	keys, err := l.Store.List(ctx, record.LedgerPrefix(t))
	if err != nil {
		return nil, pipeline.LedgerHead{}, err
	}
	var (
		entries []Entry
		head    pipeline.LedgerHead
		signed  readEntry
	)
	last, gap := l.whole(ctx, t, keys)
	for first := 0; first < last; first += readAtOnce {
		for _, r := range l.some(ctx, t, first+1, min(readAtOnce, last-first)) {
			if r.err != nil {
				return entries, head, r.err
			}
			if r.Previous != head.SHA256 {
				return entries, head, notFollowing(r.Sequence)
			}
			if !r.isUnsigned() {
				signed = r
			}
			entries, head = append(entries, r.Entry), pipeline.LedgerHead{Sequence: r.Sequence, SHA256: r.sum}
		}
	}
	if gap != nil {
		return entries, head, gap
	}
	return entries, head, l.verify(ctx, signed)
}

// readAtOnce is how many entries are on their way at a time: each is an object.
const readAtOnce = 16

// readEntry is an entry with its stored form and the hash of that, or why there is none.
type readEntry struct {
	Entry
	stored []byte
	sum    string
	err    error
}

// some reads n entries from a number on.
func (l Ledger) some(ctx context.Context, t pipeline.Target, first, n int) []readEntry {
	read := make([]readEntry, n)
	var all sync.WaitGroup
	for i := range read {
		all.Go(func() { read[i] = l.entry(ctx, t, first+i) })
	}
	all.Wait()
	return read
}

// length is the number of the last entry, of which known is there. What was written while a folder
// was read may be left out of its list: behind an entry that is known to be there another one is
// looked for by its key.
func (l Ledger) length(ctx context.Context, t pipeline.Target, known int) (int, error) {
	key, err := l.Store.First(ctx, record.LedgerPrefix(t))
	if err != nil {
		return 0, err
	}
	last, is := record.LedgerSequence(t, key)
	if key != "" && !is {
		return 0, fmt.Errorf("%w: %s is no entry", ErrBroken, key)
	}
	for found := last < known; found; {
		last = max(last, known)
		if found, err = l.has(ctx, t, last+1); err != nil {
			return 0, err
		}
		if found {
			last++
		}
	}
	return last, nil
}

// whole returns how many of the first entries of a ledger are there without a gap, out of the keys
// that were listed, and says where the gap is.
func (l Ledger) whole(ctx context.Context, t pipeline.Target, keys []string) (int, error) {
	var foreign error
	last, listed := 0, map[int]bool{}
	for _, key := range keys {
		n, is := record.LedgerSequence(t, key)
		if !is {
			foreign = fmt.Errorf("%w: %s is no entry", ErrBroken, key)
			continue
		}
		last, listed[n] = max(last, n), true
	}
	for n := 1; n <= last; n++ {
		if listed[n] {
			continue
		}
		found, err := l.has(ctx, t, n) // it may have been written while the folder was read
		if err != nil {
			return 0, err
		}
		if !found {
			return n - 1, fmt.Errorf("%w: %s is missing; the last entry is %s", ErrBroken, record.LedgerKey(t, n), record.LedgerKey(t, last))
		}
	}
	return last, foreign
}

// has reports whether an entry is there, whatever it says.
func (l Ledger) has(ctx context.Context, t pipeline.Target, sequence int) (bool, error) {
	r, err := l.Store.Open(ctx, record.LedgerKey(t, sequence))
	if errors.Is(err, pipeline.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.Close()
}
