package request

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestPullRequestCalls holds that a run which is repeated with nothing changed
// does not cost more than the first one.
func TestPullRequestCalls(t *testing.T) {
	t.Parallel()
	counted := fixture.CountPullRequest(t)
	sum := func(steps []fixture.StepCalls) (reads, writes int) {
		for _, s := range steps {
			reads, writes = reads+s.Reads, writes+s.Writes
		}
		return reads, writes
	}
	t.Logf("first %+v", counted.First)
	t.Logf("again %+v", counted.Again)
	reads, writes := sum(counted.First)
	again, rewritten := sum(counted.Again)
	if reads == 0 || writes == 0 || again > reads || rewritten >= writes {
		t.Errorf("first %d reads and %d writes, again %d and %d", reads, writes, again, rewritten)
	}
	if counted.FirstStatus <= 0 {
		t.Errorf("the first status came after %s", counted.FirstStatus)
	}
}
