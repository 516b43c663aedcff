package scans

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// changedSince leaves out the targets that nothing was asked or applied for since a
// time. The store shows them, in two lists for each target and without a call to GitHub:
// a request is queued there when a customer's change is merged, and the last apply
// leaves its record. What was merged while a customer's workflow was switched off
// is not there; a scan of everything finds it.
func changedSince(ctx context.Context, s pipeline.Store, targets []Target, since time.Time) ([]Target, error) {
	changed, errs := make([]bool, len(targets)), make([]error, len(targets))
	turns := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i, t := range targets {
		turns <- struct{}{}
		all.Go(func() {
			changed[i], errs[i] = touchedSince(ctx, s, t, since)
			<-turns
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil && (ctx.Err() != nil || !slices.Contains(errs, nil)) {
		return nil, err
	}
	var left []Target
	for i, t := range targets {
		if changed[i] || errs[i] != nil { // it may have changed; the scan says what is wrong with it
			left = append(left, t)
		}
	}
	return left, nil
}

func touchedSince(ctx context.Context, s pipeline.Store, t Target, since time.Time) (bool, error) {
	for _, prefix := range []string{record.QueuePrefix(t.Target), record.LastApplyPrefix(t.Target)} {
		// Keys begin with their time. One that cannot be read stands behind those, and may
		// be new.
		keys, err := s.ListAfter(ctx, prefix, prefix+pipeline.OrderStart(since))
		if err != nil {
			return false, fmt.Errorf("look when %s changed: %w", t, err)
		}
		if len(keys) > 0 {
			return true, nil
		}
	}
	return false, nil
}
