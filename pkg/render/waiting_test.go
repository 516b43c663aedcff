package render_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestRejectedHasNoReceiptLine: nothing can be approved in a rejected request.
func TestRejectedHasNoReceiptLine(t *testing.T) {
	t.Parallel()
	rep := readCase[pipeline.Report](t, "testdata/waiting-approval.json")
	var r render.Renderer
	const line = "Before you approve a run, compare this code with the code in that run's plan job summary."
	if text := r.Comment(rep); !strings.Contains(text, line) {
		t.Errorf("the comment does not say where to compare the code:\n%s", text)
	}
	rep.Request.Reason = pipeline.ReasonInvalidVariables
	if text := r.Comment(rep); strings.Contains(text, line) {
		t.Errorf("a rejected request asks for an approval:\n%s", text)
	}
}

// TestPlanningIsNotCareful: the sign of care waits until someone can act on it.
func TestPlanningIsNotCareful(t *testing.T) {
	t.Parallel()
	rep := readCase[pipeline.Report](t, "testdata/waiting-approval.json")
	var r render.Renderer
	if text := r.Comment(rep); !strings.Contains(text, "## ⚠️ Infrastructure") {
		t.Errorf("no sign of care:\n%.200s", text)
	}
	for i := range rep.Targets {
		rep.Targets[i].Outcome = pipeline.OutcomePlanning
	}
	if text := r.Comment(rep); strings.Contains(text, "## ⚠️ Infrastructure") {
		t.Errorf("a sign of care while planning:\n%.200s", text)
	}
}
