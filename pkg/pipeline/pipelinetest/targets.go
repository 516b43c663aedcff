package pipelinetest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

// WantRefused wants a refusal with a reason and a remedy.
func WantRefused(t *testing.T, what string, err error, reason pipeline.Reason) {
	t.Helper()
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != reason || refused.Next == "" {
		t.Errorf("%s: %v, want a refusal for %s with a remedy", what, err, reason)
	}
}

// Target is the input of a plan or an apply of one environment.
func (w *Setup) Target(request pipeline.Request, env pipeline.Environment) pipeline.TargetInput {
	return pipeline.TargetInput{Customer: w.Current, Request: request.ID, Environment: env, ManagerDir: w.ManagerDir, ManagerCommit: ManagerCommit,
		RunDir: filepath.Join(w.T.TempDir(), "run"), Backend: pipeline.State{}.Target(w.Current.Name.In(env), "/state"), Run: JobRun}
}

// JobRun is the run of the jobs that plan, apply and report.
var JobRun = pipeline.Run{Repository: ManagerSlug, ID: 1, URL: "https://hub/run"}

// Plan plans one target of a request.
func (w *Setup) Plan(request pipeline.Request, env pipeline.Environment) (deploy.TargetResult, error) {
	w.Tick()
	return w.Planner().Run(context.Background(), w.Target(request, env))
}

// Planner is the plan command.
func (w *Setup) Planner() *deploy.Planner {
	return &deploy.Planner{Store: w.Store, Sealer: w.Sealer, Engine: w.Engine, Parse: ParseVariables, Now: func() time.Time { return w.Now }}
}

// Applier is the apply command.
func (w *Setup) Applier() *deploy.Applier {
	return &deploy.Applier{Store: w.Store, Sealer: w.Sealer, Engine: w.Engine, Parse: ParseVariables, Gate: w.Hub, Now: func() time.Time { return w.Now }}
}

// Apply applies the plan of one target.
func (w *Setup) Apply(in pipeline.TargetInput) (deploy.TargetResult, error) {
	w.Tick()
	return w.Applier().Run(context.Background(), in)
}

// NewApplied is a setup with one applied target: staging.
func NewApplied(t *testing.T) *Setup {
	t.Helper()
	w := New(t)
	request := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), "push")))
	Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	return w
}

// PlanAgain plans staging for a new push.
func (w *Setup) PlanAgain() error {
	w.T.Helper()
	a := w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push")
	if w.Current.SharedRepository {
		a.Customer = w.Current.Name
		a.ID = a.OwnID()
	}
	request := Must[pipeline.Request](w.T)(w.Send(a))
	_, err := w.Plan(request, "staging")
	return err
}

// StateFound lets a plan find another state than the engine left.
func StateFound(lineage string, serial uint64, resources int) func(*pipeline.Planned) {
	return func(p *pipeline.Planned) {
		p.Evidence.SetState(pipeline.StateVersion{Lineage: lineage, Serial: serial})
		p.Resources = resources
	}
}

// ApplyOnce brings a customer to where its states and the records of an apply are.
func (w *Setup) ApplyOnce() {
	w.T.Helper()
	request := Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	Must[deploy.TargetResult](w.T)(w.Plan(request, "staging"))
	Must[deploy.TargetResult](w.T)(w.Apply(w.Target(request, "staging")))
	w.Report(request, true)
}
