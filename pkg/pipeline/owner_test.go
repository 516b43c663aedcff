package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// ofRepository is the customer of a world under a name, and of repository 8.
func (w *world) ofRepository8(name pipeline.CustomerName) pipeline.Customer {
	c := w.customer
	c.Name, c.RepositoryID, c.File = name, 8, "customers/"+string(name)+".yml"
	return c
}

// sendAs lets c be the customer, and its repository the one that sends.
func (w *world) sendAs(c pipeline.Customer) (pipeline.Request, error) {
	w.t.Helper()
	w.customer = c
	w.hub.repository = func() (pipeline.Repository, error) {
		return pipeline.Repository{Slug: c.Repository, ID: c.RepositoryID, DefaultBranch: "main"}, nil
	}
	a := w.ask(w.hub.commit("staging of-repository-8\n"), "push")
	a.RepositoryID, a.Path = c.RepositoryID, c.Path
	a.ID = a.OwnID()
	run := w.hub.runs[a.RunID]
	run.RepoID = c.RepositoryID
	w.hub.runs[a.RunID] = run
	claims := w.claims(a)
	claims.RepositoryID = c.RepositoryID
	w.tick()
	return w.fetcher().Run(context.Background(), w.fetchInput(a, claims))
}

// wantKeptOut sends a request of c, which must change no state. It is refused by a
// registration, or by the plan.
func (w *world) wantKeptOut(c pipeline.Customer, byPlan bool) {
	w.t.Helper()
	before := fmt.Sprint(w.engine.states, w.engine.applies)
	request, err := w.sendAs(c)
	if byPlan {
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = w.plan(request, "staging")
		wantRefused(w.t, "plan", err, pipeline.ReasonOtherRepository)
		if !strings.Contains(err.Error(), "state accept --customer "+string(c.Name)+" --environment staging --repository-id 8") {
			w.t.Errorf("no way out in: %v", err)
		}
		_, err = w.apply(w.target(request, "staging"))
	}
	var rejected *pipeline.RejectedError
	if !byPlan && (!errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonRenamed) || err == nil {
		w.t.Errorf("not refused: %v", err)
	}
	if after := fmt.Sprint(w.engine.states, w.engine.applies); after != before {
		w.t.Errorf("states: %s, and were %s", after, before)
	}
}

// createHook is a store that calls before before each write.
type createHook struct {
	pipeline.Store
	before func(key string) error
}

func (h createHook) Create(ctx context.Context, key string, body io.Reader) error {
	if err := h.before(key); err != nil {
		return err
	}
	return h.Store.Create(ctx, key, body)
}

// TestHistoryOfAnotherRepository: nothing is planned or applied on top of what another
// repository has left under a name, however the name came to be free.
func TestHistoryOfAnotherRepository(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*world) pipeline.Customer
		byPlan  bool // the registration is an old one, and says nothing
	}{
		"the file was removed": {func(w *world) pipeline.Customer { return w.ofRepository8("acme") }, false},
		"registered once, and renamed over since": {func(w *world) pipeline.Customer {
			eight := w.ofRepository8("store")
			if err := w.fetcher().Register(context.Background(), eight); err != nil {
				w.t.Fatal(err)
			}
			for _, step := range [][2]pipeline.CustomerName{{"acme", "store"}, {"store", "cog"}} {
				if err := w.rename(step[0], step[1]); err != nil {
					w.t.Fatal(err)
				}
			}
			return eight
		}, true},
		"renamed away": {func(w *world) pipeline.Customer {
			eight := w.ofRepository8("acme")
			if err := w.rename("acme", "store"); err != nil {
				w.t.Fatal(err)
			}
			return eight
		}, false},
		"a rename was stopped after the first copy, and given up": {func(w *world) pipeline.Customer {
			eight := w.ofRepository8("store")
			r := w.renamer()
			pushed := false
			r.Engine = pushHook{r.Engine.(*mover), func() { pushed = true }}
			r.Store = createHook{w.store, func(string) error {
				if pushed {
					return errPlanUsed
				}
				return nil
			}}
			if _, err := r.Run(context.Background(), w.renameInput("acme", "store"), true); err == nil {
				w.t.Fatal("the rename was not stopped")
			}
			return eight
		}, false},
		"its only apply failed": {func(w *world) pipeline.Customer {
			eight := w.ofRepository8("acme")
			w.forget("acme/staging/applied/") // the ledger alone remembers
			return eight
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.appliedOnce()
			w.wantKeptOut(c.prepare(w), c.byPlan)
		})
	}
}

