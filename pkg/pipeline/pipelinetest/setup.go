package pipelinetest

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
)

// Setup is one manager and one customer with a real store, real sealing, a
// double of GitHub that keeps what is written to it, and an engine whose states have serials.
type Setup struct {
	T          *testing.T
	Now        time.Time // what all commands see; Tick moves it on
	Store      pipeline.Store
	Sealer     pipeline.Sealer
	Hub        *Hub
	Engine     *Engine
	Overlaps   func(a, b string) bool // whether a version can fulfill two constraints; New: always
	Current    pipeline.Customer      // as the manager declares it now
	ManagerDir string                 // the store lies in it
	lastRun    int64
	manager    pipeline.Repository // whose runs the sweep looks after
}

// New makes a setup without any request. Its directory goes away with the test.
func New(t *testing.T) *Setup {
	t.Helper()
	dir := t.TempDir()
	directory, err := store.NewDirectory(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	manager := pipeline.Manager{
		Environments: []pipeline.EnvironmentRule{{Name: "staging", Branches: []string{"main"}}, {Name: "production", Branches: []string{"main"}, Gated: true}},
		Trust:        pipeline.TrustRequired,
		Limits:       pipeline.Limits{PlanTTL: time.Hour},
	}
	w := &Setup{T: t, Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Store: directory, Sealer: sealer, ManagerDir: dir, lastRun: 100,
		Current: pipeline.Customer{Name: "acme", Repository: pipeline.Slug{Owner: "acme", Name: "app"}, RepositoryID: 7, Path: "infra", Root: "terraform", Manager: manager}}
	w.Hub, w.manager = newHub(w), pipeline.Repository{Slug: ManagerSlug, ID: ManagerID}
	w.Engine, w.Overlaps = &Engine{States: map[string]uint64{}}, func(string, string) bool { return true }
	return w
}

// Tick moves the clock on: no two requests are accepted at the same instant.
func (w *Setup) Tick() time.Time { w.Now = w.Now.Add(time.Second); return w.Now }

// Logf writes to the log of the test.
func (w *Setup) Logf(format string, args ...any) { w.T.Logf(format, args...) }

// ManagerSlug is the repository of the manager.
var ManagerSlug = pipeline.Slug{Owner: "ops", Name: "manager"}

// ManagerID is the id of that repository.
const ManagerID = 99

// ManagerCommit is the commit that the manager runs at.
const ManagerCommit = pipeline.SHA("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")

// Customer finds the customer by name.
func (w *Setup) Customer(name pipeline.CustomerName) (pipeline.Customer, bool) {
	return w.Current, name == w.Current.Name
}

// ByRepository finds the customer by the id of its repository.
func (w *Setup) ByRepository(id int64) []pipeline.Customer {
	if id == w.Current.RepositoryID {
		return []pipeline.Customer{w.Current}
	}
	return nil
}

// ContainsAll reports whether all texts stand in s.
func ContainsAll(s string, texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(s, text) })
}

// Departed is a customer as the record of a request knows it.
func (w *Setup) Departed(r pipeline.Request) pipeline.Customer {
	return pipeline.Customer{Name: r.Customer, File: "the record", Repository: r.Repository.Slug, RepositoryID: r.Repository.ID, Path: "infra", Manager: w.Current.Manager}
}

// Must fails the test on an error and returns the value.
func Must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// JSON encodes a value.
func JSON(t *testing.T, v any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
