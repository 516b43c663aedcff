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
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

type brokenGate struct{ *pipelinetest.Hub }

func (brokenGate) EnvironmentProtection(context.Context, pipeline.Slug, string) (bool, int, int, error) {
	return false, 0, 0, errors.New("GET https://ghe.internal.corp/api/v3: 500")
}

// TestTextsOfTheLedgerAreNotShown: what only the ledger knows of an end is for the manager: customers do not read its details.
func TestTextsOfTheLedgerAreNotShown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run    func(w *pipelinetest.Setup, request pipeline.Request)
		secret string
	}{
		"internal error, redacted": {func(w *pipelinetest.Setup, request pipeline.Request) {
			w.Current.Manager.Redaction = pipeline.RedactionSummary
			w.Current.Manager.Environments[0].Gated = true
			a := w.Applier()
			a.Gate = brokenGate{w.Hub}
			_, err := a.Run(context.Background(), w.Target(request, "staging"))
			w.T.Logf("%v", err)
		}, "internal.corp"},
		"detail": {func(w *pipelinetest.Setup, request pipeline.Request) {
			w.Engine.NotStarted = (&pipeline.OwnerError{Customer: w.Current, Target: stagingTarget, Owner: 4711}).Unwrap()
			_, err := w.Apply(w.Target(request, "staging"))
			w.Engine.NotStarted = nil
			w.T.Logf("%v", err)
		}, "4711"},
	} {
		for _, recorded := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := pipelinetest.New(t)
				request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
				good := w.Store
				if !recorded {
					w.Store = &failOnce{Store: good, contains: "/apply-", armed: true}
				}
				c.run(w, request)
				w.Store = good
				for _, final := range []bool{false, true} {
					got := w.Report(request, final).Targets[0]
					if strings.Contains(got.Message+got.Next, c.secret) {
						t.Errorf("recorded %t, final %t: the customer reads %q", recorded, final, got.Message)
					}
				}
			})
		}
	}
}

// TestAcceptedStateFreesNoPlan: an entry under a key that no one has, and an operator who accepts the state: the plans in that
// entry are no one's word.
func TestAcceptedStateFreesNoPlan(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	receipt := w.Receipt(request, "staging").Digest()
	w.Engine.ApplyErr = errors.New("half-way")
	wantNotApplied(w, w.Target(request, "staging"))
	w.Engine.ApplyErr = nil
	// the attacker
	evil := pipelinetest.Must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
	tip, err := ledger.Ledger{Records: record.Records{Store: w.Store}}.Tip(t.Context(), stagingTarget)
	if err != nil {
		t.Fatal(err)
	}
	w.Delete(w.Folder(request, "staging") + record.ApplyResultObject(tip.Last.Attempt))
	e := ledger.Entry{Version: 1, Sequence: tip.Sequence + 1, Previous: tip.SHA256, At: w.Now, Event: ledger.Rekeyed, Target: stagingTarget, Fold: tip.Fold}
	e.Fold.Plans = []ledger.OpenPlan{{Request: request.ID, Receipt: receipt}}
	key := record.LedgerKey(stagingTarget, e.Sequence)
	b := pipelinetest.Must[[]byte](t)(record.Records{Store: w.Store, Sealer: evil}.Sign(t.Context(), record.LedgerOf(stagingTarget), key, e))
	if err := w.Store.Create(t.Context(), key, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Apply(w.Target(request, "staging")); err == nil {
		t.Fatal("applied behind an unknown key")
	} else {
		t.Logf("before it is accepted: %v", err)
	}
	// the operator, as state accept
	if _, err := w.Ledger().Append(t.Context(), ledger.Entry{Event: ledger.Accepted, Target: stagingTarget, Message: "the key is gone", State: &pipeline.StateRecord{}}); err != nil {
		t.Fatal(err)
	}
	_, err = w.Apply(w.Target(request, "staging"))
	if w.Engine.Applies != 1 {
		t.Errorf("%d applies of one plan (%v)", w.Engine.Applies, err)
	}
}

// TestUnknownKeyWhileApplying: an apply has begun, under a key that the report has not: it may have changed something.
func TestUnknownKeyWhileApplying(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	old := w.Sealer
	w.Sealer = both{old, pipelinetest.Must[*store.Sealer](t)(store.NewSealer(store.NewKey()))}
	w.BeginApply(request, "staging")
	w.Sealer = old
	for _, final := range []bool{false, true} {
		got := w.Report(request, final).Targets[0]
		t.Logf("%s %s %q", got.Outcome, got.Reason, got.Message)
		if strings.Contains(got.Message, "was not applied") {
			t.Errorf("final %t: an apply has begun, and the customer reads %s %q", final, got.Outcome, got.Message)
		}
	}
}

// both seals with the second sealer and opens with either.
type both struct {
	pipeline.Sealer
	second pipeline.Sealer
}

// TestStatusOfASlowClock: the slow clock of a machine that wrote the last entry.
func TestStatusOfASlowClock(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(w *pipelinetest.Setup, request pipeline.Request){
		"doomed apply on a slow machine, record lost": func(w *pipelinetest.Setup, request pipeline.Request) {
			good := w.Store
			w.Store = &failOnce{Store: good, contains: "/apply-", armed: true}
			in := w.Target(request, "staging")
			in.ManagerCommit = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
			w.Now = w.Now.Add(-15 * time.Minute)
			_, err := w.Apply(in)
			w.T.Log(err)
			w.Now = w.Now.Add(15 * time.Minute)
			w.Store = good
		},
		"free apply, record lost, then an entry of a slow machine": func(w *pipelinetest.Setup, request pipeline.Request) {
			good := w.Store
			w.Engine.NotStarted = &pipeline.FailedError{Message: "locked"}
			w.Store = &failOnce{Store: good, contains: "/apply-", armed: true}
			_, err := w.Apply(w.Target(request, "staging"))
			w.T.Log(err)
			w.Store = good
			w.Now = w.Now.Add(-15 * time.Minute)
			pipelinetest.Must[ledger.Tip](w.T)(w.Ledger().Append(w.T.Context(), ledger.Entry{Event: ledger.Rekeyed, Target: stagingTarget}))
			w.Now = w.Now.Add(15 * time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
			act(w, request)
			for _, final := range []bool{false, true} {
				report := w.Report(request, final)
				got := report.Targets[0]
				t.Logf("%q %q %q closed %t", got.Outcome, got.Reason, got.Message, report.Closed)
				if got.Outcome == "" || got.Reason == pipeline.ReasonNotPlanned {
					t.Errorf("final %t: %q %q", final, got.Outcome, got.Message)
				}
			}
		})
	}
}

// TestAppliesAtOnce: of many applies of one plan one wins.
func TestAppliesAtOnce(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	type end struct {
		got deploy.TargetResult
		err error
	}
	ends := make(chan end)
	const n = 6
	for i := range n {
		in := w.Target(request, "staging")
		in.Run.ID = int64(100 + i)
		a := w.Applier()
		go func() {
			got, err := a.Run(context.Background(), in)
			ends <- end{got, err}
		}()
	}
	well := 0
	for range n {
		if e := <-ends; e.err == nil {
			well++
		} else {
			t.Logf("%v", strings.Split(e.err.Error(), "\n")[0])
		}
	}
	if w.Engine.Applies != 1 {
		t.Errorf("%d applies, %d went well", w.Engine.Applies, well)
	}
	t.Log(w.Events(stagingTarget))
}
