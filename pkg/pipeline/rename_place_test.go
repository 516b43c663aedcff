package pipeline_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestNameAndPathChange: a file that gets a new name and a new path at once is no new
// customer while the states of the old name are of the same repository. What the advice
// says ends well.
func TestNameAndPathChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	moved := w.customer
	moved.Name, moved.Path, moved.File = "store", "deploy/prod", "customers/store.yml"
	f := w.fetcher()
	f.Customers = registry{moved}
	before := w.registrations()
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
	if after := w.registrations(); len(after) != len(before) {
		t.Errorf("registered: %v", after)
	}
	if err := w.rename("acme", "store"); err != nil { // with the old path
		t.Fatal(err)
	}
	w.wantNamed("store", "acme")
	if err := f.Register(context.Background(), moved); err != nil {
		t.Errorf("the path, after the name: %v", err)
	}
}

// TestNewPathBesideAnother: a new path is a customer of its own while the other one of the
// repository has a file, has nothing left, or is of another repository.
func TestNewPathBesideAnother(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*world, *pipeline.Customer) registry{
		"the other has a file": func(w *world, _ *pipeline.Customer) registry { return registry{w.customer} },
		"nothing was applied":  func(w *world, _ *pipeline.Customer) registry { w.forget("acme/"); return nil },
		"another repository":   func(_ *world, c *pipeline.Customer) registry { c.RepositoryID = 8; return nil },
		"accepted without a state": func(w *world, _ *pipeline.Customer) registry {
			r := &pipeline.Restorer{Store: w.store, Sealer: w.sealer, Now: w.tick}
			in := pipeline.TargetInput{Customer: w.customer, Environment: "staging"}
			if err := r.Accept(context.Background(), in, pipeline.StateRecord{}, "destroyed by hand"); err != nil {
				w.t.Fatal(err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.appliedOnce()
			other := w.customer
			other.Name, other.Path = "store", "deploy"
			f := w.fetcher()
			others := prepare(w, &other)
			f.Customers = append(others, other)
			if err := f.Register(context.Background(), other); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRegistrationNamesACustomer: a claim without a seal can refuse, and a name that no
// file can have is not put into a command that somebody copies.
func TestRegistrationNamesACustomer(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "_metapipe", "x; curl evil", "Shop", "../shop"} {
		w := newWorld(t)
		w.appliedOnce()
		w.write(w.registrations()[0], []byte(`{"record": {"repository_id": 7, "path": "infra", "customer": "`+name+`"}, "seal": "AA=="}`))
		err := pipeline.CheckRegistered(context.Background(), w.store, nil, w.customer)
		wantRefused(t, name, err, pipeline.ReasonTampered)
		if err != nil && strings.Contains(err.Error(), "customer rename") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
