package pipeline_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestOperatorStepsStayWithTheManager: a report names no command that only the operator
// can run. The error, which the log of the manager shows, does.
func TestOperatorStepsStayWithTheManager(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plan, apply *pipeline.FailedError
		says        string
	}{
		"lock of nobody in plan":    {plan: &pipeline.FailedError{Message: "locked", Lock: &pipeline.Lock{ID: "l-1"}}, says: "metapipe unlock"},
		"lock of somebody in plan":  {plan: &pipeline.FailedError{Message: "locked", Lock: &pipeline.Lock{ID: "l-1", Who: "me@laptop", Created: time.Unix(1e9, 0)}}, says: "metapipe unlock"},
		"lock of somebody in apply": {apply: &pipeline.FailedError{Message: "locked", Lock: &pipeline.Lock{ID: "l-1", Who: "me@laptop", Created: time.Unix(1e9, 0)}}, says: "metapipe unlock"},
		"step of an engine":         {apply: &pipeline.FailedError{Message: "not read back", Next: "wait", Operator: "run metapipe state list"}, says: "metapipe state list"},
		"a log":                     {plan: &pipeline.FailedError{Message: "broken", Next: "correct it"}, says: "correct it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.engine.says = "what the tool prints"
			request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
			if c.plan != nil {
				w.engine.planErr = c.plan
			}
			if c.apply != nil {
				w.engine.applyErr = c.apply
			}
			_, err := w.plan(request, "staging")
			if c.apply != nil {
				_, err = w.apply(w.target(request, "staging"))
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the operator reads %v", err)
			}
			report := w.report(request, true)
			shown := string(must[[]byte](t)(json.Marshal(report)))
			for _, comment := range w.hub.comments {
				shown += comment.Body
			}
			if got := report.Targets[0]; got.Outcome != pipeline.OutcomeFailed || got.Next == "" {
				t.Errorf("reported as %+v", got)
			}
			if strings.Contains(shown, "metapipe unlock") || strings.Contains(shown, "metapipe state") {
				t.Errorf("the customer reads %s", shown)
			}
		})
	}
}
