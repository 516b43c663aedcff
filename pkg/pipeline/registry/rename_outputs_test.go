package registry_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// needing is a setup with two applied stacks of staging, of which hosts needs network. That
// puts out n1.
func needing(t *testing.T) *pipelinetest.Setup {
	t.Helper()
	w := pipelinetest.New(t)
	w.NameStacks("network", "hosts")
	w.Current.Manager.Stacks[1].Needs = []pipeline.StackName{"network"}
	putOut(w, "n1")
	applyStacks(w, 1)
	return w
}

func putOut(w *pipelinetest.Setup, value string) {
	w.Engine.Passed = []pipeline.OutputValue{{Name: "id", Value: json.RawMessage(fmt.Sprintf("%q", value))}}
}

// wantPassed wants that hosts of a name is built from that output of network; empty: that it
// knows none, and so is not built.
func wantPassed(w *pipelinetest.Setup, what string, name pipeline.CustomerName, value string) {
	w.T.Helper()
	c := w.Current
	c.Name = name
	needed, err := record.StoredNeeded(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), c, stackOf(name, "hosts"))
	if err != nil || len(needed) != 1 {
		w.T.Fatalf("%s: %+v, %v", what, needed, err)
	}
	got := ""
	if len(needed[0].Values) > 0 {
		got = string(needed[0].Values[0].Value)
	}
	if want := fmt.Sprintf("%q", value); value != "" && got != want || value == "" && needed[0].Unknown == "" {
		w.T.Errorf("%s: hosts of %s is built from %q (unknown: %q), want %q", what, name, got, needed[0].Unknown, value)
	}
}

// leftNetwork is a job whose apply of network did not start and whose report has closed the
// request: run again, it applies the same plan.
func leftNetwork(w *pipelinetest.Setup) pipeline.TargetInput {
	w.T.Helper()
	request := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push")))
	in := pipelinetest.Stack(w.Target(request, "staging"), "network")
	if _, err := w.Planner().Run(w.T.Context(), in); err != nil {
		w.T.Fatal(err)
	}
	w.Engine.NotStarted = &pipeline.FailedError{Message: "Error acquiring the state lock"}
	if _, err := w.Apply(in); err == nil {
		w.T.Fatal("applied")
	}
	w.Engine.NotStarted = nil
	w.Report(request, true)
	in.Run.Attempt, in.Receipt = 2, ""
	return in
}

// faultyWrites are the writes of a store, of which one fails.
type faultyWrites struct {
	pipeline.Store
	*pipelinetest.Fault
}

func (s faultyWrites) Create(ctx context.Context, key string, body io.Reader) error {
	return s.Call(func() error { return s.Store.Create(ctx, key, body) })
}

func (s faultyWrites) Delete(ctx context.Context, key string) error {
	return s.Call(func() error { return s.Store.Delete(ctx, key) })
}

// TestRenameOfOutputsIsRepeatable stops the rename of a needed stack at each of its writes,
// before it or after it has come through, lets the old name go on where it still may, and runs
// it again: the new name has what the old one has by then, and builds the other stack from it.
func TestRenameOfOutputsIsRepeatable(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]struct {
		goOn func(w *pipelinetest.Setup)
		want string
	}{
		"an apply":        {func(w *pipelinetest.Setup) { putOut(w, "n2"); applyStacks(w, 2) }, "n2"},
		"unknown outputs": {loseOutputs, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pipelinetest.EachCall(t, func(t *testing.T, n *pipelinetest.Fault) {
				w := needing(t)
				r := w.Renamer()
				r.Store = faultyWrites{w.Store, n}
				r.Engine.(*pipelinetest.StateMover).Fail = func() error { return n.Call(func() error { return nil }) }
				input := w.RenameInput("acme", "store")
				_, err := r.Run(context.Background(), input, true)
				if err != nil && !n.Hit {
					t.Fatal(err)
				}
				if err == nil && n.Hit { // the lost answer to an entry of a ledger, which is found out
					wantPassed(w, "after a lost answer", "store", "n1")
				}
				want := "n1"
				if w.Current.Name = "acme"; registry.CheckRegistered(context.Background(), w.Store, w.Sealer, w.Current) == nil {
					wantPassed(w, "before it goes on", "acme", "n1")
					meanwhile.goOn(w)
					want = meanwhile.want
				}
				if err := w.Rename("acme", "store"); err != nil {
					t.Fatal(err)
				}
				wantPassed(w, "at the end", "store", want)
			})
		})
	}
}

