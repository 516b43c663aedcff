package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestAfreshByMode: a plan that may not be applied any more is followed by a push, and
// a destroy by a destroy, which only the provider starts.
func TestAfreshByMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []pipeline.Mode{pipeline.ModeApply, pipeline.ModePlan, pipeline.ModeDestroy} {
		next, operator := mode.Afresh(), mode.Restart()
		if isDestroy := mode == pipeline.ModeDestroy; strings.Contains(next, "push") == isDestroy || strings.Contains(next, "service provider") != isDestroy || (operator != "") != isDestroy {
			t.Errorf("%s: %q, operator %q", mode, next, operator)
		}
	}
}

// TestRefusedNextIsTheCustomers: an expired plan and one of an older manager say
// to the customer what they do next, in the mode of the request.
func TestRefusedNextIsTheCustomers(t *testing.T) {
	t.Parallel()
	cases := map[pipeline.Reason]func(w *pipelinetest.Setup, in *pipeline.TargetInput){
		pipeline.ReasonExpired: func(w *pipelinetest.Setup, _ *pipeline.TargetInput) { w.Now = w.Now.Add(1000 * time.Hour) },
		pipeline.ReasonStaleManager: func(_ *pipelinetest.Setup, in *pipeline.TargetInput) {
			in.ManagerCommit = "9999999999999999999999999999999999999999"
		},
	}
	for reason, change := range cases {
		for _, mode := range []pipeline.Mode{pipeline.ModeApply, pipeline.ModeDestroy} {
			t.Run(string(reason)+"/"+string(mode), func(t *testing.T) {
				t.Parallel()
				w := pipelinetest.NewApplied(t)
				w.Current.Manager.Environments[0].Gated = false
				w.Tick()
				var request pipeline.Request
				if mode == pipeline.ModeDestroy {
					request = pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(t.Context(), w.ManualInput("workflow_dispatch", pipelinetest.DestroyStaging)))
				} else {
					request = pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging another\n"), "push")))
				}
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
				in := w.Target(request, "staging")
				change(w, &in)
				_, err := w.Apply(in)
				var refused *pipeline.RefusedError
				if !errors.As(err, &refused) || refused.Reason != reason || refused.Next != mode.Afresh() || refused.Operator != mode.Restart() {
					t.Fatalf("%+v", err)
				}
				if got := w.Report(request, true).Targets[0].Next; !strings.Contains(got, mode.Afresh()) {
					t.Errorf("the report says %q", got)
				}
			})
		}
	}
}
