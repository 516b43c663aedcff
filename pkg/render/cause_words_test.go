package render_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestCauseWithoutMembers: a list without values was changed, and nothing was added to
// it or removed from it.
func TestCauseWithoutMembers(t *testing.T) {
	t.Parallel()
	for _, action := range []pipeline.Action{pipeline.ActionDelete, pipeline.ActionReplace, pipeline.ActionUpdate, pipeline.ActionCreate} {
		plan := &pipeline.Plan{Complete: true, Changes: []pipeline.ResourceChange{{Address: "x_box.a", Action: action,
			Causes: []pipeline.Cause{{Path: "dbs", Where: pipeline.Position{File: "variables.yml", Line: 3}}}}}}
		plan.Counts.Add(action)
		text := render.Renderer{}.Comment(reportOf(pipeline.TargetReport{Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomePlanned, Plan: plan}))
		if !strings.Contains(strings.ToLower(text), "because you changed `dbs` (line 3)") || strings.Contains(text, "`dbs` (line 3) from") {
			t.Errorf("%s:\n%s", action, text)
		}
		checkMarkdown(t, text)
	}
}
