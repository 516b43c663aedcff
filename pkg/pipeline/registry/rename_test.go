package registry_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// budget is a store that fails from its n-th write on; a write that fails may have come
// through all the same.
type budget struct {
	pipeline.Store
	left    *int
	through bool
}

var errPlanUsed = errors.New("the process was killed")

func (b budget) Create(ctx context.Context, key string, body io.Reader) error {
	if *b.left--; *b.left >= 0 {
		return b.Store.Create(ctx, key, body)
	}
	if *b.left == -1 && b.through {
		return errors.Join(b.Store.Create(ctx, key, body), errPlanUsed)
	}
	return errPlanUsed
}

// TestRename: nothing is written without apply, everything is there with it, nothing
// under the old name is gone, and done again it changes nothing.
func TestRename(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	before := w.Keys("")
	result := pipelinetest.Must[registry.RenameResult](t)(w.Renamer().Run(context.Background(), w.RenameInput("acme", "store"), false))
	if len(result.Moves) != 3 || result.Applied || !slices.Equal(w.Keys(""), before) || len(w.Engine.States) != 1 {
		t.Fatalf("a plan of moves: %+v, and the store has %v", result, w.Keys(""))
	}
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	after := w.Keys("")
	for _, key := range before {
		if !slices.Contains(after, key) {
			t.Errorf("%s is gone", key)
		}
	}
	if w.Engine.States[w.Backend(pipeline.Target{Customer: "store", Environment: "staging"}).String()] != 1 || w.Engine.States[w.Backend(pipeline.Target{Customer: "acme", Environment: "staging"}).String()] != 1 {
		t.Errorf("states: %v", w.Engine.States)
	}
	if last, err := pipelinetest.LastApplyOf(context.Background(), w.Store, w.Sealer, pipeline.Target{Customer: "store", Environment: "staging"}); err != nil || last.Actor != "dev" {
		t.Errorf("the last apply of the new name: %+v, %v", last, err)
	}
	for name, message := range map[pipeline.CustomerName]string{"acme": "to store", "store": "from acme"} {
		for _, env := range []pipeline.Environment{"", "staging"} {
			entries, _, err := w.Ledger().Read(context.Background(), pipeline.Target{Customer: name, Environment: env})
			if n := len(entries); err != nil || n == 0 || entries[n-1].Event != ledger.Renamed || entries[n-1].Message != message || entries[n-1].Actor != "operator" {
				t.Errorf("the ledger of %s/%s: %+v, %v", name, env, entries, err)
			}
		}
	}
	result, err := w.Renamer().Run(context.Background(), w.RenameInput("acme", "store"), true)
	if err != nil || !result.Already || !slices.Equal(w.Keys(""), after) {
		t.Errorf("again: %+v, %v", result, err)
	}
	if now, err := registry.RenamedTo(context.Background(), w.Store, w.Sealer, "acme"); now != "store" || err != nil {
		t.Errorf("acme is %q now, %v", now, err)
	}
	w.WantNamed("store", "acme")
}

// TestRenameIsRepeatable stops a rename at each of its writes, before it or after it has
// come through. Until the end the store knows the old name; done again it ends well.
func TestRenameIsRepeatable(t *testing.T) {
	t.Parallel()
	for _, registered := range []bool{true, false} {
		for n := 0; ; n++ {
			stopped := 0
			for _, through := range []bool{false, true} {
				w := pipelinetest.New(t)
				w.ApplyOnce()
				if !registered {
					w.DeleteNames()
				}
				left := n
				r := w.Renamer()
				r.Store = budget{w.Store, &left, through}
				r.Engine.(*pipelinetest.StateMover).Fail = func() error {
					if left--; left < 0 {
						return errPlanUsed
					}
					return nil
				}
				if _, err := r.Run(context.Background(), w.RenameInput("acme", "store"), true); err == nil {
					continue
				} else if !errors.Is(err, errPlanUsed) || !strings.Contains(err.Error(), "run it again") {
					t.Fatalf("stopped at write %d: %v", n, err)
				}
				stopped++
				last := strings.Contains(strings.Join(w.Registrations(), " "), "000002.json")
				_, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))
				var rejected *pipeline.RejectedError
				if !last && (!errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonRenamed) {
					t.Errorf("stopped at write %d (%v), the new name plans: %v", n, through, err)
				}
				for _, request := range w.Keys("_metapipe/open/") { // as the report of the run closes it
					if err := w.Store.Delete(context.Background(), request); err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Rename("acme", "store"); err != nil {
					t.Fatalf("again after write %d (%v): %v", n, through, err)
				}
				w.WantNamed("store", "acme")
			}
			if stopped == 0 {
				if n < 7 {
					t.Errorf("only %d writes were stopped", n)
				}
				break
			}
		}
	}
}

