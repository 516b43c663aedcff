package registry_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// register registers a customer while customers/ has the files of these customers.
func register(w *pipelinetest.Setup, c pipeline.Customer, files ...pipeline.Customer) error {
	f := w.Fetcher()
	f.Customers = append(customerList{c}, files...)
	for _, other := range files {
		c.Siblings = append(c.Siblings, pipeline.Sibling{Name: other.Name, Path: other.Path})
	}
	return f.Register(context.Background(), c)
}

// placed is the customer of the setup under a name and a path.
func placed(w *pipelinetest.Setup, name pipeline.CustomerName, path string) pipeline.Customer {
	c := w.Current
	c.Name, c.Path, c.File = name, path, "customers/"+string(name)+".yml"
	return c
}

// renamePlaced moves the customer at a path to another name.
func renamePlaced(w *pipelinetest.Setup, old, name pipeline.CustomerName, path string) error {
	before := w.Current.Path
	w.Current.Path = path
	defer func() { w.Current.Path = before }()
	return w.Rename(old, name)
}

// TestPathThenName: a customer that has changed its path keeps its identity when it is
// renamed then. None of its paths brings its old name back, and each of them fits its new
// one. Other paths of the repository are other customers, but not under the old name.
func TestPathThenName(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	if err := register(w, placed(w, "acme", "deploy")); err != nil {
		t.Fatal(err)
	}
	if err := renamePlaced(w, "acme", "store", "deploy"); err != nil {
		t.Fatal(err)
	}
	wantNames := func(now, former pipeline.CustomerName) {
		t.Helper()
		for _, path := range []string{"infra", "deploy"} {
			wantRenamed(t, "with a key: "+path, registry.CheckRegistered(context.Background(), w.Store, w.Sealer, placed(w, former, path)))
			wantRenamed(t, "without a key: "+path, registry.CheckRegistered(context.Background(), w.Store, nil, placed(w, former, path)))
			if err := register(w, placed(w, former, path)); err == nil {
				t.Errorf("%s at %s is registered", former, path)
			}
			for _, err := range []error{register(w, placed(w, now, path)), registry.CheckRegistered(context.Background(), w.Store, nil, placed(w, now, path))} {
				if err != nil {
					t.Errorf("%s at %s: %v", now, path, err)
				}
			}
		}
	}
	wantNames("store", "acme")
	err := register(w, placed(w, "acme", "third"), placed(w, "store", "deploy"))
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) || !renamed.Reused || !strings.Contains(err.Error(), "give customers/acme.yml a name that no customer has had") || !strings.Contains(err.Error(), "store.yml") {
		t.Errorf("a new path under the old name: %v", err)
	}
	if err := register(w, placed(w, "beta", "third"), placed(w, "store", "deploy")); err != nil {
		t.Errorf("another customer of the repository: %v", err)
	}
	if err := renamePlaced(w, "store", "acme", "infra"); err != nil {
		t.Fatal(err)
	}
	wantNames("acme", "store")
}

// TestPathThenNameOfEarlierVersions: where a rename has registered its own path alone, the
// records of renames say that the other paths have moved too.
func TestPathThenNameOfEarlierVersions(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	first := w.Registrations()[0]
	if err := register(w, placed(w, "acme", "deploy")); err != nil {
		t.Fatal(err)
	}
	if err := renamePlaced(w, "acme", "store", "deploy"); err != nil {
		t.Fatal(err)
	}
	w.DeleteAll(strings.Replace(first, "000001", "000002", 1))
	wantRenamed(t, "the old path", registry.CheckRegistered(context.Background(), w.Store, w.Sealer, placed(w, "acme", "infra")))
	if err := renamePlaced(w, "acme", "store", "infra"); err != nil {
		t.Errorf("the rename of the old path is not finished: %v", err)
	}
	if err := registry.CheckRegistered(context.Background(), w.Store, w.Sealer, placed(w, "store", "infra")); err != nil {
		t.Error(err)
	}
}

