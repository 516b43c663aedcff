package github_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

func TestTrafficIsValidated(t *testing.T) {
	t.Parallel()
	hubtest.Require(t)
}

// fixture is a double of GitHub with a customer, a pull request in it and a manager.
// Its clock moves when the client sleeps.
type fixture struct {
	t        *testing.T
	hub      *hubtest.Server
	customer *hub.Repo
	head     pipeline.SHA
	pull     int
	token    string // of a person who may write, named "person"

	mu    sync.Mutex
	at    time.Time
	slept time.Duration
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	w := &fixture{t: t, at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.hub = hubtest.Start(t, hub.Options{Now: w.now})
	for _, u := range []hub.User{{Login: "acme", Type: hub.Organization}, {Login: "kim"}} {
		must(w.hub.AddUser(u))(t)
	}
	w.customer = must(w.hub.AddRepo("acme", "shop", hub.RepoOptions{Private: true}))(t)
	must(w.hub.AddRepo("acme", "secret", hub.RepoOptions{Private: true}))(t)
	check(t, w.customer.Grant("kim", hub.Write))
	must(w.customer.Commit("main", hub.Change{Message: "Begin", Files: map[string]hub.File{"README.md": {Content: []byte("shop\n")}}}))(t)
	w.head = pipeline.SHA(must(w.customer.Commit("change", hub.Change{Message: "Change", Files: map[string]hub.File{"a": {Content: []byte("a\n")}}}))(t))
	w.pull = must(w.customer.OpenPull(hub.NewPull{Title: "Change", Author: "kim", Head: "change", HeadRepo: w.customer}))(t)
	check(t, w.customer.AddWorkflow(hub.Workflow{Path: ".github/workflows/deploy.yml", Name: "Deploy", Dispatches: []string{"deploy"}}))
	w.token = must(w.hub.AddToken(hub.Token{Name: "person", Kind: hub.Classic, User: "kim", Scopes: []string{"repo"}}))(t).Secret
	return w
}

func (w *fixture) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *fixture) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.slept = w.at.Add(d), w.slept+d
	return ctx.Err()
}

func (w *fixture) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func (w *fixture) client(edit ...func(*github.Options)) *github.Client {
	w.t.Helper()
	o := github.Options{BaseURL: w.hub.URL(), Token: w.token, Now: w.now, Sleep: w.sleep}
	for _, e := range edit {
		e(&o)
	}
	return must(github.New(o))(w.t)
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
