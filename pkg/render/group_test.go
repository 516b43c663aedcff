package render_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestOneCauseStandsOnce: 200 instances that one key destroys stand under it, and each
// address is there.
func TestOneCauseStandsOnce(t *testing.T) {
	t.Parallel()
	cause := func(line int) []pipeline.Cause {
		return []pipeline.Cause{{Path: "zones", Where: pipeline.Position{File: "variables.yml", Line: line}, Before: pipeline.Value{Text: "1"}, After: pipeline.Value{Text: "2"}}}
	}
	for action, sentence := range map[pipeline.Action]string{
		pipeline.ActionDelete: "**destroy** 200 instances of `x_box.all`", pipeline.ActionReplace: "**replace** 200 instances of `x_box.all`",
		pipeline.ActionUpdate: "The 200 instances of `x_box.all`: because you changed", pipeline.ActionCreate: "The 200 instances of `x_box.all`: because you changed",
	} {
		t.Run(string(action), func(t *testing.T) {
			t.Parallel()
			plan := &pipeline.Plan{Complete: true}
			for i := range 200 {
				plan.Changes = append(plan.Changes, pipeline.ResourceChange{Address: fmt.Sprintf("x_box.all[%03d]", i), Action: action, Causes: cause(4)})
				plan.Counts.Add(action)
			}
			plan.Changes = append(plan.Changes, pipeline.ResourceChange{Address: "x_box.all[900]", Action: action, Causes: cause(5)})
			plan.Counts.Add(action)
			text := render.Renderer{}.Comment(reportOf(pipeline.TargetReport{Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomePlanned, Plan: plan}))
			if n := strings.Count(text, "(line 4)"); n != 1 || strings.Count(text, sentence) != 1 || !strings.Contains(text, "(line 5)") {
				t.Errorf("the cause stands %d times:\n%s", n, text)
			}
			for i := range plan.Changes {
				if !strings.Contains(text, "`"+plan.Changes[i].Address+"`") {
					t.Errorf("%s is not there", plan.Changes[i].Address)
				}
			}
			checkMarkdown(t, text)
		})
	}
}
