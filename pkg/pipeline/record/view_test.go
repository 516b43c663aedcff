package record_test

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// TestView: a view answers a second question as it has answered the first, and a new look
// sees what was written since.
func TestView(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := pipelinetest.New(t).Store
	write := func(to pipeline.Store, key, text string) {
		t.Helper()
		if err := to.Create(ctx, key, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	read := func(from pipeline.Store, key string) string {
		t.Helper()
		r, err := from.Open(ctx, key)
		if err != nil {
			return err.Error()
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	listed := func(from pipeline.Store, prefix string) int {
		t.Helper()
		return len(pipelinetest.Must[[]string](t)(from.List(ctx, prefix)))
	}
	write(s, "acme/a/1", "one")
	large := string(bytes.Repeat([]byte("x"), 1<<20))
	write(s, "acme/a/large", large)
	v := record.NewView(s)
	if got := read(v, "acme/a/1"); got != "one" || read(v, "acme/a/large") != large || listed(v, "acme/a/") != 2 {
		t.Fatalf("a view reads something else: %q", got)
	}
	if !strings.Contains(read(v, "acme/a/2"), "not found") {
		t.Error("a missing object is there")
	}
	write(s, "acme/a/2", "two")
	if err := s.Delete(ctx, "acme/a/1"); err != nil {
		t.Fatal(err)
	}
	if got := listed(v, "acme/a/"); got != 2 || read(v, "acme/a/1") != "one" {
		t.Errorf("a view lists %d keys, and asks again for what it knows", got)
	}
	if read(v, "acme/a/2") != "two" {
		t.Error("an object that was missing is not asked for again")
	}
	if err := s.Delete(ctx, "acme/a/large"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(v, "acme/a/large"), "not found") {
		t.Error("a large object is kept")
	}
	if got := listed(v.Now(), "acme/a/"); got != 1 || read(v.Now(), "acme/a/1") != "one" {
		t.Errorf("a new look lists %d keys", got)
	}
	if folders := pipelinetest.Must[[]string](t)(v.Folders(ctx, "")); len(folders) != 1 {
		t.Fatalf("the store has the folders %v", folders)
	}
	write(s, "bolt/a/1", "one")
	write(s, "acmes", "no folder")
	if listed(v, "bolt/a/") != 0 || len(pipelinetest.Must[[]string](t)(v.Folders(ctx, "bolt/"))) != 0 {
		t.Error("a view looks into a folder that was not there")
	}
	if !strings.Contains(read(v, "bolt/a/1"), "not found") || read(v.Now(), "bolt/a/1") != "one" {
		t.Error("a view opens what lies in a folder that was not there")
	}
	if listed(v, "acme/b/") != 0 || listed(v, "acmes") != 1 {
		t.Error("a view does not look where something may be")
	}
	if err := s.Delete(ctx, "acmes"); err != nil {
		t.Fatal(err)
	}
	write(v, "acme/a/3", "three") // through the view
	if got := listed(v, "acme/a/"); got != 2 {
		t.Errorf("a view lists %d keys after it has written one", got)
	}
	if err := v.Delete(ctx, "acme/a/2"); err != nil {
		t.Fatal(err)
	}
	if got := listed(v, "acme/a/"); got != 1 || !strings.Contains(read(v, "acme/a/2"), "not found") {
		t.Errorf("a view knows what it has deleted, and lists %d keys", got)
	}
}

// TestViewOfAFolder: the list of a folder answers every question about what lies below it,
// as the store would.
func TestViewOfAFolder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := pipelinetest.New(t).Store
	for _, key := range []string{"acme/a/1", "acme/a/2", "acme/a/b/3", "acme/ab/4", "acme/c", "acmes/5"} {
		if err := s.Create(ctx, key, strings.NewReader(key)); err != nil {
			t.Fatal(err)
		}
	}
	v := record.NewView(s)
	pipelinetest.Must[[]string](t)(v.List(ctx, "acme/"))
	asked := &asked{Store: s}
	v.Store = asked
	for _, prefix := range []string{"acme/", "acme/a/", "acme/a", "acme/a/b/", "acme/c", "acme/none/", "acme/a/b/3"} {
		for name, ask := range map[string]func(pipeline.Store) ([]string, error){
			"List":      func(s pipeline.Store) ([]string, error) { return s.List(ctx, prefix) },
			"ListAfter": func(s pipeline.Store) ([]string, error) { return s.ListAfter(ctx, prefix, "acme/a/1") },
			"Folders":   func(s pipeline.Store) ([]string, error) { return s.Folders(ctx, prefix) },
		} {
			if name == "Folders" && !strings.HasSuffix(prefix, "/") {
				continue
			}
			want := pipelinetest.Must[[]string](t)(ask(s))
			if got := pipelinetest.Must[[]string](t)(ask(v)); !slices.Equal(got, want) {
				t.Errorf("%s of %s: got %q, want %q", name, prefix, got, want)
			}
		}
	}
	if asked.n != 0 {
		t.Errorf("the store was asked %d times", asked.n)
	}
	if pipelinetest.Must[[]string](t)(v.List(ctx, "acmes/")); asked.n != 1 {
		t.Error("another folder is not asked for")
	}
}

// asked counts the lists that a store is asked for.
type asked struct {
	pipeline.Store
	n int
}

func (a *asked) List(ctx context.Context, prefix string) ([]string, error) {
	a.n++
	return a.Store.List(ctx, prefix)
}

func (a *asked) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	a.n++
	return a.Store.ListAfter(ctx, prefix, after)
}

func (a *asked) First(ctx context.Context, prefix string) (string, error) {
	a.n++
	return a.Store.First(ctx, prefix)
}

func (a *asked) Folders(ctx context.Context, prefix string) ([]string, error) {
	a.n++
	return a.Store.Folders(ctx, prefix)
}
