package registry_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// hooked is a store that calls a function before an operation on a key or a prefix. An
// error of create takes the place of the write.
type hooked struct {
	pipeline.Store
	create     func(key string) error
	open, list func(key string)
}

func (h hooked) Create(ctx context.Context, key string, body io.Reader) error {
	if h.create != nil {
		if err := h.create(key); err != nil {
			return err
		}
	}
	return h.Store.Create(ctx, key, body)
}

func (h hooked) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if h.open != nil {
		h.open(key)
	}
	return h.Store.Open(ctx, key)
}

func (h hooked) List(ctx context.Context, prefix string) ([]string, error) {
	if h.list != nil {
		h.list(prefix)
	}
	return h.Store.List(ctx, prefix)
}

// leftApply is a job whose apply did not start and whose report has closed the request:
// run again, it applies the same plan.
func leftApply(w *pipelinetest.Setup) pipeline.TargetInput {
	w.T.Helper()
	request := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push")))
	if _, err := w.Plan(request, "staging"); err != nil {
		w.T.Fatal(err)
	}
	w.Engine.NotStarted = &pipeline.FailedError{Message: "Error acquiring the state lock"}
	in := w.Target(request, "staging")
	if _, err := w.Apply(in); err == nil {
		w.T.Fatal("applied")
	}
	w.Engine.NotStarted = nil
	w.Report(request, true)
	in.Run.Attempt, in.Receipt = 2, ""
	return in
}

func stateSerial(w *pipelinetest.Setup, c pipeline.CustomerName) uint64 {
	return w.Engine.States[w.Backend(pipeline.Target{Customer: c, Environment: "staging"}).String()]
}

func wantRenamed(t *testing.T, what string, err error) {
	t.Helper()
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) {
		t.Errorf("%s: %v, want a *RenamedError", what, err)
	}
}

func isRegistration(key string) bool {
	return strings.HasPrefix(key, registry.Registrations) && !strings.HasPrefix(key, pipelinetest.Renames)
}

// TestOldNameAfterTheRecord: from the record of the rename on, no apply of the old name
// starts: not when the rename was stopped before it registered the new name, and not when
// that registration was removed.
func TestOldNameAfterTheRecord(t *testing.T) {
	t.Parallel()
	for _, removed := range []bool{false, true} {
		w := pipelinetest.New(t)
		w.ApplyOnce()
		in := leftApply(w)
		r := w.Renamer()
		r.Store = hooked{Store: w.Store, create: func(key string) error {
			if !removed && isRegistration(key) {
				return errPlanUsed
			}
			return nil
		}}
		if _, err := r.Run(context.Background(), w.RenameInput("acme", "store"), true); (err == nil) != removed {
			t.Fatalf("removed %v: %v", removed, err)
		}
		if removed {
			w.DeleteAll(w.Registrations()[1])
		}
		w.Current.Name = "acme"
		_, err := w.Apply(in)
		wantRenamed(t, "the job of the old name", err)
		if stateSerial(w, "acme") != 1 {
			t.Errorf("removed %v: applied, %v", removed, w.Engine.States)
		}
		if err := w.Rename("acme", "store"); err != nil {
			t.Fatal(err)
		}
		w.WantNamed("store", "acme")
	}
}

// TestApplyDuringTheCopy: what an apply of the old name leaves after it was copied is
// copied again, also where the record of the rename was written before that (as by an
// earlier version that did not look for it).
func TestApplyDuringTheCopy(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"store/staging/applied/", "acme/staging/ledger/", pipelinetest.Renames} {
		w := pipelinetest.New(t)
		w.ApplyOnce()
		in := leftApply(w)
		input := w.RenameInput("acme", "store")
		fresh, once := w.Current, false
		r := w.Renamer()
		r.Store = hooked{Store: w.Store, create: func(key string) error {
			if once || !strings.HasPrefix(key, at) {
				return nil
			}
			once = true
			w.Current.Name = "acme"
			if _, err := w.Apply(in); err != nil {
				t.Errorf("at %s: %v", at, err)
			}
			w.Report(pipeline.Request{ID: in.Request}, true)
			w.Current = fresh
			return nil
		}}
		_, err := r.Run(context.Background(), input, true)
		if err != nil || !once {
			t.Fatalf("at %s: %v", at, err)
		}
		last, err := pipelinetest.LastApplyOf(context.Background(), w.Store, w.Sealer, pipeline.Target{Customer: "store", Environment: "staging"})
		if stateSerial(w, "acme") != 2 || stateSerial(w, "store") != 2 || err != nil || last.Request != in.Request {
			t.Errorf("at %s: states %v, last apply %s, %v", at, w.Engine.States, last.Request, err)
		}
		w.WantNamed("store", "acme")
	}
}