// TestRenameRefused: while something goes on, or where the new name has something of its
// own, or the store knows another name, nothing is written.
func TestRenameRefused(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		prepare func(*pipelinetest.Setup, *registry.Renamer)
		old     pipeline.CustomerName
		says    string
	}{
		"open request": {func(w *pipelinetest.Setup, _ *registry.Renamer) {
			pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit("staging two\nproduction one\n"), "push")))
		}, "acme", "is open"},
		"open request of the new name": {func(w *pipelinetest.Setup, _ *registry.Renamer) {
			key := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))).ID
			w.DeleteAll("_metapipe/open/acme/")
			w.Create("_metapipe/open/store/20260301T120000.000000000Z-1-1-"+string(key), "x")
		}, "acme", "of customer store is open"},
		"lock": {func(_ *pipelinetest.Setup, r *registry.Renamer) {
			r.Locks = pipelinetest.LocksByTarget{"acme/staging": {ID: "x", Who: "casey"}}
		}, "acme", "locked by casey"},
		"another state": {func(w *pipelinetest.Setup, r *registry.Renamer) { occupy(w, r, "other", 1) }, "acme", "has another state"},
		"newer state":   {func(w *pipelinetest.Setup, r *registry.Renamer) { occupy(w, r, "", 5) }, "acme", "has a newer state"},
		"lost state": {func(w *pipelinetest.Setup, _ *registry.Renamer) {
			delete(w.Engine.States, w.Backend(pipeline.Target{Customer: "acme", Environment: "staging"}).String())
		}, "acme", "is lost"},
		"not its name":  {func(*pipelinetest.Setup, *registry.Renamer) {}, "other", "is registered as customer acme, not as other"},
		"nothing known": {func(w *pipelinetest.Setup, _ *registry.Renamer) { w.Current.RepositoryID = 8 }, "acme", "the store knows no customer of"},
		"same name":     {func(*pipelinetest.Setup, *registry.Renamer) {}, "store", "are both store"},
		"forged registration": {func(w *pipelinetest.Setup, _ *registry.Renamer) {
			w.Write(w.Registrations()[0], []byte(`{"record": {}, "seal": "AA=="}`))
		}, "acme", "not what was stored"},
		"forged last apply": {func(w *pipelinetest.Setup, _ *registry.Renamer) { w.SpoilApplied(".json") }, "acme", "not what was stored"},
		"forged rename": {func(w *pipelinetest.Setup, _ *registry.Renamer) {
			w.Create("_metapipe/customers/7/renamed/acme/000001.json", `{"record": {"repository_id": 7, "path": "infra", "from": "acme", "to": "store", "at": "2027-01-01T00:00:00Z"}, "seal": "AA=="}`)
		}, "acme", "not what was stored"},
		"kept state": {func(w *pipelinetest.Setup, _ *registry.Renamer) {
			w.Create("acme/staging/kept/11111111-1111-4111-8111-111111111111/0001/errored-state.sealed", "x")
		}, "acme", "waits to be brought back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			r := w.Renamer()
			c.prepare(w, r)
			before, states := w.Keys(""), len(w.Engine.States)
			for _, apply := range []bool{false, true} {
				if _, err := r.Run(ctx, w.RenameInput(c.old, "store"), apply); err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v", err)
				}
			}
			if !slices.Equal(before, w.Keys("")) || len(w.Engine.States) != states {
				t.Errorf("written: %v, %v", w.Keys(""), w.Engine.States)
			}
		})
	}
}

// occupy lays a state under the new name.
func occupy(w *pipelinetest.Setup, r *registry.Renamer, lineage string, serial uint64) {
	place := w.Backend(pipeline.Target{Customer: "store", Environment: "staging"}).String()
	w.Engine.States[place], r.Engine.(*pipelinetest.StateMover).Lineages[place] = serial, lineage
}

// TestRenameChains: one name after the other, also back to the first one.
func TestRenameChains(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]pipeline.CustomerName{
		"chain":         {"acme", "bolt", "cog"},
		"back":          {"acme", "bolt", "acme"},
		"there again":   {"acme", "bolt", "acme", "bolt"},
		"in a circle":   {"acme", "bolt", "cog", "acme", "cog"},
		"names skipped": {"acme", "cog"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			for i, next := range steps[1:] {
				if err := w.Rename(steps[i], next); err != nil {
					t.Fatalf("%s to %s: %v", steps[i], next, err)
				}
				others := slices.DeleteFunc([]pipeline.CustomerName{"acme", "bolt", "cog"}, func(n pipeline.CustomerName) bool { return n == next })
				w.WantNamed(next, others...)
			}
			end := steps[len(steps)-1]
			for _, old := range steps {
				if now, err := registry.RenamedTo(context.Background(), w.Store, w.Sealer, old); err != nil || old != end && now != end || old == end && now != "" {
					t.Errorf("%s is %q now, %v", old, now, err)
				}
			}
			// Without the registrations the records about old names decide.
			w.DeleteRegistrations()
			for _, old := range steps {
				w.Current.Name = old
				if err := w.Fetcher().Register(context.Background(), w.Current); (err == nil) != (old == end) {
					t.Errorf("without registrations, %s: %v", old, err)
				}
			}
		})
	}
}

