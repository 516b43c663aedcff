package deploy_test

import (
	"context"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// TestSuccessBehindAnotherStep: while an apply goes on another job of the request leaves a step in the ledger. The success is
// recorded all the same, and reported.
func TestSuccessBehindAnotherStep(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(w *pipelinetest.Setup, request pipeline.Request){
		"another approver, whose job died": func(w *pipelinetest.Setup, request pipeline.Request) {
			e := ledger.NewEntry(ledger.Approved, request, stagingTarget, pipeline.Run{ID: 2})
			e.Actor, e.ActorID, e.Receipt = "kim", 9, w.Receipt(request, "staging").Digest()
			pipelinetest.Must[ledger.Tip](w.T)(w.Ledger().Append(w.T.Context(), e))
		},
		"planned again": func(w *pipelinetest.Setup, request pipeline.Request) {
			e := *w.Engine
			p := w.Planner()
			p.Engine = &e
			e.DuringApply = nil
			w.Tick()
			pipelinetest.Must[deploy.TargetResult](w.T)(p.Run(context.Background(), w.Target(request, "staging")))
		},
		"offboarded": func(w *pipelinetest.Setup, request pipeline.Request) {
			in := w.Target(request, "staging")
			in.Customer.Offboarded = true
			_, err := w.Applier().Run(context.Background(), in)
			w.T.Logf("the other job: %v", err)
		},
		"a second apply": func(w *pipelinetest.Setup, request pipeline.Request) {
			_, err := w.Applier().Run(context.Background(), w.Target(request, "staging"))
			w.T.Logf("the other job: %v", err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			w.Engine.DuringApply = func() { w.Tick(); meanwhile(w, request); w.Tick() }
			got, err := w.Apply(w.Target(request, "staging"))
			if err != nil || got.Outcome != pipeline.OutcomeApplied {
				t.Errorf("the apply went well: %s %v", got.Outcome, err)
			}
			tip := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), stagingTarget))
			if tip.Fold.Apply == nil || tip.Fold.State == nil {
				t.Errorf("the ledger does not know of the apply: %v", w.Events(stagingTarget))
			}
			if name == "planned again" {
				return
			}
			for range 2 {
				report, err := w.ReportAs(reportInput(w, request, true))
				if err != nil || !report.Closed {
					t.Errorf("report: closed %v, %v", report.Closed, err)
				}
			}
		})
	}
}

// stepping calls a function before the n-th First of a store.
type stepping struct {
	pipeline.Store
	before func()
	prefix string
}

func (s *stepping) First(ctx context.Context, prefix string) (string, error) {
	if before := s.before; before != nil && prefix == s.prefix {
		s.before = nil
		before()
	}
	return s.Store.First(ctx, prefix)
}

// TestRefusalOfAnOlderPlan: an apply of an older plan of the request, which was planned again meanwhile, says nothing of
// the newer plan.
func TestRefusalOfAnOlderPlan(t *testing.T) {
	t.Parallel()
	for name, older := range map[string]func(w *pipelinetest.Setup, request pipeline.Request) error{
		"slow job": func(w *pipelinetest.Setup, request pipeline.Request) error {
			// the apply job has read the older plan, and its ledger; then the plan job runs again
			good := w.Store
			w.Engine.SeeApply = nil
			w.Store = &stepping{Store: good, prefix: record.LedgerPrefix(stagingTarget), before: func() {
				s := w.Store
				w.Store = good
				pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, "staging"))
				w.Store = s
			}}
			_, err := w.Apply(w.Target(request, "staging"))
			w.Store = good
			return err
		},
		"gate": func(w *pipelinetest.Setup, request pipeline.Request) error {
			// as above, but the plan job comes after the apply job has found that its plan waits
			good := w.Store
			w.Store = &listing{Store: good, prefix: record.QueuePrefix(stagingTarget), before: func() {
				s := w.Store
				w.Store = good
				pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(request, "staging"))
				w.Store = s
			}}
			in := w.Target(request, "staging")
			_, err := w.Apply(in)
			w.Store = good
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			err := older(w, request)
			t.Logf("the apply of the older plan: %v", err)
			if w.Engine.Applies != 0 {
				t.Fatal("the older plan was applied")
			}
			report := w.Report(request, false)
			if got := report.Targets[0]; got.Outcome != pipeline.OutcomeWaiting {
				t.Errorf("the newer plan waits, and the report says %s %s %q", got.Outcome, got.Reason, got.Message)
			}
			if got, err := w.Apply(w.Target(request, "staging")); err != nil || got.Outcome != pipeline.OutcomeApplied {
				t.Errorf("the newer plan: %+v %v\n%s", got.Outcome, err, w.Events(stagingTarget))
			}
		})
	}
}

type listing struct {
	pipeline.Store
	before func()
	prefix string
}

func (s *listing) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	if before := s.before; before != nil && prefix == s.prefix {
		s.before = nil
		before()
	}
	return s.Store.ListAfter(ctx, prefix, after)
}

// TestReportWhileAnApplyEnds: a report that reads while the apply ends carries the outputs, or leaves the deployment to the
// next report.
func TestReportWhileAnApplyEnds(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	good := w.Store
	w.Store = &stepping{Store: good, prefix: record.LedgerPrefix(stagingTarget), before: func() {
		s := w.Store
		w.Store = good
		pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
		w.Store = s
	}}
	report := w.Report(request, false)
	w.Store = good
	t.Logf("the report in between: %s", report.Targets[0].Outcome)
	w.Report(request, false)
	w.Report(request, true)
	if len(w.Hub.DeploymentList) != 1 || len(w.Hub.DeploymentList[len(w.Hub.DeploymentList)-1].Payload.Outputs) == 0 {
		t.Errorf("the customer never gets the outputs: %+v", w.Hub.DeploymentList)
	}
}

// TestKilledApplyBehindManyPlans: an apply that was killed is told as one, however many plans come after it.
func TestKilledApplyBehindManyPlans(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.BeginApply(request, "staging")
	before := w.Report(request, true).Targets[0]
	for _, v := range []string{"a", "b", "c", "d"} {
		w.Now = w.Now.Add(time.Minute)
		r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging "+v+"\n"), "push")))
		pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, "staging"))
		w.Report(r, true) // no one lets it apply, and fetch-vars revokes no plan of a closed request
	}
	after := w.Report(request, true).Targets[0]
	t.Logf("before: %s %q; after: %s %s %q", before.Outcome, before.Message, after.Outcome, after.Reason, after.Message)
	if after.Outcome != before.Outcome {
		t.Errorf("now: %s %s %q", after.Outcome, after.Reason, after.Message)
	}
}
