package render

import "github.com/metapipe/metapipe/pkg/pipeline"

// inexact is what an approver must know of a plan that is not exact; encoded.
func inexact(t pipeline.TargetReport) []string {
	word, sentence := t.Plan.Exactness, t.Plan.Exactness.Sentence()
	switch {
	case sentence == "":
		return nil
	case !word.Known():
		return []string{signCare + " **" + sentence + "**"}
	}
	return []string{signCare + " **This plan is " + string(word) + ", not exact.** " + sentence}
}

// planKind names a plan that is not exact, as "bound plan"; empty for an exact one.
func planKind(p pipeline.Plan) string {
	switch {
	case p.Exactness == pipeline.ExactnessExact:
		return ""
	case !p.Exactness.Known():
		return "plan of unknown exactness"
	}
	return string(p.Exactness) + " plan"
}
