package pipelinetest

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Sign writes a record as a command would have.
func (w *Setup) Sign(key, body string) {
	w.T.Helper()
	if err := CreateRecord(context.Background(), w.Store, w.Sealer, "acme", key, json.RawMessage(body)); err != nil {
		w.T.Fatal(err)
	}
}

// placeOf is where a record lies: its customer, and its environment and stack when the key
// names them.
func placeOf(c pipeline.CustomerName, key string) record.PlanAttempt {
	p := record.PlanAttempt{Target: pipeline.Target{Customer: c}}
	if parts := strings.Split(key, "/"); len(parts) > 3 && (parts[2] == "plans" || parts[2] == "kept" || parts[2] == "applied" || parts[2] == "queue") {
		if t, err := c.ParsePart(parts[1]); err == nil {
			p.Target = t
		}
	}
	return p
}

// RecordsOf reads and writes the records in a store.
func RecordsOf(s pipeline.Store, sealer pipeline.Sealer) record.Records {
	return record.Records{Store: s, Sealer: sealer}
}

// CreateRecord writes a record as the commands do, with its signature.
func CreateRecord(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, c pipeline.CustomerName, key string, value any) error {
	return RecordsOf(s, sealer).CreateRecord(ctx, placeOf(c, key), key, value)
}

// ReadRecord reads a record as the commands do.
func ReadRecord(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, c pipeline.CustomerName, key string, into any) error {
	return RecordsOf(s, sealer).ReadRecord(ctx, placeOf(c, key), key, into)
}

// LastApplyOf is what a drift scan reports of the last apply.
func LastApplyOf(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, t pipeline.Target) (record.DriftLastApply, error) {
	last, _, err := record.LoadLastApply(ctx, RecordsOf(s, sealer), t)
	return *last.ForDrift(), err
}
