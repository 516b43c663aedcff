package ledger

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// LookForLost compares a state with what the store remembers without a key: with the
// ledger, and with the names of the records of the last apply. It is for showing.
func LookForLost(ctx context.Context, s pipeline.Store, c pipeline.CustomerName, env pipeline.Environment, now pipeline.StateRecord, place string) (*pipeline.LostState, error) {
	known := Remembered{customer: c, environment: env}
	entry, left, err := (Ledger{Store: s}).LastState(ctx, c, env)
	if err != nil {
		return nil, fmt.Errorf("look for the last apply in the ledger of %s: %w", LedgerName(c, env), err)
	}
	if !left {
		keys, err := s.List(ctx, record.LastApplyPrefix(c, env))
		if err != nil {
			return nil, fmt.Errorf("look for the last apply of %s: %w", pipeline.TargetName(c, env), err)
		}
		for _, key := range keys {
			if at, ok := record.LastAppliedAt(key); ok {
				entry, left = LedgerEntry{Event: LedgerApplied, At: at}, true
			}
		}
	}
	if left {
		known.entry = &entry
	}
	return known.Lost(now, place), nil
}
