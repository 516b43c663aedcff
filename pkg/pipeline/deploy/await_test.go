package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// TestApplyAwaitsItsReport: the report beside an apply comes first. A plan that it takes out of
// use is not applied; without the report the apply goes on after a minute.
func TestApplyAwaitsItsReport(t *testing.T) {
	t.Parallel()
	const never = 1000
	for name, c := range map[string]struct {
		comesAt   int                                         // pause after which the report runs
		report    func(*pipelinetest.Setup)                   // before it runs
		instead   func(*pipelinetest.Setup, record.Announced) // of it
		run       int64
		pauses    int
		applies   int
		reason    pipeline.Reason
		warns     bool
		isStopped bool
	}{
		"is there":            {comesAt: 0, applies: 1},
		"comes":               {comesAt: 3, pauses: 3, applies: 1},
		"never comes":         {comesAt: never, pauses: 60, applies: 1, warns: true},
		"is of another run":   {comesAt: 0, run: 99, pauses: 60, applies: 1, warns: true},
		"a stricter property": {comesAt: 2, pauses: 2, report: func(w *pipelinetest.Setup) { w.Hub.Properties = `{"infrastructure_approval_required":"true"}` }, reason: pipeline.ReasonStaleProperties},
		"is forged": {comesAt: 1, pauses: 1, reason: pipeline.ReasonTampered, instead: func(w *pipelinetest.Setup, announced record.Announced) {
			pipelinetest.Must[struct{}](w.T)(struct{}{}, w.Store.Create(context.Background(), announced.Key(), strings.NewReader(`{"record":{},"seal":""}`)))
		}},
		"the job is stopped": {comesAt: never, pauses: 1, isStopped: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			rules := pipeline.DefaultPropertyRules()
			w.Current.Manager.Properties, w.Current.Manager.Tool, w.Hub.Properties = &rules, pipeline.ToolRule{Name: "terraform"}, `{}`
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			planned := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			w.Report(request, false)
			target := w.Current.Name.In("staging")
			pauses := 0
			comes := func() {
				if pauses != c.comesAt {
					return
				}
				if c.instead != nil {
					c.instead(w, record.Announced{Target: target, Request: request.ID, Receipt: planned.Receipt, Run: pipelinetest.JobRun})
					return
				}
				if c.report != nil {
					c.report(w)
				}
				run := pipelinetest.JobRun
				run.ID += c.run
				if _, err := w.ReportAs(publish.ReportInput{Customer: w.Current, Request: request.ID, Applying: target, Run: run}); err != nil {
					t.Error(err)
				}
			}
			comes()
			var log bytes.Buffer
			applier := w.Applier()
			applier.AwaitReport = func(_ context.Context, pause time.Duration) error {
				pauses++
				comes()
				if c.isStopped {
					return context.Canceled
				}
				if pause != time.Second {
					t.Errorf("a pause of %s", pause)
				}
				return nil
			}
			in := w.Target(request, "staging")
			in.Log = &log
			_, err := applier.Run(context.Background(), in)
			switch {
			case c.reason != "":
				pipelinetest.WantRefused(t, name, err, c.reason)
			case errors.Is(err, context.Canceled) != c.isStopped, err != nil && !c.isStopped:
				t.Error(err)
			}
			if pauses != c.pauses || w.Engine.Applies != c.applies {
				t.Errorf("%d pauses, %d applies", pauses, w.Engine.Applies)
			}
			if warns := strings.Contains(log.String(), "No `report --applying` of this run has looked at the plan of acme/staging in 1m0s"); warns != c.warns {
				t.Errorf("log: %s", &log)
			}
		})
	}
}
