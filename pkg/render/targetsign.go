package render

import "github.com/metapipe/metapipe/pkg/pipeline"

// targetSign is the sign of a target. A plan asks for care even when nothing went
// wrong: it destroys, replaces or invokes something, its checks fail, or it holds what
// this version cannot read.
func targetSign(t pipeline.TargetReport) string {
	planned := t.Outcome == pipeline.OutcomePlanned || t.Outcome == pipeline.OutcomeWaiting && t.Gated
	if planned && t.Plan != nil && careful(*t.Plan) {
		return signCare
	}
	if (t.Outcome == pipeline.OutcomePlanned || t.Outcome == pipeline.OutcomeNoChanges) && t.Plan != nil && (checkEntries(t.Plan.Checks).n > 0 || len(t.Plan.Unknown) > 0) {
		return signCare
	}
	return sign(t.Outcome)
}

// overallSign is the sign of a whole report.
func overallSign(r pipeline.Report) string {
	switch {
	case r.Request.Rejected():
		return signBad
	case len(r.Targets) == 0:
		return signGood
	}
	w := worst(r.Targets)
	if severity(w.Outcome) < 5 {
		return sign(w.Outcome)
	}
	for _, t := range r.Targets {
		if targetSign(t) == signCare && (w.Outcome.Final() || t.Outcome == pipeline.OutcomeWaiting) {
			return signCare
		}
	}
	return sign(w.Outcome)
}
