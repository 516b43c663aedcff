package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// ledgerRace lets several jobs record at once: no entry is lost, and the chain
// holds. Each job records twice, as one does that is run again.
func ledgerRace(t *testing.T, s pipeline.Store) {
	const jobs = 8
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	chain := ledger.Ledger{Records: record.Records{Store: s, Sealer: sealer}, Now: time.Now}
	var all sync.WaitGroup
	for n := range jobs {
		all.Go(func() {
			e := ledger.Entry{Event: ledger.Failed, Target: pipeline.Target{Customer: "acme", Environment: "staging"}, Run: pipeline.Run{ID: int64(n + 1)}}
			for range 2 {
				if _, err := chain.Append(t.Context(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	entries, head, err := chain.Read(t.Context(), pipeline.Target{Customer: "acme", Environment: "staging"})
	if err != nil || len(entries) != jobs || head.Sequence != jobs {
		t.Errorf("%d entries, head %+v: %v", len(entries), head, err)
	}
	runs := map[int64]bool{}
	for _, e := range entries {
		runs[e.Run.ID] = true
	}
	if len(runs) != jobs {
		t.Errorf("entries of %d jobs are there, want %d", len(runs), jobs)
	}
}
