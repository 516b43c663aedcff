package pipeline_test

import (
	"context"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// placeOf is where a record lies: its customer, and its environment when the key names
// one.
func placeOf(c pipeline.CustomerName, key string) record.PlanAttempt {
	p := record.PlanAttempt{Customer: c}
	if parts := strings.Split(key, "/"); len(parts) > 3 && (parts[2] == "plans" || parts[2] == "kept" || parts[2] == "applied" || parts[2] == "queue") {
		p.Environment = pipeline.Environment(parts[1])
	}
	return p
}

func recordsOf(s pipeline.Store, sealer pipeline.Sealer) record.Records {
	return record.Records{Store: s, Sealer: sealer}
}

// createRecord writes a record as the commands do, with its signature.
func createRecord(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, c pipeline.CustomerName, key string, value any) error {
	return recordsOf(s, sealer).CreateRecord(ctx, placeOf(c, key), key, value)
}

// readRecord reads a record as the commands do.
func readRecord(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, c pipeline.CustomerName, key string, into any) error {
	return recordsOf(s, sealer).ReadRecord(ctx, placeOf(c, key), key, into)
}

// lastApplyOf is what a drift scan reports of the last apply.
func lastApplyOf(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, c pipeline.CustomerName, env pipeline.Environment) (record.DriftLastApply, error) {
	last, _, err := record.LoadLastApply(ctx, recordsOf(s, sealer), c, env)
	return *last.ForDrift(), err
}
