package drift

import (
	"context"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// Scans are the drift scans in a store.
func Scans(store pipeline.Store, sealer pipeline.Sealer, now func() time.Time) scans.Scans {
	return scans.Scans{Records: record.Records{Store: store, Sealer: sealer}, Now: now, Command: "metapipe drift", Prefix: "_metapipe/scans/"}
}

// Issues is what the last run knew of the drift issues of all targets, by their names. It is
// an error where that cannot be read.
func Issues(ctx context.Context, store pipeline.Store, sealer pipeline.Sealer, now func() time.Time) (issues.Book, error) {
	return issues.Keeper{Kind: issueKind, Records: record.Records{Store: store, Sealer: sealer}, Now: now}.Known(ctx)
}

// Observation is what the fleet remembers of a result.
func (r Result) Observation() scans.Observation {
	o := scans.Observation{Target: scans.Target{Target: r.Target}, Failed: r.Failure != nil, CheckedAt: r.CheckedAt, Duration: r.Duration}
	for _, kind := range r.Kinds {
		o.Kinds = append(o.Kinds, string(kind))
	}
	return o
}

// Summarize collects what all shards of a scan found, in the order of the names of the
// targets, and writes the history that the next scan builds on. Run again it returns the
// same.
func Summarize(ctx context.Context, stored scans.Scans, id string, customers []pipeline.Customer) (Scan, error) {
	merged, err := scans.Merge[Result](ctx, stored, id)
	if err != nil {
		return Scan{}, err
	}
	now := stored.Now().UTC()
	scan := Scan{ID: id, Manager: merged.Scan.Manager, ManagerCommit: merged.Scan.ManagerCommit, StartedAt: merged.Scan.StartedAt, EndedAt: now,
		Results: merged.Results, Missing: merged.Missing, Before: merged.Before, ExpiredRules: pipeline.ExpiredRules(customers, now), EndingRules: pipeline.EndingRules(customers, now)}
	for i := range scan.Results {
		r := &scan.Results[i]
		r.FirstSeen = merged.FirstSeen[r.Target.String()]
	}
	return scan, nil
}
