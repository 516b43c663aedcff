package github_test

import (
	"net/http"
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
