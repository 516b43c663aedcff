package render_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestUnknownMemberWithoutChanges: what this version cannot read is named also where the
// tool has nothing to apply.
func TestUnknownMemberWithoutChanges(t *testing.T) {
	t.Parallel()
	body := render.Renderer{}.Plan(pipeline.TargetReport{Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomeNoChanges, Plan: &pipeline.Plan{Complete: true, Unknown: []string{"later_news"}}})
	for _, want := range []string{"⚠️", "`later_news`", "nothing to apply, so nothing is applied"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in:\n%s", want, body)
		}
	}
	if strings.Contains(body, "before you approve") {
		t.Errorf("the text asks for an approval:\n%s", body)
	}
}
