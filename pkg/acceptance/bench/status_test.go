package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// status asks for the status of 1,000 targets in a directory, every fiftieth customer with ledgers
// of 100 entries.
func (b *bench) status(t *testing.T) {
	manager := filepath.Join(b.dir, "status")
	states := filepath.Join(manager, "states")
	for _, dir := range []string{"customers", "terraform", "states"} {
		if err := os.MkdirAll(filepath.Join(manager, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(manager, "metapipe.yml"), "environments:\n  - {name: staging}\n  - {name: production, gated: true}\n")
	writeFile(t, filepath.Join(manager, "terraform", "main.tf"), "")
	s, err := store.NewDirectory(states)
	if err != nil {
		t.Fatal(err)
	}
	key := store.NewKey()
	sealer, err := store.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		name := fmt.Sprintf("c%04d", i)
		writeFile(t, filepath.Join(manager, "customers", name+".yml"), fmt.Sprintf("repository: acme/%s\nrepository_id: %d\n", name, 1000+i))
		for _, env := range []pipeline.Environment{"staging", "production"} {
			entries := 1
			if i%50 == 0 {
				entries = 100
			}
			fillLedger(t, record.Records{Store: s, Sealer: sealer}, pipeline.CustomerName(name).In(env), entries)
		}
	}
	b.env = append(slices.Clip(b.env), "METAPIPE_KEY="+key.Secret())
	best := time.Hour
	for range 3 {
		best = min(best, b.run(t, manager, nil, b.metapipe, "status", "--store", states))
	}
	b.add(t, row{name: "status of 1,000 targets in a directory", measured: best.Seconds(), aim: 1, limit: 3, unit: "s"})
}

func fillLedger(t *testing.T, s record.Records, target pipeline.Target, entries int) {
	t.Helper()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	chain := ledger.Ledger{Records: s, Now: func() time.Time { at = at.Add(time.Second); return at }}
	var tip ledger.Tip
	for range entries {
		e := ledger.Entry{Event: ledger.Failed, Target: target, Actor: "dev"}
		next, err := chain.AppendAfter(t.Context(), tip, e)
		if err != nil {
			t.Fatal(err)
		}
		tip = next
	}
}
