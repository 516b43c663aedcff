package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func manyKeys(t *testing.T, s pipeline.Store) {
	const n = 40
	var want []string
	done := make(chan error)
	for i := range n {
		key := fmt.Sprintf("tenant-%02d/staging/plan", i/4) + strings.Repeat("/x", i%4) + "-"
		want = append(want, key)
		go func() { done <- s.Create(t.Context(), key, strings.NewReader(key)) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	slices.Sort(want)
	wantList(t, s, "", want...)
	for _, key := range want {
		wantBody(t, s, key, []byte(key))
	}
}

func listsInOrder(t *testing.T, s pipeline.Store) {
	wantList(t, s, "")
	// Byte order of whole keys: '-' < '.' < '/' < '0' < 'T' < 'a' < 'ü'.
	want := []string{"a-b/x", "a.b", "a/b", "a/b-c", "a0", "aT", "aa", "ab/1", "ab/10", "ab/2", "aü"}
	for i := range want {
		create(t, s, want[(i*7+3)%len(want)], nil)
	}
	wantList(t, s, "", want...)
}

func listsByPrefix(t *testing.T, s pipeline.Store) {
	for _, key := range []string{"acme/requests/1", "acme/requests/2", "acme/staging/plans/1/receipt", "acme-corp/requests/1", "acme/requests-old", "top"} {
		create(t, s, key, nil)
	}
	wantList(t, s, "acme/", "acme/requests-old", "acme/requests/1", "acme/requests/2", "acme/staging/plans/1/receipt")
	wantList(t, s, "acme/requests/", "acme/requests/1", "acme/requests/2")
	wantList(t, s, "acme/requests", "acme/requests-old", "acme/requests/1", "acme/requests/2")
	wantList(t, s, "acme/requests/2", "acme/requests/2")
	wantList(t, s, "acme/requests/2/")
	wantList(t, s, "acme/st", "acme/staging/plans/1/receipt")
	wantList(t, s, "t", "top")
	wantList(t, s, "nowhere/")
	wantList(t, s, "top/below/")
	for _, prefix := range []string{"/", "../", "acme//", "acme/../", "./", `acme\`, "acme/\x00"} {
		if keys, err := s.List(t.Context(), prefix); err == nil {
			t.Errorf("list %q: got %q, want an error", prefix, keys)
		}
	}
}

func listsFolders(t *testing.T, s pipeline.Store) {
	want := func(prefix string, want ...string) {
		t.Helper()
		got, err := s.Folders(t.Context(), prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("folders of %q: %q, %v; want %q", prefix, got, err, want)
		}
	}
	want("")
	want("a/")
	for _, key := range []string{"a/staging/x", "a/staging/y", "a/prod/x", "a-b/staging/x", "top", "a/file"} {
		create(t, s, key, []byte("x"))
	}
	want("", "a-b/", "a/")
	want("a/", "prod/", "staging/")
	want("a/staging/")
	want("b/")
}
