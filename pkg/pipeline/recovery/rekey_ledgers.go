package recovery

import (
	"context"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// ledgers adds an entry under the first key to each ledger whose last one is under an older
// key: the seal of the last entry verifies all before it.
func (r *Rekeyer) ledgers(ctx context.Context, keys []string, apply bool, result *RekeyResult) error {
	for _, t := range ledgersOf(keys) {
		if err := r.ledger(ctx, t, apply, result); err != nil {
			return err
		}
	}
	return nil
}

func (r *Rekeyer) ledger(ctx context.Context, t pipeline.Target, apply bool, result *RekeyResult) error {
	result.Checked++
	chain := func(sealer pipeline.Sealer) ledger.Ledger {
		return ledger.Ledger{Records: record.Records{Store: r.Store, Sealer: sealer}, Now: r.Now}
	}
	_, first := chain(r.First).Tip(ctx, t)
	tip, all := chain(r.All).Tip(ctx, t)
	listed := len(result.Records)
	err := result.add(ctx, resealed(lostApply), record.LedgerKey(t, max(tip.Sequence, 1)), first, all, apply, func(ctx context.Context) error {
		_, err := chain(r.All).Append(ctx, ledger.Entry{Event: ledger.Rekeyed, Target: t})
		return err
	})
	if err != nil || len(result.Records) == listed {
		return err
	}
	stored := &result.Records[listed]
	switch {
	case stored.State == RekeyUnknown && t.Environment == "":
		stored.State, stored.Until = RekeyUnused, "nothing: the next entry carries a new signature"
	case stored.State == RekeyUnknown && r.customer(t.Customer) == nil:
		stored.State, stored.Until = RekeyUnused, "nothing: no customer has the name"
	}
	return nil
}

// ledgersOf are the ledgers that keys of the store belong to, in the order of the keys.
func ledgersOf(keys []string) []pipeline.Target {
	var all []pipeline.Target
	for _, key := range keys {
		t, of, is := targetOfKey(key)
		if !is || of != "ledger" {
			name, rest, _ := strings.Cut(key, "/")
			c, err := pipeline.ParseCustomerName(name)
			if t = (pipeline.Target{Customer: c}); err != nil && name != string(record.FleetName) || !strings.HasPrefix(rest, "ledger/") {
				continue
			}
		}
		if !slices.Contains(all[max(0, len(all)-1):], t) {
			all = append(all, t)
		}
	}
	return all
}