// loseOutputs applies network, and cannot read the outputs that this leaves.
func loseOutputs(w *pipelinetest.Setup) {
	w.T.Helper()
	in := leftNetwork(w)
	w.Engine.OutputsErr = errors.New("the state cannot be read")
	if _, err := w.Apply(in); err != nil {
		w.T.Fatal(err)
	}
	w.Engine.OutputsErr = nil
	w.Report(pipeline.Request{ID: in.Request}, true)
}

// TestApplyDuringTheCopyOfOutputs: what an apply of the old name leaves after its outputs were
// copied counts under the new one, also where it is not known.
func TestApplyDuringTheCopyOfOutputs(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"n2", ""} {
		for _, at := range []string{"store/staging.network/applied/", "store/staging.network/outputs/", "acme/staging.network/ledger/", "acme/staging.hosts/ledger/", pipelinetest.Renames} {
			w := needing(t)
			in := leftNetwork(w)
			putOut(w, "n2")
			input := w.RenameInput("acme", "store")
			fresh, once := w.Current, false
			r := w.Renamer()
			r.Store = hooked{Store: w.Store, create: func(key string) error {
				if once || !strings.HasPrefix(key, at) {
					return nil
				}
				once = true
				if w.Current.Name = "acme"; want == "" {
					w.Engine.OutputsErr = errPlanUsed
				}
				if _, err := w.Apply(in); err != nil {
					t.Errorf("at %s: %v", at, err)
				}
				w.Report(pipeline.Request{ID: in.Request}, true)
				w.Current, w.Engine.OutputsErr = fresh, nil
				return nil
			}}
			if _, err := r.Run(context.Background(), input, true); err != nil || !once {
				t.Fatalf("at %s: %v", at, err)
			}
			wantPassed(w, "at "+at, "store", want)
		}
	}
}

// TestSlowRenameOfOutputs: of two processes of one rename, the slow one leaves alone the
// outputs of what was deployed after the end of the quick one.
func TestSlowRenameOfOutputs(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := needing(t)
		input := w.RenameInput("acme", "store")
		reads, once := 0, false
		r := w.Renamer()
		r.Store = hooked{Store: w.Store, list: func(prefix string) {
			if !strings.Contains(prefix, "/outputs/") && !strings.HasPrefix(prefix, registry.Registrations) {
				return
			}
			if reads++; once || reads < n {
				return
			}
			once = true
			if err := w.Rename("acme", "store"); err != nil {
				t.Fatalf("at read %d: %v", n, err)
			}
			putOut(w, "n2")
			applyStacks(w, 2)
		}}
		_, err := r.Run(context.Background(), input, true)
		if !once {
			if n < 8 {
				t.Errorf("only %d reads", n)
			}
			break
		}
		wantPassed(w, fmt.Sprintf("at read %d (%v)", n, err), "store", "n2")
		if t.Failed() {
			return
		}
	}
}

// TestRenameBackOfOutputs: a customer that gets a former name again has the outputs of its
// last deployment, and not those that it had under that name, whatever the clocks say.
func TestRenameBackOfOutputs(t *testing.T) {
	t.Parallel()
	w := needing(t)
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	putOut(w, "n2")
	applyStacks(w, 2)
	if err := w.Rename("store", "acme"); err != nil {
		t.Fatal(err)
	}
	wantPassed(w, "back again", "acme", "n2")
}

// TestRenameMovesOutputs: what a stack needs is on record under the new name too, bound to
// it, and a rename that runs again writes nothing more.
func TestRenameMovesOutputs(t *testing.T) {
	t.Parallel()
	w := needing(t)
	for range 2 {
		if err := w.Rename("acme", "store"); err != nil {
			t.Fatal(err)
		}
		left, found, err := record.LoadOutputs(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), stackOf("store", "network"))
		if err != nil || !found || string(left.Values[0].Value) != `"n1"` || left.RepositoryID != 7 {
			t.Errorf("%+v, %v, %v", left, found, err)
		}
		if n := len(w.Keys("store/staging.network/outputs/")); n != 1 {
			t.Errorf("%d records of outputs", n)
		}
	}
	applyStacks(w, 2)
}
