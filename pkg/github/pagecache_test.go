package github_test

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestUnchangedAnswersAreFree(t *testing.T) {
	t.Parallel()
	var changed atomic.Bool
	s := serve(t, map[string]http.HandlerFunc{repoRoute: func(w http.ResponseWriter, r *http.Request) {
		tag, body := `W/"1"`, repoBody
		if changed.Load() {
			tag, body = `W/"2"`, `{"id":8,"full_name":"Acme/shop","default_branch":"main"}`
		}
		if r.Header.Get("If-None-Match") == tag {
			answer(304, "", "ETag", tag)(w, r)
			return
		}
		answer(200, body, "ETag", tag)(w, r)
	}})
	c := s.client(t)
	for i, want := range []int64{7, 7, 7, 8, 8} {
		changed.Store(i > 2)
		got, err := c.Repository(t.Context(), acme)
		if err != nil || got.ID != want {
			t.Fatalf("read %d: %+v, %v, want id %d", i, got, err, want)
		}
	}
	if got, want := c.Budget(), (pipeline.Budget{Reads: 5, Unchanged: 3}); got != want {
		t.Errorf("the budget is %+v, want %+v", got, want)
	}
	if calls := c.Calls(); len(calls) != 1 || calls[0].Count != 5 || calls[0].Unchanged != 3 {
		t.Errorf("calls are %+v", calls)
	}
}

// A server that says "not modified" to a question without a condition has
// nothing to say.
func TestNotModifiedWithoutCondition(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{repoRoute: answer(304, "", "ETag", `"x"`)})
	if got, err := s.client(t).Repository(t.Context(), acme); err == nil {
		t.Errorf("got %+v", got)
	}
}

// What is remembered has an end, and what was dropped is asked for anew.
func TestRememberedAnswersAreBounded(t *testing.T) {
	t.Parallel()
	var conditional atomic.Int32
	s := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/{name}": func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			conditional.Add(1)
			answer(304, "", "ETag", `"x"`)(w, r)
			return
		}
		answer(200, `{"id":7,"full_name":"acme/`+r.PathValue("name")+`","default_branch":"main","description":"`+strings.Repeat("x", 3<<20)+`"}`, "ETag", `"x"`)(w, r)
	}})
	c := s.client(t)
	read := func(name string) {
		t.Helper()
		if got, err := c.Repository(t.Context(), pipeline.Slug{Owner: "acme", Name: name}); err != nil || got.Name != name {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
	}
	for n := range 7 { // of 3 MiB each
		read(strconv.Itoa(n))
	}
	read("6")
	if n := conditional.Load(); n != 1 {
		t.Errorf("%d conditional requests, want that of the newest one", n)
	}
	read("0")
	if n := conditional.Load(); n != 1 {
		t.Errorf("the oldest answer is still remembered (%d)", n)
	}
}
