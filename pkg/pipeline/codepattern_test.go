package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestBadCodePattern(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"modules", "*", "**", "*.tf", "data/**/*.json", ".github", "modules/**", "a*b*c", "customers/shared.yml", "mödule"} {
		if message := pipeline.BadCodePattern(good); message != "" {
			t.Errorf("%q %s", good, message)
		}
	}
	for _, bad := range []string{"", ".", "..", "/", "/etc", "/*", "../x", "a/../b", "*/..", "**/../x", `a\b`, `..\x`, `C:\x`, "C:/x", "./a", "a/", "a//b", "a**", "**.tf", "a/***",
		"a?b", "[ab]", "{a,b}", "!a", "a\x00b", "a\nb", ".git", "**/.git/config", ".GIT/*", "-a", "*/-x", " a", "~root\u202e", "a\xff", strings.Repeat("a", 10_000)} {
		if pipeline.BadCodePattern(bad) == "" {
			t.Errorf("%.40q is accepted", bad)
		}
	}
}

func TestCodePatternMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"modules", "modules", true}, {"modules", "modules/net/main.tf", true}, {"modules", "modules2/main.tf", false}, {"modules", "x/modules", false},
		{"*", "a", true}, {"*", "a/b/c", true}, {"*.tf", "main.tf", true}, {"*.tf", "a/main.tf", false}, {"*.tf", ".tf", true},
		{"**", "a/b", true}, {"**/*.tf", "main.tf", true}, {"**/*.tf", "a/b/main.tf", true}, {"**/*.tf", "a/b/main.tfx", false},
		{"data/**/x", "data/x", true}, {"data/**/x", "data/a/b/x/y", true}, {"data/**/x", "data/a/xy", false}, {"data/**", "data", true}, {"data/**", "dat/a", false},
		{"a/*/c", "a/b/c", true}, {"a/*/c", "a/c", false}, {"a/*/c", "a/b/b/c", false}, {"a/b", "a", false},
	} {
		if got := pipeline.ParseCodePattern(c.pattern).Match(c.path); got != c.want {
			t.Errorf("%s and %s: %v", c.pattern, c.path, got)
		}
	}
	start := time.Now()
	many := pipeline.ParseCodePattern(strings.Repeat("**/a/", 100) + "b")
	if many.Match(strings.Repeat("a/", 1000) + "c") {
		t.Error("matches")
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("one path took %s", took)
	}
}
