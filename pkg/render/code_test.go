package render_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestCodeStaysWithTheOperator: a failure shows a customer what the tool said and about
// which resource, and no line of the manager's code.
func TestCodeStaysWithTheOperator(t *testing.T) {
	t.Parallel()
	d := pipeline.Diagnostic{
		Summary: "Invalid function argument", Detail: "No file exists at this place.", Address: "x_box.a",
		Where: pipeline.Position{File: "terraform/main.tf", Line: 7}, Code: `token = file("${path.module}/internal/token")`,
	}
	failed := map[string]pipeline.TargetReport{
		"apply": {Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomeFailed, Diagnostics: []pipeline.Diagnostic{d}},
		"plan":  {Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomeFailed, Plan: &pipeline.Plan{Errored: true, Diagnostics: []pipeline.Diagnostic{d}}},
	}
	for name, target := range failed {
		rep := pipeline.Report{Request: pipeline.Request{Customer: "shop"}, Targets: []pipeline.TargetReport{target}}
		comment, summary := render.Renderer{}.Comment(rep), render.Renderer{}.Summary(rep)
		for _, want := range []string{d.Summary, d.Detail, d.Address} {
			if !strings.Contains(comment, want) {
				t.Errorf("%s: the comment lacks %q:\n%s", name, want, comment)
			}
		}
		if strings.Contains(comment, "internal/token") {
			t.Errorf("%s: the comment shows code:\n%s", name, comment)
		}
		if !strings.Contains(summary, "internal/token") {
			t.Errorf("%s: the summary lacks the code:\n%s", name, summary)
		}
	}
}
