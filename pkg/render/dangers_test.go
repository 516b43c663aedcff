package render

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestDangerStages: what is done never stands among what is still to come.
func TestDangerStages(t *testing.T) {
	t.Parallel()
	var all []dangerous
	for _, o := range []pipeline.Outcome{pipeline.OutcomeApplied, pipeline.OutcomeWaiting, pipeline.OutcomeExpired, pipeline.OutcomeApplied, pipeline.OutcomePlanned} {
		all = append(all, dangerous{t: &pipeline.TargetReport{Outcome: o}, c: &pipeline.ResourceChange{Action: pipeline.ActionDelete}})
	}
	titles := [3]string{signCare + " Destroys and replaces", signCare + " Planned destroys and replaces", signDestroy + " Destroyed and replaced"}
	for i, g := range dangerStages(all) {
		if want := [3]int{2, 1, 2}[i]; len(g) != want {
			t.Fatalf("stage %d has %d, want %d", i, len(g), want)
		}
		if got := dangersTitle(g); got != titles[i] {
			t.Errorf("stage %d: %s", i, got)
		}
	}
}
