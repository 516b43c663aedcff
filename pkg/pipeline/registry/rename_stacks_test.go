package registry_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// stacked is a setup with two applied stacks of staging, each with a state of its own.
func stacked(t *testing.T) *pipelinetest.Setup {
	t.Helper()
	w := pipelinetest.New(t)
	w.NameStacks("network", "hosts")
	applyStacks(w, 1)
	w.Engine.States[w.Backend(stackOf("acme", "hosts")).String()] = 5
	return w
}

func stackOf(c pipeline.CustomerName, stack pipeline.StackName) pipeline.Target {
	return pipeline.Target{Customer: c, Environment: "staging", Stack: stack}
}

// applyStacks applies a change of both stacks of staging.
func applyStacks(w *pipelinetest.Setup, change int) pipeline.Request {
	w.T.Helper()
	request := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit("staging "+strings.Repeat("x", change)+"\nproduction one\n"), "push")))
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		in := pipelinetest.Stack(w.Target(request, "staging"), stack)
		w.Tick()
		pipelinetest.Must[deploy.TargetResult](w.T)(w.Planner().Run(w.T.Context(), in))
		if got := pipelinetest.Must[deploy.TargetResult](w.T)(w.Apply(in)); got.Outcome != pipeline.OutcomeApplied {
			w.T.Fatalf("the apply of %s ended as %s", in.Target(), got.Outcome)
		}
	}
	w.Report(request, true)
	return request
}

// wantStacks wants everything of both stacks under the new name, each where it belongs.
func wantStacks(w *pipelinetest.Setup) {
	w.T.Helper()
	for _, stack := range []pipeline.StackName{"network", "hosts"} {
		from, to := stackOf("acme", stack), stackOf("store", stack)
		states := w.Engine.States
		if was, is := states[w.Backend(from).String()], states[w.Backend(to).String()]; was == 0 || was != is {
			w.T.Errorf("the state of %s has serial %d, and that of %s %d", from, was, to, is)
		}
		last, err := pipelinetest.LastApplyOf(w.T.Context(), w.Store, w.Sealer, to)
		old, oldErr := pipelinetest.LastApplyOf(w.T.Context(), w.Store, w.Sealer, from)
		if err = errors.Join(err, oldErr); err != nil || last.Request != old.Request {
			w.T.Errorf("the last apply of %s is %s, want %s: %v", to, last.Request, old.Request, err)
		}
		for t, message := range map[pipeline.Target]string{from: "to store", to: "from acme"} {
			entries, _, err := w.Ledger().Read(w.T.Context(), t)
			if n := len(entries); err != nil || n == 0 || entries[n-1].Event != ledger.Renamed || entries[n-1].Message != message {
				w.T.Errorf("the ledger of %s: %+v, %v", t, entries, err)
			}
		}
	}
	for _, key := range w.Keys("store/") {
		if strings.HasPrefix(key, "store/staging/") {
			w.T.Errorf("%s: the unnamed stack was never there", key)
		}
	}
}

// TestRenameOfStacks: every stack moves, and the next plans of the new name stand on them.
func TestRenameOfStacks(t *testing.T) {
	t.Parallel()
	w := stacked(t)
	result := pipelinetest.Must[registry.RenameResult](t)(w.Renamer().Run(t.Context(), w.RenameInput("acme", "store"), true))
	moved := map[pipeline.StackName]string{}
	for _, move := range result.Moves {
		if move.Environment != "" {
			moved[move.Stack] += move.What + " "
		}
	}
	if len(moved) != 2 || moved["network"] != "state last apply " || moved["hosts"] != "state last apply " {
		t.Errorf("moves: %+v", result.Moves)
	}
	wantStacks(w)
	before := w.Engine.States[w.Backend(stackOf("acme", "hosts")).String()]
	applyStacks(w, 2)
	if now := w.Engine.States[w.Backend(stackOf("store", "hosts")).String()]; now != before+1 || w.Engine.States[w.Backend(stackOf("acme", "hosts")).String()] != before {
		t.Errorf("the next apply went elsewhere: %v", w.Engine.States)
	}
	if again, err := w.Renamer().Run(t.Context(), w.RenameInput("acme", "store"), true); err != nil || !again.Already {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// TestRenameStopsBetweenStacks: a rename that is stopped after the first stack goes on with
// the second one.
func TestRenameStopsBetweenStacks(t *testing.T) {
	t.Parallel()
	w := stacked(t)
	r := w.Renamer()
	pushes := 0
	r.Engine.(*pipelinetest.StateMover).Fail = func() error {
		if pushes++; pushes > 1 {
			return errPlanUsed
		}
		return nil
	}
	if _, err := r.Run(t.Context(), w.RenameInput("acme", "store"), true); !errors.Is(err, errPlanUsed) {
		t.Fatalf("it was not stopped: %v", err)
	}
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	wantStacks(w)
}

// TestRenameWaitsForEachStack: a lock, a kept state and a state of another one stop the
// rename, whichever stack has it.
func TestRenameWaitsForEachStack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(w *pipelinetest.Setup, r *registry.Renamer)
		reason  pipeline.Reason
		says    string
	}{
		"a lock": {func(_ *pipelinetest.Setup, r *registry.Renamer) {
			r.Locks = pipelinetest.LocksByTarget{"acme/staging/hosts": {ID: "1", Who: "someone"}}
		}, pipeline.ReasonLocked, "the state of acme/staging/hosts is locked"},
		"a kept state": {func(w *pipelinetest.Setup, _ *registry.Renamer) {
			w.Create("acme/staging.hosts/kept/0d5e6f7a-0000-4000-8000-000000000000/0001/errored-state.sealed", "x")
		}, pipeline.ReasonStaleState, "metapipe state recover --customer acme --environment staging --stack hosts --request"},
		"a state of the new name": {func(w *pipelinetest.Setup, r *registry.Renamer) {
			place := w.Backend(stackOf("store", "hosts")).String()
			w.Engine.States[place] = 3
			r.Engine.(*pipelinetest.StateMover).Lineages[place] = "another"
		}, pipeline.ReasonStaleState, "store/staging/hosts has another state"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := stacked(t)
			r := w.Renamer()
			c.prepare(w, r)
			_, err := r.Run(t.Context(), w.RenameInput("acme", "store"), true)
			pipelinetest.WantRefused(t, name, err, c.reason)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if last, err := pipelinetest.LastApplyOf(t.Context(), w.Store, w.Sealer, stackOf("store", "network")); err != nil || last.Request != "" {
				t.Errorf("the other stack has moved: %+v, %v", last, err)
			}
		})
	}
}