// pushHook calls after when a state was pushed.
type pushHook struct {
	*mover
	after func()
}

func (p pushHook) PushState(ctx context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	v, err := p.mover.PushState(ctx, job, kept)
	p.after()
	return v, err
}

// TestRenameOverAnotherEnvironment: a new name with the history of another repository in an
// environment that the customer does not have yet is no free one.
func TestRenameOverAnotherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer.Name = "store"
	w.appliedOnce()
	bolt := w.ofRepository8("bolt")
	bolt.Manager.Environments = bolt.Manager.Environments[1:] // without staging
	if err := w.fetcher().Register(context.Background(), bolt); err != nil {
		t.Fatal(err)
	}
	w.engine.states[w.backend("bolt", "production").String()] = 3
	w.customer = bolt
	err := w.rename("bolt", "store")
	wantRefused(t, "rename", err, pipeline.ReasonStaleState)
	if !strings.Contains(err.Error(), "another repository (id 7)") {
		t.Error(err)
	}
}

// TestTakeOver: a repository that was deleted and created again has another id. What the
// refusal says leads to a plan on the old state.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.appliedOnce()
	eight := w.ofRepository8("acme")
	w.wantKeptOut(eight, false)
	restorer := &recovery.Restorer{Store: w.store, Sealer: w.sealer, Now: w.tick}
	in := w.target(pipeline.Request{}, "staging")
	state := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: w.engine.states[in.Backend.String()]}, Resources: 2}
	accept := func(id int64) error {
		return restorer.Accept(context.Background(), in, recovery.Acceptable{State: state, Reason: "created again", RepositoryID: id})
	}
	wantRefused(t, "accept without the id", accept(0), pipeline.ReasonOtherRepository)
	var usage *pipeline.UsageError
	for _, id := range []int64{7, 9, -8} {
		if err := accept(id); !errors.As(err, &usage) || !strings.Contains(err.Error(), "customers/acme.yml has repository_id 8") {
			t.Errorf("accepted for %d: %v", id, err)
		}
	}
	if err := accept(8); err != nil {
		t.Fatal(err)
	}
	if err := accept(8); !errors.As(err, &usage) || !strings.Contains(err.Error(), "nothing to accept") {
		t.Errorf("a second time: %v", err)
	}
	last, err := record.OpenLastApply(context.Background(), recordsOf(w.store, w.sealer), "acme", "staging")
	if err != nil || !last.Found || last.Record.Receipt.RepositoryID != 8 {
		t.Fatalf("the record is of %d: %v", last.Record.Receipt.RepositoryID, err)
	}
	request, err := w.sendAs(eight)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.plan(request, "staging"); err != nil {
		t.Fatal(err)
	}
	if _, err = w.apply(w.target(request, "staging")); err != nil {
		t.Fatal(err)
	}
	eight.RepositoryID = 7
	wantRefused(t, "the old repository", registry.CheckOwner(context.Background(), recordsOf(w.store, w.sealer), eight, "staging"), pipeline.ReasonOtherRepository)
	wantRefused(t, "the old repository, without a key", registry.CheckOwner(context.Background(), record.Records{Store: w.store}, eight, "staging"), pipeline.ReasonOtherRepository)
}
