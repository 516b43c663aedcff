package content

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// FuzzMatch: following all patterns down the tree finds what matching each path alone does.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][2]string{
		{"infra/**", "infra/a/b"}, {"**/*.tf", "a/b/c.tf"}, {"**/*.tf", "c.tf"}, {"**/a/**/b", "x/a/a/b/b"}, {"*", "a/b"}, {"**", "a"}, {"**/**", "a/b"},
		{"a*c/*b*", "abc/xby"}, {"**/**/**/**/x", "a/a/a/a/a/x"}, {"a", "a/b/c"}, {"a/*", "a"}, {"{{ path }}/**/*.md", "infra/a.md"}, {"*.tf", "a\nb.tf"}, {"é/*", "é/\xff"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		if pipeline.BadContentPattern(text) != "" || path == "" || strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || strings.Contains(path, "//") {
			return
		}
		var m matcher
		m.add(text, "infra", lists{forbid: true})
		m.add("other", "infra", lists{allow: true})
		at, hit := m.start()
		names := strings.Split(path, "/")
		for i, name := range names {
			hit = hit.with(m.leaf(at, name))
			if i < len(names)-1 {
				at = m.below(at, name)
			}
			if most := 2 * len(text); len(at) > most+2 {
				t.Errorf("%q: %d places at %q", text, len(at), path)
			}
		}
		if want := pipeline.ParseCodePattern(pipeline.FillContentPattern(text, "infra")).Match(path); hit.forbid != want {
			t.Errorf("%q matches %q: %v, want %v", text, path, hit.forbid, want)
		}
	})
}

// largeTree makes a checkout with 100,000 entries.
func largeTree(tb testing.TB) string {
	tb.Helper()
	root := tb.TempDir()
	for i := range 1000 {
		dir := filepath.Join(root, "app", fmt.Sprintf("service-%02d", i/50), fmt.Sprintf("package-%03d", i))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
		for j := range 99 {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("source_%02d_test.go", j)), nil, 0o644); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "infra"), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "infra/variables.yml"), nil, 0o644); err != nil {
		tb.Fatal(err)
	}
	return root
}

func largeCheck() Check {
	return Check{Rules: pipeline.DefaultContentRules(), Path: "infra", Name: "repo_content_type", Value: pipeline.Property{Form: pipeline.PropertyText, Text: "both"}}
}

// TestLargeTree: the target is 100 ms for 100,000 entries; the bound leaves room for a
// machine that does much else.
func TestLargeTree(t *testing.T) {
	dir := largeTree(t)
	best := time.Hour
	for range 5 {
		began := time.Now()
		got, err := largeCheck().Run(context.Background(), dir)
		best = min(best, time.Since(began))
		if err != nil || len(got.Problems) > 0 || got.Unknown != "" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	t.Logf("100,000 entries in %s", best.Round(time.Millisecond))
	if best > 500*time.Millisecond {
		t.Errorf("100,000 entries took %s", best)
	}
}

func BenchmarkLargeTree(b *testing.B) {
	dir := largeTree(b)
	for b.Loop() {
		if _, err := largeCheck().Run(context.Background(), dir); err != nil {
			b.Fatal(err)
		}
	}
}
