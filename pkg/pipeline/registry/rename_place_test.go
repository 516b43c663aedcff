package registry_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// TestNameAndPathChange: a file that gets a new name and a new path at once is no new
// customer while the states of the old name are of the same repository. What the advice
// says ends well.
func TestNameAndPathChange(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	moved := w.Current
	moved.Name, moved.Path, moved.File = "store", "deploy/prod", "customers/store.yml"
	f := w.Fetcher()
	f.Customers = customerList{moved}
	before := w.Registrations()
	err := f.Register(context.Background(), moved)
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) || renamed.Old != "acme" {
		t.Fatalf("registered: %v", err)
	}
	for _, want := range []string{`customer "acme", which has no file any more`, `path "infra" of the same repository`, "`path: infra`", "metapipe customer rename acme store --apply", "acme.yml"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if after := w.Registrations(); len(after) != len(before) {
		t.Errorf("registered: %v", after)
	}
	if err := w.Rename("acme", "store"); err != nil { // with the old path
		t.Fatal(err)
	}
	w.WantNamed("store", "acme")
	if err := f.Register(context.Background(), moved); err != nil {
		t.Errorf("the path, after the name: %v", err)
	}
}

// TestNewPathBesideAnother: a new path is a customer of its own while the other one of the
// repository has a file, has nothing left, or is of another repository.
func TestNewPathBesideAnother(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*pipelinetest.Setup, *pipeline.Customer) customerList{
		"the other has a file": func(w *pipelinetest.Setup, _ *pipeline.Customer) customerList { return customerList{w.Current} },
		"nothing was applied":  func(w *pipelinetest.Setup, _ *pipeline.Customer) customerList { w.DeleteAll("acme/"); return nil },
		"another repository":   func(_ *pipelinetest.Setup, c *pipeline.Customer) customerList { c.RepositoryID = 8; return nil },
		"accepted without a state": func(w *pipelinetest.Setup, _ *pipeline.Customer) customerList {
			r := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
			in := pipeline.TargetInput{Customer: w.Current, Environment: "staging"}
			if err := r.Accept(context.Background(), in, recovery.Acceptable{Reason: "destroyed by hand"}); err != nil {
				w.T.Fatal(err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			other := w.Current
			other.Name, other.Path = "store", "deploy"
			f := w.Fetcher()
			others := prepare(w, &other)
			f.Customers = append(others, other)
			if err := f.Register(context.Background(), other); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRegistrationNamesACustomer: a claim without a seal can refuse, and a name that no
// file can have is not put into a command that someone copies.
func TestRegistrationNamesACustomer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "_metapipe", "x; curl evil", "Shop", "../shop"} {
		w := pipelinetest.New(t)
		w.ApplyOnce()
		w.Write(w.Registrations()[0], []byte(`{"record": {"repository_id": 7, "path": "infra", "customer": "`+name+`"}, "seal": "AA=="}`))
		err := registry.CheckRegistered(context.Background(), w.Store, nil, w.Current)
		pipelinetest.WantRefused(t, name, err, pipeline.ReasonTampered)
		if err != nil && strings.Contains(err.Error(), "customer rename") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestForgedTimeOfRegistration: a registration without a seal and with a late time does not
// bring the old name back, also where nothing can be verified. A true rename back does.
func TestForgedTimeOfRegistration(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	first, old := w.Registrations()[0], w.Current
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	w.Create(strings.Replace(first, "000001", "000003", 1), `{"record": {"repository_id": 7, "path": "infra", "customer": "acme", "at": "2099-01-01T00:00:00Z"}, "seal": "AA=="}`)
	pipelinetest.WantRefused(t, "without a key", registry.CheckRegistered(context.Background(), w.Store, nil, old), pipeline.ReasonRenamed)
	pipelinetest.WantRefused(t, "with a key", registry.CheckRegistered(context.Background(), w.Store, w.Sealer, old), pipeline.ReasonTampered)
	w.DeleteAll(strings.Replace(first, "000001", "000003", 1))
	if err := w.Rename("store", "acme"); err != nil {
		t.Fatal(err)
	}
	if err := registry.CheckRegistered(context.Background(), w.Store, nil, old); err != nil {
		t.Errorf("renamed back: %v", err)
	}
}

// TestRenameStoppedAndRenamedBack stops a rename at each write, before or after it has
// come through. Then the file gets its old name back: the old name goes on until the record
// of the rename is there, and neither name does after it. The new one never does. Done
// again, the rename takes along what was applied in between.
func TestRenameStoppedAndRenamedBack(t *testing.T) {
	t.Parallel()
	old := 0
	for n := 0; ; n++ {
		stopped := 0
		for _, through := range []bool{false, true} {
			w := pipelinetest.New(t)
			w.ApplyOnce()
			if !stopRename(w, n, through) {
				continue
			}
			stopped++
			w.Current.Name = "store"
			last := registry.CheckRegistered(context.Background(), w.Store, w.Sealer, w.Current) == nil
			w.Current.Name = "acme"
			err := registry.CheckRegistered(context.Background(), w.Store, w.Sealer, w.Current)
			if err == nil && last {
				t.Fatalf("stopped at write %d (%v), both names go on", n, through)
			}
			if err == nil {
				old++
				w.Tick()
				w.WantNamed("acme", "store")
				w.Tick()
			}
			if err := w.Rename("acme", "store"); err != nil {
				t.Fatalf("again after write %d (%v): %v", n, through, err)
			}
			if from, to := w.Engine.States[w.Backend(pipeline.Target{Customer: "acme", Environment: "staging"}).String()], w.Engine.States[w.Backend(pipeline.Target{Customer: "store", Environment: "staging"}).String()]; from != to {
				t.Errorf("stopped at write %d (%v): the new name has serial %d, and the old one left %d", n, through, to, from)
			}
			w.WantNamed("store", "acme")
		}
		if stopped == 0 {
			if n < 7 || old == 0 {
				t.Errorf("%d writes were stopped, and the old name went on after %d", n, old)
			}
			return
		}
	}
}

// stopRename ends a rename at its n-th write, and reports whether it has as many.
func stopRename(w *pipelinetest.Setup, n int, through bool) bool {
	w.T.Helper()
	r, left := w.Renamer(), n
	r.Store = budget{w.Store, &left, through}
	r.Engine.(*pipelinetest.StateMover).Fail = func() error {
		if left--; left < 0 {
			return errPlanUsed
		}
		return nil
	}
	_, err := r.Run(context.Background(), w.RenameInput("acme", "store"), true)
	if err != nil && !errors.Is(err, errPlanUsed) {
		w.T.Fatalf("stopped at write %d: %v", n, err)
	}
	return err != nil
}
