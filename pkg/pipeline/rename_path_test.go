package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// register registers a customer while customers/ has the files of these customers.
func (w *world) register(c pipeline.Customer, files ...pipeline.Customer) error {
	f := w.fetcher()
	f.Customers = append(customerList{c}, files...)
	for _, other := range files {
		c.Siblings = append(c.Siblings, pipeline.Sibling{Name: other.Name, Path: other.Path})
	}
	return f.Register(context.Background(), c)
}

// placed is the customer of the world under a name and a path.
func (w *world) placed(name pipeline.CustomerName, path string) pipeline.Customer {
	c := w.customer
	c.Name, c.Path, c.File = name, path, "customers/"+string(name)+".yml"
	return c
}

// renamePlaced moves the customer at a path to another name.
func (w *world) renamePlaced(old, name pipeline.CustomerName, path string) error {
	before := w.customer.Path
	w.customer.Path = path
	defer func() { w.customer.Path = before }()
	return w.rename(old, name)
}

// TestPathThenName: a customer that has changed its path keeps its identity when it is
// renamed then. None of its paths brings its old name back, and each of them fits its new
// one. Other paths of the repository are other customers, but not under the old name.
func TestPathThenName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	if err := w.register(w.placed("acme", "deploy")); err != nil {
		t.Fatal(err)
	}
	if err := w.renamePlaced("acme", "store", "deploy"); err != nil {
		t.Fatal(err)
	}
	wantNames := func(now, former pipeline.CustomerName) {
		t.Helper()
		for _, path := range []string{"infra", "deploy"} {
			wantRenamed(t, "with a key: "+path, registry.CheckRegistered(context.Background(), w.store, w.sealer, w.placed(former, path)))
			wantRenamed(t, "without a key: "+path, registry.CheckRegistered(context.Background(), w.store, nil, w.placed(former, path)))
			if err := w.register(w.placed(former, path)); err == nil {
				t.Errorf("%s at %s is registered", former, path)
			}
			for _, err := range []error{w.register(w.placed(now, path)), registry.CheckRegistered(context.Background(), w.store, nil, w.placed(now, path))} {
				if err != nil {
					t.Errorf("%s at %s: %v", now, path, err)
				}
			}
		}
	}
	wantNames("store", "acme")
	err := w.register(w.placed("acme", "third"), w.placed("store", "deploy"))
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) || !renamed.Reused || !strings.Contains(err.Error(), "give customers/acme.yml a name that no customer has had") || !strings.Contains(err.Error(), "store.yml") {
		t.Errorf("a new path under the old name: %v", err)
	}
	if err := w.register(w.placed("beta", "third"), w.placed("store", "deploy")); err != nil {
		t.Errorf("another customer of the repository: %v", err)
	}
	if err := w.renamePlaced("store", "acme", "infra"); err != nil {
		t.Fatal(err)
	}
	wantNames("acme", "store")
}

// TestPathThenNameOfEarlierVersions: where a rename has registered its own path alone, the
// records of renames say that the other paths have moved too.
func TestPathThenNameOfEarlierVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	first := w.registrations()[0]
	if err := w.register(w.placed("acme", "deploy")); err != nil {
		t.Fatal(err)
	}
	if err := w.renamePlaced("acme", "store", "deploy"); err != nil {
		t.Fatal(err)
	}
	w.forget(strings.Replace(first, "000001", "000002", 1))
	wantRenamed(t, "the old path", registry.CheckRegistered(context.Background(), w.store, w.sealer, w.placed("acme", "infra")))
	if err := w.renamePlaced("acme", "store", "infra"); err != nil {
		t.Errorf("the rename of the old path is not finished: %v", err)
	}
	if err := registry.CheckRegistered(context.Background(), w.store, w.sealer, w.placed("store", "infra")); err != nil {
		t.Error(err)
	}
}

