package publish

import (
	"context"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// discard deletes the plans of a final report, or of one that closes its request, that no
// apply will ever take. What
// cannot be deleted now goes with the lifecycle of the store, so that is no failure
// of the report.
func (r *Reporter) discard(ctx context.Context, report collected) {
	for _, t := range report.targets {
		if !t.isUnusable() || !slices.Contains(t.folder.Objects, record.ObjectArtifacts) {
			continue
		}
		if err := r.Store.Delete(ctx, t.folder.Key(record.ObjectArtifacts)); err != nil {
			r.Logf("the plan of %s is of no use any more and could not be deleted: %v", t, err)
		}
	}
}

// isUnusable reports whether the plan cannot be applied any more. One that was only
// cancelled, or that a reviewer declined, can: its job may be run again.
func (t target) isUnusable() bool {
	if t.Reason == pipeline.ReasonUnknownKey { // with its key it is what it was
		return false
	}
	if !t.attempt.Free() {
		return t.Outcome.Final()
	}
	switch t.Outcome {
	case pipeline.OutcomePlanned, pipeline.OutcomeNoChanges, pipeline.OutcomeExpired, pipeline.OutcomeSuperseded:
		return true
	case pipeline.OutcomeRefused:
		return t.Reason.IsPermanent()
	}
	return false
}
