package rehearsal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestFolderOverwritesNothing(t *testing.T) {
	t.Parallel()
	dir := tree(t, map[string]string{"kept.txt": "mine"})
	_, err := newFolder(dir, time.Now())
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("got %v, want a usage error", err)
	}
	f, err := newFolder(filepath.Join(dir, "new", "deep"), time.Now())
	must(t, err)
	must(t, f.write([]byte("x"), "customer", "../../up", "a/b\x00.md"))
	if got := read(t, f.root, "customer", "-..-up", "a-b-.md"); got != "x" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "up")); err == nil {
		t.Error("a name led out of the folder")
	}
}

func TestFreshFolders(t *testing.T) {
	t.Parallel()
	parent, at := t.TempDir(), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a, err := freshFolder(parent, at)
	must(t, err)
	b, err := freshFolder(parent, at)
	must(t, err)
	if a.root == b.root || filepath.Base(a.root) != "2026-03-01T120000" {
		t.Errorf("got %s and %s", a.root, b.root)
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"", "..", "../x", "a/b", "\x00", "ä", strings.Repeat("x", 300), ".hidden", "CON"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := safeName(s)
		if got == "" || strings.HasPrefix(got, ".") || len(got) > maxName || strings.ContainsAny(got, "/\\\x00\n ") {
			t.Errorf("%q became %q", s, got)
		}
	})
}

// TestPresentFolders: the README lists the directories that exist, and no others.
func TestPresentFolders(t *testing.T) {
	t.Parallel()
	f := &folder{t.TempDir()}
	for _, at := range [][]string{{"manager", "summaries", "a.md"}, {"customer", "logs", "a.txt"}, {"manager", "logs", "a.txt"}} {
		must(t, f.write([]byte("x"), at...))
	}
	got := strings.Join(f.present("summaries", "logs"), "")
	want := "| manager/summaries | the job summaries, one file a job |\n| customer/logs, manager/logs | the logs, one file a step, secrets masked |\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