// TestRenameRolledBack: who removes the last registration brings no old states back.
func TestRenameRolledBack(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	for _, key := range w.Registrations() {
		if strings.HasSuffix(key, "000002.json") {
			w.DeleteAll(key)
		}
	}
	for _, name := range []pipeline.CustomerName{"acme", "store"} {
		w.Current.Name = name
		request, err := w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push"))
		var rejected *pipeline.RejectedError
		if !errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonRenamed || len(request.Targets) > 0 {
			t.Errorf("%s: %v", name, err)
		}
		w.DeleteAll("_metapipe/open/")
	}
	if err := w.Rename("acme", "store"); err != nil { // the registration alone is written again
		t.Fatal(err)
	}
	w.WantNamed("store", "acme")
}

// TestRenameWithTheRepository: the id stays when GitHub has another name for it.
func TestRenameWithTheRepository(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	w.Current.Repository = pipeline.Slug{Owner: "initech", Name: "moved"}
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	if err := registry.CheckRegistered(context.Background(), w.Store, w.Sealer, w.Current); err != nil {
		t.Error(err)
	}
}

// TestRenameBesideAnother: another customer of the same repository is another place.
func TestRenameBesideAnother(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	other := w.Current
	other.Name, other.Path = "data", "data"
	if err := w.Fetcher().Register(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	if err := w.Rename("data", "store"); err == nil || !strings.Contains(err.Error(), "is registered as customer acme") {
		t.Errorf("the other one's name: %v", err)
	}
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	if err := registry.CheckRegistered(context.Background(), w.Store, w.Sealer, other); err != nil {
		t.Errorf("the other customer: %v", err)
	}
	w.WantNamed("store", "acme")
}

// TestSwappedNames: two customers change names by way of a third one. What the first has
// left is in the way of the second until it is moved away.
func TestSwappedNames(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	first := w.Current
	second := first
	second.Name, second.RepositoryID, second.Path = "bolt", 8, "infra"
	if err := w.Fetcher().Register(context.Background(), second); err != nil {
		t.Fatal(err)
	}
	m := w.Renamer()
	m.Engine.(*pipelinetest.StateMover).Lineages[w.Backend(pipeline.Target{Customer: "bolt", Environment: "staging"}).String()] = "of bolt"
	w.Engine.States[w.Backend(pipeline.Target{Customer: "bolt", Environment: "staging"}).String()] = 3
	rename := func(c pipeline.Customer, old, name pipeline.CustomerName) error {
		w.Current = c
		_, err := m.Run(context.Background(), w.RenameInput(old, name), true)
		return err
	}
	pipelinetest.WantRefused(t, "a direct swap", rename(first, "acme", "bolt"), pipeline.ReasonStaleState)
	if err := rename(first, "acme", "third"); err != nil {
		t.Fatal(err)
	}
	pipelinetest.WantRefused(t, "onto what was left", rename(second, "bolt", "acme"), pipeline.ReasonStaleState)
	w.DeleteAll("acme/staging/applied/")
	delete(w.Engine.States, w.Backend(pipeline.Target{Customer: "acme", Environment: "staging"}).String())
	if err := rename(second, "bolt", "acme"); err != nil {
		t.Fatal(err)
	}
	delete(w.Engine.States, w.Backend(pipeline.Target{Customer: "bolt", Environment: "staging"}).String())
	if err := rename(first, "third", "bolt"); err != nil {
		t.Fatal(err)
	}
	first.Name, second.Name = "bolt", "acme"
	for _, c := range []pipeline.Customer{first, second} {
		if err := registry.CheckRegistered(context.Background(), w.Store, w.Sealer, c); err != nil {
			t.Error(err)
		}
	}
}

// TestNameOfAnother: a new customer under a name whose states are another one's plans
// nothing: neither while that one waits for its rename, nor after it.
func TestNameOfAnother(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	renamed := w.Current
	renamed.Name = "store"
	newcomer := w.Current
	newcomer.RepositoryID = 8
	f := w.Fetcher()
	f.Customers = customerList{renamed, newcomer}
	register := func() error { return f.Register(context.Background(), newcomer) }
	if err := register(); err == nil || !strings.Contains(err.Error(), "are those of another repository (id 7)") {
		t.Errorf("before the rename: %v", err)
	}
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	f.Customers = customerList{newcomer}
	if err := register(); err == nil || !strings.Contains(err.Error(), "are those of another repository (id 7)") {
		t.Errorf("after it: %v", err)
	}
	w.DeleteAll("acme/")
	if err := register(); err != nil {
		t.Errorf("when nothing is left: %v", err)
	}
}

type customerList []pipeline.Customer

func (r customerList) Customer(name pipeline.CustomerName) (pipeline.Customer, bool) {
	i := slices.IndexFunc(r, func(c pipeline.Customer) bool { return c.Name == name })
	if i < 0 {
		return pipeline.Customer{}, false
	}
	return r[i], true
}

func (r customerList) ByRepository(id int64) []pipeline.Customer {
	return slices.DeleteFunc(slices.Clone(r), func(c pipeline.Customer) bool { return c.RepositoryID != id })
}
