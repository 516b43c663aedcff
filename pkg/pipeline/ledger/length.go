package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// listPage is how many entries one question to the store lists: their keys have
// all digits but the last three in common. S3 answers as many in one call.
const listPage = 1000

// length is the number of the last entry. A ledger has no end, so it is not listed
// whole: a first page that is full is followed by few looks for where it ends.
func (l Ledger) length(ctx context.Context, t pipeline.Target) (int, error) {
	last, err := l.page(ctx, t, 0)
	if err != nil || last < listPage-1 {
		return last, err
	}
	pages, step := 0, 1 // entry pages×1000 is there, but for page 0, which has been seen
	for found := true; found; step *= 2 {
		if found, err = l.has(ctx, t, (pages+step)*listPage); err != nil {
			return 0, err
		}
		if found {
			pages += step
		}
	}
	for step /= 2; step > 0; step /= 2 { // the last look, and each half of it
		found, err := l.has(ctx, t, (pages+step)*listPage)
		if err != nil {
			return 0, err
		}
		if found {
			pages += step
		}
	}
	if pages == 0 {
		return last, nil
	}
	return l.page(ctx, t, pages)
}

// page returns the number of the last entry of a page, which must be there without
// a gap; 0 when the page is empty.
func (l Ledger) page(ctx context.Context, t pipeline.Target, page int) (int, error) {
	keys, err := l.Store.List(ctx, strings.TrimSuffix(record.LedgerKey(t, page*listPage), "000.json"))
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	return l.upTo(ctx, t, max(page*listPage, 1), keys) // there is no entry 0
}

// upTo returns the number of the last entry of a list that begins with entry
// first. What was written while a folder was read may be left out of its list, with
// a later entry in it: such an entry is looked for by its key.
func (l Ledger) upTo(ctx context.Context, t pipeline.Target, first int, keys []string) (int, error) {
	next := first
	for _, key := range keys {
		for ; key != record.LedgerKey(t, next); next++ {
			found, err := l.has(ctx, t, next)
			if err != nil {
				return 0, err
			}
			if !found {
				return next - 1, fmt.Errorf("%w: %s is missing; the next object is %s", ErrBroken, record.LedgerKey(t, next), key)
			}
		}
		next++
	}
	return next - 1, nil
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
