package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

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

// Finish appends how an apply ended, when the ledger knows of its beginning alone.
func (l Ledger) Finish(ctx context.Context, e Entry) error {
	seen := l
	if l.Seen != nil {
		seen.Store = l.Seen
	}
	tip, err := seen.Tip(ctx, e.Target)
	if err != nil {
		return fmt.Errorf("read the ledger of %s: %w", Name(e.Target), err)
	}
	if p, open := tip.Fold.Plan(e.Request); !open || !p.Applying || p.Attempt != e.Attempt {
		return nil
	}
	_, err = l.AppendAfter(ctx, tip, e)
	return err
}