// TestLeftPath: a new customer at a path that another one of the repository has left is not
// that one, and no rename gives it the states of that one.
func TestLeftPath(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	moved, newcomer := placed(w, "acme", "deploy"), placed(w, "beta", "infra")
	// Both at once may as well be a rename, with a new customer under the old name.
	var reused *pipeline.RenamedError
	if err := register(w, moved, newcomer); !errors.As(err, &reused) || !reused.Reused {
		t.Errorf("both at once: %v", err)
	}
	if err := register(w, moved); err != nil {
		t.Fatal(err)
	}
	w.Current.Name = "beta"
	f := w.Fetcher()
	f.Customers = customerList{newcomer, moved}
	wantRenamed(t, "a left path", f.Register(context.Background(), newcomer))
	in := w.RenameInput("acme", "beta")
	in.Kept = &moved
	_, err := w.Renamer().Run(context.Background(), in, true)
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "customers/acme.yml, which is still there") || !strings.Contains(err.Error(), "give it a path that no customer of the repository has had") {
		t.Errorf("renamed: %v", err)
	}
	if err := register(w, placed(w, "beta", "fresh"), moved); err != nil {
		t.Errorf("with a path of its own: %v", err)
	}
}

// TestNameAndPathAfterAFailedApply: a customer that failed applies alone have changed is
// found by its registration when its file gets a new name and a new path at once.
func TestNameAndPathAfterAFailedApply(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.DeleteAll("acme/staging/applied/") // the ledger knows the state
	err := register(w, placed(w, "store", "deploy"))
	var renamed *pipeline.RenamedError
	if !errors.As(err, &renamed) || renamed.Old != "acme" || renamed.Left == nil || renamed.Left.Path != "infra" {
		t.Errorf("registered: %v", err)
	}
	if err := register(w, placed(w, "store", "deploy"), w.Current); err != nil {
		t.Errorf("beside its file: %v", err)
	}
}

// relining is a tool that gives a state a new lineage with its first write to a backend.
type relining struct{ *pipelinetest.StateMover }

func (r relining) PushState(ctx context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	v, err := r.StateMover.PushState(ctx, job, kept)
	if err == nil {
		v.Lineage = "of the copy"
		r.Lineages[job.Backend.String()] = v.Lineage
	}
	return v, err
}

// SameState compares what is not the lineage.
func (r relining) SameState(_ pipeline.Job, a, b string) (bool, error) {
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
	w := pipelinetest.New(t)
	w.ApplyOnce()
	r := w.Renamer()
	m := relining{r.Engine.(*pipelinetest.StateMover)}
	r.Engine = m
	r.Store = hooked{Store: w.Store, create: func(key string) error {
		if strings.HasPrefix(key, pipelinetest.Renames) {
			return errPlanUsed
		}
		return nil
	}}
	run := func() error {
		_, err := r.Run(context.Background(), w.RenameInput("acme", "store"), true)
		return err
	}
	if err := run(); !errors.Is(err, errPlanUsed) {
		t.Fatalf("not stopped: %v", err)
	}
	w.WantNamed("acme")
	r.Store = w.Store
	err, place := run(), w.Backend(pipeline.Target{Customer: "store", Environment: "staging"}).String()
	pipelinetest.WantRefused(t, "over the copy", err, pipeline.ReasonStaleState)
	for _, want := range []string{"has a copy, in " + place + ", that a former rename has made", "move it to another place", "docs/RECOVERY.md"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	delete(w.Engine.States, place)
	delete(m.Lineages, place)
	if err := run(); err != nil {
		t.Fatalf("after the copy was moved away: %v", err)
	}
	if got, want := stateSerial(w, "store"), stateSerial(w, "acme"); got != want {
		t.Errorf("the new name has serial %d, and the old one %d", got, want)
	}
}
