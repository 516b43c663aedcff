package story_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// viaGoldmark is what HTML shows, by the renderer that pkg/render is tested with.
func viaGoldmark(t *testing.T, markdown string) string {
	t.Helper()
	renderer := goldmark.New(
		goldmark.WithExtensions(extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), extension.Strikethrough),
		goldmark.WithRendererOptions(html.WithUnsafe()))
	var out bytes.Buffer
	if err := renderer.Convert([]byte(markdown), &out); err != nil {
		t.Fatal(err)
	}
	clean, err := story.Sanitize(&out)
	if err != nil {
		t.Fatal(err)
	}
	return clean
}

// asGoldmark compares the two, line breaks aside.
func asGoldmark(t *testing.T, name, markdown string) {
	t.Helper()
	markdown = strings.ReplaceAll(markdown, "```diff", "```text") // goldmark knows no classes for its lines
	got, err := story.HTML(markdown)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	want := viaGoldmark(t, markdown)
	if plain := strings.NewReplacer("\n", "", "\xff", "\ufffd", "\xfe", "\ufffd", "\xc3", "\ufffd"); plain.Replace(got) != plain.Replace(want) {
		t.Errorf("%s: %q\ngot\n%s\nwant\n%s", name, markdown, got, want)
	}
}

func TestReportsAsGoldmark(t *testing.T) {
	t.Parallel()
	reports := 0
	for _, pattern := range []string{"*.md", "*/*.md"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "render", "testdata", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			asGoldmark(t, file, string(raw))
			reports++
		}
	}
	if reports < 100 {
		t.Errorf("there are %d reports", reports)
	}
	for _, s := range untrusted.Strings(t) {
		if s == "| --- | --- |" {
			continue // to GitHub text, and here a table without rows
		}
		asGoldmark(t, "untrusted", s)
	}
}

// TestSpecificationAsGoldmark renders the examples of CommonMark.
func TestSpecificationAsGoldmark(t *testing.T) {
	t.Parallel()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/yuin/goldmark").Output()
	if err != nil {
		t.Fatalf("find goldmark: %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "_test", "spec.json"))
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct{ Markdown, Section string }
	if err := json.Unmarshal(raw, &examples); err != nil {
		t.Fatal(err)
	}
	if len(examples) < 600 {
		t.Errorf("there are %d examples", len(examples))
	}
	for _, e := range examples {
		asGoldmark(t, e.Section, e.Markdown)
	}
}

// TestLongText renders texts that make a careless parser take the square of their length.
func TestLongText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"*a ", "*a _b ", "**a *b", "`a``b ", "[a](b", "[", "![", "<a ", "<!-- ", "<![CDATA[", "<?", "&a", "> a\nb\n", ">", "- ", "- a\nb\n", "1. a\n\n", "~~a ", "|a\n|-\n", "```\n> ", "\\", "<x@", "\t"} {
		began := time.Now()
		if _, err := story.HTML(strings.Repeat(s, 100_000/len(s))); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%q takes %s", s, took)
		}
	}
}
