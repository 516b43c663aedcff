package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestOperatorStepsStayWithTheManager: a report names no command that only the operator
// can run. The error, which the log of the manager shows, does.
func TestOperatorStepsStayWithTheManager(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan, apply    error
		says, operator string
	}{
		"lock of nobody in plan":    {plan: &pipeline.FailedError{Message: "locked", Lock: &pipeline.Lock{ID: "l-1"}}, says: "metapipe unlock"},
		"lock of somebody in plan":  {plan: &pipeline.FailedError{Message: "locked", Lock: &pipeline.Lock{ID: "l-1", Who: "me@laptop", Created: time.Unix(1e9, 0)}}, says: "metapipe unlock"},
		"lock of somebody in apply": {apply: &pipeline.FailedError{Message: "locked", Lock: &pipeline.Lock{ID: "l-1", Who: "me@laptop", Created: time.Unix(1e9, 0)}}, says: "metapipe unlock"},
		"step of an engine":         {apply: &pipeline.FailedError{Message: "not read back", Next: "wait", Operator: "run metapipe state list"}, says: "metapipe state list", operator: "metapipe state list"},
		"a configuration":           {plan: &pipeline.UsageError{Message: "the tool is too old", Next: "change tool.version in metapipe.yml"}, says: "tool.version", operator: "tool.version"},
		"one behind a step":         {plan: fmt.Errorf("plan: %w", &pipeline.UsageError{Message: "no space", Next: "name another one with --work-dir"}), says: "--work-dir", operator: "--work-dir"},
		"advice of a diagnostic": {plan: &pipeline.FailedError{Message: "init failed", Next: pipeline.ProviderNext, Operator: "set limits.plan_timeout", Diagnostics: []pipeline.Diagnostic{
			{Summary: "none", Remedy: pipeline.ProviderNext, Operator: "run terraform providers lock"}}}, says: "limits.plan_timeout", operator: "limits.plan_timeout"},
		"a log": {plan: &pipeline.FailedError{Message: "broken", Next: "correct it"}, says: "correct it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Engine.LogText = "what the tool prints"
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			if c.plan != nil {
				w.Engine.PlanErr = c.plan
			}
			if c.apply != nil {
				w.Engine.ApplyErr = c.apply
			}
			_, err := w.Plan(request, "staging")
			if c.apply != nil {
				_, err = w.Apply(w.Target(request, "staging"))
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the operator reads %v", err)
			}
			rep := w.Report(request, true)
			shown := render.Renderer{}.Comment(rep) + render.Renderer{}.Status(rep, rep.Request.Customer.In("staging")) + render.Renderer{}.Status(rep, pipeline.Target{})
			for _, comment := range w.Hub.CommentList {
				shown += comment.Body
			}
			if c.operator != "" && (strings.Contains(shown, c.operator) || !strings.Contains(render.Renderer{}.Summary(rep), c.operator)) {
				t.Errorf("the customer reads\n%s\nand the summary of the manager is\n%s", shown, render.Renderer{}.Summary(rep))
			}
			if got := rep.Targets[0]; got.Outcome != pipeline.OutcomeFailed || got.Next == "" {
				t.Errorf("reported as %+v", got)
			}
			if strings.Contains(shown, "metapipe unlock") || strings.Contains(shown, "metapipe state") {
				t.Errorf("the customer reads %s", shown)
			}
		})
	}
}