// TestLeftPath: a new customer at a path that another one of the repository has left is not
// that one, and no rename gives it the states of that one.
func TestLeftPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	moved, newcomer := w.placed("acme", "deploy"), w.placed("beta", "infra")
	// Both at once may as well be a rename, with a new customer under the old name.
	var reused *pipeline.RenamedError
	if err := w.register(moved, newcomer); !errors.As(err, &reused) || !reused.Reused {
		t.Errorf("both at once: %v", err)
	}
	if err := w.register(moved); err != nil {
		t.Fatal(err)
	}
	w.customer.Name = "beta"
	f := w.fetcher()
	f.Customers = customerList{newcomer, moved}
	wantRenamed(t, "a left path", f.Register(context.Background(), newcomer))
	in := w.renameInput("acme", "beta")
	in.Kept = &moved
	_, err := w.renamer().Run(context.Background(), in, true)
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "customers/acme.yml, which is still there") || !strings.Contains(err.Error(), "give it a path that no customer of the repository has had") {
		t.Errorf("renamed: %v", err)
	}
	if err := w.register(w.placed("beta", "fresh"), moved); err != nil {
		t.Errorf("with a path of its own: %v", err)
	}
}

// TestNameAndPathAfterAFailedApply: a customer that failed applies alone have changed is
// found by its registration when its file gets a new name and a new path at once.
func TestNameAndPathAfterAFailedApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	w.forget("acme/staging/applied/") // the ledger knows the state
	err := w.register(w.placed("store", "deploy"))
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) || renamed.Old != "acme" || renamed.Left == nil || renamed.Left.Path != "infra" {
		t.Errorf("registered: %v", err)
	}
	if err := w.register(w.placed("store", "deploy"), w.customer); err != nil {
		t.Errorf("beside its file: %v", err)
	}
}

// relining is a tool that gives a state a new lineage with its first write to a backend.
type relining struct{ *mover }

func (r relining) PushState(ctx context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	v, err := r.mover.PushState(ctx, job, kept)
	if err == nil {
		v.Lineage = "of the copy"
		r.lineages[job.Backend.String()] = v.Lineage
	}
	return v, err
}

// SameState compares what is not the lineage.
func (r relining) SameState(a, b string) (bool, error) {
	var serials [2]uint64
	for i, file := range []string{a, b} {
		content, err := os.ReadFile(file)
		if err == nil {
			_, err = fmt.Sscan(string(content), &serials[i])
		}
		if err != nil {
			return false, err
		}
	}
	return serials[0] == serials[1], nil
}

// TestRenameOfACopyWithItsOwnLineage: a rename is stopped after its copy, which got a lineage
// of its own, and the old name goes on. The copy can be compared with nothing: the rename
// names it, and goes on when it was moved away.
func TestRenameOfACopyWithItsOwnLineage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	r := w.renamer()
	m := relining{r.Engine.(*mover)}
	r.Engine = m
	r.Store = hooked{Store: w.store, create: func(key string) error {
		if strings.HasPrefix(key, registry.Renames) {
			return errPlanUsed
		}
		return nil
	}}
	run := func() error {
		_, err := r.Run(context.Background(), w.renameInput("acme", "store"), true)
		return err
	}
	if err := run(); !errors.Is(err, errPlanUsed) {
		t.Fatalf("not stopped: %v", err)
	}
	w.wantNamed("acme")
	r.Store = w.store
	err, place := run(), w.backend("store", "staging").String()
	wantRefused(t, "over the copy", err, pipeline.ReasonStaleState)
	for _, want := range []string{"has a copy, in " + place + ", that a former rename has made", "move it to another place", "docs/RECOVERY.md"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	delete(w.engine.states, place)
	delete(m.lineages, place)
	if err := run(); err != nil {
		t.Fatalf("after the copy was moved away: %v", err)
	}
	if got, want := w.serial("store"), w.serial("acme"); got != want {
		t.Errorf("the new name has serial %d, and the old one %d", got, want)
	}
}
