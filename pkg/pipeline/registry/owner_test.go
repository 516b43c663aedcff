package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// ofRepository is the customer of a setup under a name, and of repository 8.
func ofRepository8(w *pipelinetest.Setup, name pipeline.CustomerName) pipeline.Customer {
	c := w.Current
	c.Name, c.RepositoryID, c.File = name, 8, "customers/"+string(name)+".yml"
	return c
}

// sendAs lets c be the customer, and its repository the one that sends.
func sendAs(w *pipelinetest.Setup, c pipeline.Customer) (pipeline.Request, error) {
	w.T.Helper()
	w.Current = c
	w.Hub.AnswerRepository = func() (pipeline.Repository, error) {
		return pipeline.Repository{Slug: c.Repository, ID: c.RepositoryID, DefaultBranch: "main"}, nil
	}
	a := w.Dispatch(w.Hub.Commit("staging of-repository-8\n"), "push")
	a.RepositoryID, a.Path = c.RepositoryID, c.Path
	a.ID = a.OwnID()
	run := w.Hub.Runs[a.RunID]
	run.RepoID = c.RepositoryID
	w.Hub.Runs[a.RunID] = run
	claims := w.Claims(a)
	claims.RepositoryID = c.RepositoryID
	w.Tick()
	return w.Fetcher().Run(context.Background(), w.FetchInput(a, claims))
}

// wantKeptOut sends a request of c, which must change no state. It is refused by a
// registration, or by the plan.
func wantKeptOut(w *pipelinetest.Setup, c pipeline.Customer, byPlan bool) {
	w.T.Helper()
	before := fmt.Sprint(w.Engine.States, w.Engine.Applies)
	request, err := sendAs(w, c)
	if byPlan {
		if err != nil {
			w.T.Fatal(err)
		}
		_, err = w.Plan(request, "staging")
		pipelinetest.WantRefused(w.T, "plan", err, pipeline.ReasonOtherRepository)
		if !strings.Contains(err.Error(), "state accept --customer "+string(c.Name)+" --environment staging --repository-id 8") {
			w.T.Errorf("no way out in: %v", err)
		}
		_, err = w.Apply(w.Target(request, "staging"))
	}
	var rejected *pipeline.RejectedError
	if !byPlan && (!errors.As(err, &rejected) || rejected.Reason != pipeline.ReasonRenamed) || err == nil {
		w.T.Errorf("not refused: %v", err)
	}
	if after := fmt.Sprint(w.Engine.States, w.Engine.Applies); after != before {
		w.T.Errorf("states: %s, and were %s", after, before)
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
		prepare func(*pipelinetest.Setup) pipeline.Customer
		byPlan  bool // the registration is an old one, and says nothing
	}{
		"the file was removed": {func(w *pipelinetest.Setup) pipeline.Customer { return ofRepository8(w, "acme") }, false},
		"registered once, and renamed over since": {func(w *pipelinetest.Setup) pipeline.Customer {
			eight := ofRepository8(w, "store")
			if err := w.Fetcher().Register(context.Background(), eight); err != nil {
				w.T.Fatal(err)
			}
			for _, step := range [][2]pipeline.CustomerName{{"acme", "store"}, {"store", "cog"}} {
				if err := w.Rename(step[0], step[1]); err != nil {
					w.T.Fatal(err)
				}
			}
			return eight
		}, true},
		"renamed away": {func(w *pipelinetest.Setup) pipeline.Customer {
			eight := ofRepository8(w, "acme")
			if err := w.Rename("acme", "store"); err != nil {
				w.T.Fatal(err)
			}
			return eight
		}, false},
		"a rename was stopped after the first copy, and given up": {func(w *pipelinetest.Setup) pipeline.Customer {
			eight := ofRepository8(w, "store")
			r := w.Renamer()
			pushed := false
			r.Engine = pushHook{r.Engine.(*pipelinetest.StateMover), func() { pushed = true }}
			r.Store = createHook{w.Store, func(string) error {
				if pushed {
					return errPlanUsed
				}
				return nil
			}}
			if _, err := r.Run(context.Background(), w.RenameInput("acme", "store"), true); err == nil {
				w.T.Fatal("the rename was not stopped")
			}
			return eight
		}, false},
		"its only apply failed": {func(w *pipelinetest.Setup) pipeline.Customer {
			eight := ofRepository8(w, "acme")
			w.DeleteAll("acme/staging/applied/") // the ledger alone remembers
			return eight
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.ApplyOnce()
			wantKeptOut(w, c.prepare(w), c.byPlan)
		})
	}
}

// pushHook calls after when a state was pushed.
type pushHook struct {
	*pipelinetest.StateMover
	after func()
}

func (p pushHook) PushState(ctx context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	v, err := p.StateMover.PushState(ctx, job, kept)
	p.after()
	return v, err
}

// TestRenameOverAnotherEnvironment: a new name with the history of another repository in an
// environment that the customer does not have yet is no free one.
func TestRenameOverAnotherEnvironment(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Current.Name = "store"
	w.ApplyOnce()
	bolt := ofRepository8(w, "bolt")
	bolt.Manager.Environments = bolt.Manager.Environments[1:] // without staging
	if err := w.Fetcher().Register(context.Background(), bolt); err != nil {
		t.Fatal(err)
	}
	w.Engine.States[w.Backend(pipeline.Target{Customer: "bolt", Environment: "production"}).String()] = 3
	w.Current = bolt
	err := w.Rename("bolt", "store")
	pipelinetest.WantRefused(t, "rename", err, pipeline.ReasonStaleState)
	if !strings.Contains(err.Error(), "another repository (id 7)") {
		t.Error(err)
	}
}

// TestTakeOver: a repository that was deleted and created again has another id. What the
// refusal says leads to a plan on the old state.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	eight := ofRepository8(w, "acme")
	wantKeptOut(w, eight, false)
	restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Now: w.Tick}
	in := w.Target(pipeline.Request{}, "staging")
	state := pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: w.Engine.States[in.Backend.String()]}, Resources: 2}
	accept := func(id int64) error {
		return restorer.Accept(context.Background(), in, recovery.Acceptable{State: state, Reason: "created again", RepositoryID: id})
	}
	pipelinetest.WantRefused(t, "accept without the id", accept(0), pipeline.ReasonOtherRepository)
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
	last, err := record.OpenLastApply(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), pipeline.Target{Customer: "acme", Environment: "staging"})
	if err != nil || !last.Found || last.Record.Receipt.RepositoryID != 8 {
		t.Fatalf("the record is of %d: %v", last.Record.Receipt.RepositoryID, err)
	}
	request, err := sendAs(w, eight)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = w.Plan(request, "staging"); err != nil {
		t.Fatal(err)
	}
	if _, err = w.Apply(w.Target(request, "staging")); err != nil {
		t.Fatal(err)
	}
	eight.RepositoryID = 7
	pipelinetest.WantRefused(t, "the old repository", registry.CheckOwner(context.Background(), pipelinetest.RecordsOf(w.Store, w.Sealer), eight, eight.Name.In("staging")), pipeline.ReasonOtherRepository)
	pipelinetest.WantRefused(t, "the old repository, without a key", registry.CheckOwner(context.Background(), record.Records{Store: w.Store}, eight, eight.Name.In("staging")), pipeline.ReasonOtherRepository)
}
