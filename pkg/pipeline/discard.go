package pipeline

import "context"

// SecretObjects are the parts of a plan that only its apply needs. The model stays,
// from which later reports are rendered, and so does the receipt, with which later
// plans are compared.
func SecretObjects() []string { return []string{ObjectPlan, ObjectPlanJSON, ObjectBundle} }

// discard deletes the plans of a final report that no apply will ever take. What
// cannot be deleted now goes with the lifecycle of the store, so that is no failure
// of the report.
func (r *Reporter) discard(ctx context.Context, report collected) {
	for _, t := range report.targets {
		if !t.isUnusable() {
			continue
		}
		for _, object := range SecretObjects() {
			if !t.folder.Has(object) {
				continue
			}
			if err := r.Store.Delete(ctx, t.folder.Key(object)); err != nil {
				r.Logf("the plan of %s/%s is of no use any more and could not be deleted: %v", report.Request.Customer, t.Environment, err)
				break
			}
		}
	}
}

// isUnusable reports whether the plan cannot be applied any more. One that was only
// cancelled, or that a reviewer declined, can: its job may be run again.
func (t target) isUnusable() bool {
	if t.Reason == ReasonUnknownKey { // with its key it is what it was
		return false
	}
	if !t.attempt.Free() {
		return t.Outcome.Final()
	}
	switch t.Outcome {
	case OutcomePlanned, OutcomeNoChanges, OutcomeExpired, OutcomeSuperseded:
		return true
	case OutcomeRefused:
		return t.Reason.IsPermanent()
	}
	return false
}
