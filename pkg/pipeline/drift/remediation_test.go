package drift_test

import (
	"context"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// starter notes which workflows are started.
type starter struct{ started []string }

func (s *starter) Repository(context.Context, pipeline.Slug) (pipeline.Repository, error) {
	return pipeline.Repository{Slug: pipelinetest.ManagerSlug, DefaultBranch: "main"}, nil
}

func (s *starter) StartWorkflow(_ context.Context, _ pipeline.Slug, _, _ string, inputs map[string]string) error {
	s.started = append(s.started, strings.TrimSuffix(inputs["customer"]+"/"+inputs["environment"]+"/"+inputs["stack"], "/"))
	return nil
}

// TestRemediationPassesOverOffboarded: drift of a customer that has left starts no apply. A
// customer beside it gets one.
func TestRemediationPassesOverOffboarded(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Current.Manager.Drift.Remediate = []pipeline.Environment{"staging"}
	left := w.Current
	left.Name, left.Offboarded = "left", true
	scan := drift.Scan{}
	for _, name := range []pipeline.CustomerName{"left", "acme"} {
		scan.Results = append(scan.Results, drift.Result{Target: pipeline.Target{Customer: name, Environment: "staging"}, Kinds: []pipeline.DriftKind{pipeline.DriftPending}, CheckedAt: w.Now})
	}
	s := &starter{}
	done, err := drift.Remediator{Store: w.Store, Sealer: w.Sealer, GitHub: s}.Run(context.Background(), pipelinetest.ManagerSlug, scan, []pipeline.Customer{left, w.Current})
	if err != nil || len(done) != 1 || done[0].Customer != "acme" || strings.Join(s.started, " ") != "acme/staging" {
		t.Errorf("%+v, %v, started %v", done, err, s.started)
	}
}

// TestRemediationOfAStack: the request is for the stack that differs, and for no other one.
func TestRemediationOfAStack(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Current.Manager.Drift.Remediate = []pipeline.Environment{"staging"}
	scan := drift.Scan{Results: []drift.Result{
		{Target: pipeline.Target{Customer: "acme", Environment: "staging", Stack: "network"}, CheckedAt: w.Now},
		{Target: pipeline.Target{Customer: "acme", Environment: "staging", Stack: "hosts"}, Kinds: []pipeline.DriftKind{pipeline.DriftPending}, CheckedAt: w.Now},
	}}
	s := &starter{}
	done, err := drift.Remediator{Store: w.Store, Sealer: w.Sealer, GitHub: s}.Run(context.Background(), pipelinetest.ManagerSlug, scan, []pipeline.Customer{w.Current})
	if err != nil || len(done) != 1 || done[0].Stack != "hosts" || strings.Join(s.started, " ") != "acme/staging/hosts" {
		t.Errorf("%+v, %v, started %v", done, err, s.started)
	}
}
