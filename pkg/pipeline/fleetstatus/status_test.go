package fleetstatus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

var staging = fleetstatus.Wanted{Target: pipeline.Target{Customer: "acme", Environment: "staging"}}

// TestStates follows one request through the commands.
func TestStates(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	gated := staging
	gated.Gated = true
	want := func(state fleetstatus.State, waits string) fleetstatus.Target {
		t.Helper()
		f := fleetstatus.Read(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), []fleetstatus.Wanted{gated}, w.Now)
		got := f.Targets[0]
		if got.State != state || got.WaitsFor != waits || got.Unread != "" {
			t.Fatalf("got %+v, want %s, waits for %q", got, state, waits)
		}
		return got
	}
	if got := want(fleetstatus.NotDeployed, ""); !got.Since.IsZero() || got.Request != nil || got.LastApply != nil {
		t.Errorf("%+v", got)
	}
	push := func(content string) pipeline.Request {
		return pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(content), "push")))
	}
	request := push("staging one\nproduction one\n")
	want("requested", "the plan job")
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	want("waiting", "an approval in staging-apply")
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	got := want("applied", "")
	if got.LastApply == nil || got.LastApply.Request != request.ID || got.LastApply.Commit != request.Commit || got.LastApply.Actor != request.Actor || got.LastApply.Receipt == "" {
		t.Errorf("%+v", got.LastApply)
	}
	w.Engine.PlanErr = &pipeline.FailedError{Message: "the tool failed"}
	newer := push("staging two\nproduction one\n")
	if _, err := w.Plan(newer, "staging"); err == nil {
		t.Fatal("it was planned")
	}
	if got := want("failed", ""); got.Request.ID != newer.ID || got.LastApply == nil || got.LastApply.Request != request.ID {
		t.Errorf("%+v", got)
	}
}

// TestUnreadLedger: a ledger that is broken, or cannot be read, is unknown, and hides no other target.
func TestUnreadLedger(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Write("acme/staging/ledger/9999999998-1.json", []byte("{"))
	production := fleetstatus.Wanted{Target: pipeline.Target{Customer: "acme", Environment: "production"}}
	f := fleetstatus.Read(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), []fleetstatus.Wanted{staging, production}, w.Now)
	if f.Unread() != 1 || f.Targets[0].State != fleetstatus.Unknown || !strings.Contains(f.Targets[0].Unread, "acme/staging") || f.Targets[1].State != fleetstatus.NotDeployed {
		t.Errorf("%+v", f.Targets)
	}
	f = fleetstatus.Read(t.Context(), pipelinetest.RecordsOf(brokenStore{w.Store}, w.Sealer), []fleetstatus.Wanted{production}, w.Now)
	if f.Unread() != 1 || !strings.Contains(f.Targets[0].Unread, "no answer") {
		t.Errorf("%+v", f.Targets)
	}
}

type brokenStore struct{ pipeline.Store }

func (brokenStore) List(context.Context, string) ([]string, error) {
	return nil, errors.New("no answer")
}

func (brokenStore) First(context.Context, string) (string, error) {
	return "", errors.New("no answer")
}

// TestDrift enters the last scan.
func TestDrift(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	f := fleetstatus.Fleet{Targets: []fleetstatus.Target{{Target: staging.Target}, {Target: pipeline.Target{Customer: "acme", Environment: "staging", Stack: "network"}}}}
	f.AddDrift(scans.History{Targets: map[string]scans.TargetHistory{"acme/staging": {Kinds: []string{"changed"}, FirstSeen: at, CheckedAt: at}}},
		issues.Book{Targets: map[string]issues.Record{"acme/staging": {Open: true, URL: "https://hub.example/1"}, "acme/staging/network": {Open: true, URL: "https://hub.example/2"}}})
	if d := f.Targets[0].Drift; d == nil || d.Kinds[0] != "changed" || d.IssueURL != "https://hub.example/1" || !d.FirstSeen.Equal(at) {
		t.Errorf("%+v", d)
	}
	if d := f.Targets[1].Drift; d != nil {
		t.Errorf("the scan of another target: %+v", d)
	}
}

// counted counts what a store is asked.
type counted struct {
	pipeline.Store
	asked atomic.Int64
}

func (c *counted) List(ctx context.Context, prefix string) ([]string, error) {
	c.asked.Add(1)
	return c.Store.List(ctx, prefix)
}

func (c *counted) First(ctx context.Context, prefix string) (string, error) {
	c.asked.Add(1)
	return c.Store.First(ctx, prefix)
}

// TestCost: the cost of a target does not depend on the length of its ledger.
func TestCost(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	var wanted []fleetstatus.Wanted
	for i := range 20 {
		target := pipeline.Target{Customer: pipeline.CustomerName(fmt.Sprintf("c%d", i)), Environment: "staging"}
		wanted = append(wanted, fleetstatus.Wanted{Target: target})
		for range 1 + i%2*30 {
			e := ledger.Entry{Event: ledger.Failed, Target: target, Run: pipeline.Run{ID: 1}}
			e.Message = fmt.Sprint(w.Now)
			w.Now = w.Now.Add(time.Second)
			e.Run.ID = w.Now.UnixNano()
			if _, err := w.Ledger().Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
	c := &counted{Store: w.Store}
	if f := fleetstatus.Read(t.Context(), pipelinetest.RecordsOf(c, w.Sealer), wanted, w.Now); f.Unread() != 0 {
		t.Fatalf("%+v", f)
	}
	if c.asked.Load() != 20 {
		t.Errorf("%d listings for 20 targets", c.asked.Load())
	}
}