// TestRenameFinishesBehindTheOldName: a rename that was stopped after its record copies
// what the old name has got since, and leaves alone what the new one has got.
func TestRenameFinishesBehindTheOldName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old, now, want uint64
	}{"old": {2, 1, 2}, "new": {1, 3, 3}, "neither": {1, 1, 1}, "old state removed": {0, 1, 1}} {
		w := pipelinetest.New(t)
		w.ApplyOnce()
		if err := w.Rename("acme", "store"); err != nil {
			t.Fatal(err)
		}
		w.DeleteAll(w.Registrations()[1])
		for customer, serial := range map[pipeline.CustomerName]uint64{"acme": c.old, "store": c.now} {
			w.Engine.States[w.Backend(pipeline.Target{Customer: customer, Environment: "staging"}).String()] = serial
			if serial == 0 {
				delete(w.Engine.States, w.Backend(pipeline.Target{Customer: customer, Environment: "staging"}).String())
			}
		}
		if err := w.Rename("acme", "store"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := stateSerial(w, "store"); got != c.want {
			t.Errorf("%s: serial %d, want %d", name, got, c.want)
		}
	}
}

// TestRenameAfterTheCheck: an apply that has passed the check of its name looks once more
// before it changes anything.
func TestRenameAfterTheCheck(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	in, once := leftApply(w), false
	a := w.Applier()
	a.Store = hooked{Store: w.Store, open: func(key string) {
		if !once && strings.HasSuffix(key, "planned.json") {
			once = true
			if err := w.Rename("acme", "store"); err != nil {
				t.Error(err)
			}
		}
	}}
	_, err := a.Run(context.Background(), in)
	wantRenamed(t, "the job of the old name", err)
	if !once || stateSerial(w, "acme") != 1 || stateSerial(w, "store") != 1 {
		t.Errorf("applied: %v", w.Engine.States)
	}
}

// TestSlowRename: of two processes of one rename, the slow one leaves alone what was
// deployed after the end of the quick one, wherever it was when that happened.
func TestSlowRename(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w := pipelinetest.New(t)
		w.ApplyOnce()
		input := w.RenameInput("acme", "store")
		reads, once := 0, false
		r := w.Renamer()
		var want pipeline.RequestID
		hook := func(string) {
			if reads++; once || reads < n {
				return
			}
			once = true
			if err := w.Rename("acme", "store"); err != nil {
				t.Fatalf("at read %d: %v", n, err)
			}
			w.WantNamed("store", "acme")
			last, _ := pipelinetest.LastApplyOf(context.Background(), w.Store, w.Sealer, pipeline.Target{Customer: "store", Environment: "staging"})
			want = last.Request
		}
		r.Store = hooked{Store: w.Store, list: hook}
		_, err := r.Run(context.Background(), input, true)
		if !once {
			break
		}
		last, lastErr := pipelinetest.LastApplyOf(context.Background(), w.Store, w.Sealer, pipeline.Target{Customer: "store", Environment: "staging"})
		if lastErr != nil || last.Request != want || stateSerial(w, "store") != 2 {
			t.Fatalf("at read %d: last apply %s, want %s, states %v; the rename ended with %v", n, last.Request, want, w.Engine.States, err)
		}
		w.WantNamed("store", "acme")
	}
}

// TestTwoRenames: of two renames to two names, one wins, and no record names the other.
func TestTwoRenames(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"store/staging/applied/", pipelinetest.Renames} {
		w := pipelinetest.New(t)
		w.ApplyOnce()
		input, once := w.RenameInput("acme", "store"), false
		r := w.Renamer()
		r.Store = hooked{Store: w.Store, create: func(key string) error {
			if !once && strings.HasPrefix(key, at) {
				once = true
				if err := w.Rename("acme", "shack"); err != nil {
					t.Error(err)
				}
			}
			return nil
		}}
		_, err := r.Run(context.Background(), input, true)
		pipelinetest.WantRefused(t, "the slow one", err, pipeline.ReasonLocked)
		if now, err := registry.RenamedTo(context.Background(), w.Store, w.Sealer, "acme"); now != "shack" || err != nil {
			t.Errorf("acme is %q now, %v", now, err)
		}
		w.WantNamed("shack", "acme", "store")
	}
}

// TestLastApplyKeyOfALateClock: the record of a later apply counts also where the clock
// of its runner is behind.
func TestLastApplyKeyOfALateClock(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := pipelinetest.New(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	first := record.LastApplyKey(pipeline.Target{Customer: "acme", Environment: "staging"}, at, "b")
	w.Create(first, "x")
	next, err := record.NextLastApplyKey(ctx, w.Store, pipeline.Target{Customer: "acme", Environment: "staging"}, at.Add(-time.Hour), "a")
	if err != nil || next <= first {
		t.Errorf("%s comes behind %s, %v", next, first, err)
	}
}
