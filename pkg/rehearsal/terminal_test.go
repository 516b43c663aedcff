package rehearsal

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain ✓":                       "plain ✓",
		"\x1b[31mred\x1b[0m":            "red",
		"\x1b]0;title\x07after":         "after",
		"\x1b]8;;http://x\x1b\\link":    "link",
		"a\rb\x00c\x08":                 "abc",
		"tab\there":                     "tab here",
		"right\u202eleft":               "rightleft",
		"broken\xff":                    "broken�",
		"\x1b[2J\x1b[1;1Hcleared\x1bc!": "cleared!",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// TestUntrustedText: what is told on the terminal, in names of files and in the
// table of results.
func TestUntrustedText(t *testing.T) {
	t.Parallel()
	for _, s := range untrusted.Strings(t) {
		if got := printable(s); untrusted.Obeys(got) != "" || strings.Contains(got, "\n") {
			t.Errorf("%q: printed %q", s, got)
		}
		if got := safeName(s); filepath.Base(got) != got || strings.HasPrefix(got, ".") || strings.Trim(got, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != "" {
			t.Errorf("%q: the name %q", s, got)
		}
		table, err := story.HTML("| a | b |\n|---|---|\n| " + cell(s) + " | x |\n")
		if err != nil || strings.Count(table, "<td>") != 2 || strings.Count(table, "<t") != 9 {
			t.Errorf("%q: %v\n%s", s, err, table)
		}
		for _, markup := range []string{"<a", "<em", "<strong", "<del", "<code", "<h", "<sub"} {
			if strings.Contains(table[strings.Index(table, "<td>"):], markup) {
				t.Errorf("%q: %s in\n%s", s, markup, table)
			}
		}
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range untrusted.Strings(f) {
		f.Add(s)
	}
	f.Add("\x1b[31mred\x1b[0m")
	f.Add("\x1b\x1b[[31m")
	f.Fuzz(func(t *testing.T, text string) {
		if got := printable(text); strings.ContainsAny(got, "\x1b\r\n\x00\x07\u009b") {
			t.Errorf("%q keeps controls: %q", text, got)
		}
	})
}

// The terminal shows the first and the last lines of a tool, and folds groups.
func TestNarrator(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n := &narrator{now: clock(), show: &terminal{w: &out}}
	n.chapter("1. Part", "What it shows.")
	e := n.begin(story.Manager, "plan-staging", "metapipe plan")
	for i := range 8 {
		e.line(runner.Shown{Kind: runner.LineText, Text: fmt.Sprintf("tool %d", i)})
	}
	e.line(runner.Shown{Kind: runner.LineText, Text: "metapipe: said"})
	e.line(runner.Shown{Kind: runner.LineGroup, Text: "init"})
	e.line(runner.Shown{Kind: runner.LineText, Text: "inside"})
	e.line(runner.Shown{Kind: runner.LineGroupEnd})
	other := n.beginQuietly(story.Customer, "trigger", "metapipe trigger")
	other.line(runner.Shown{Kind: runner.LineAnnotation, Text: "error: bad"})
	other.end(story.Failed, "failed")
	e.end(story.Done, "1 to create")
	n.beginQuietly(story.Manager, "report", "metapipe report").end(story.Done, "told")
	n.close(story.Done)
	want := `
1. Part
What it shows.

manager   ▸ plan-staging  metapipe plan
          │ tool 0
          │ tool 1
          │ ▸ init (1 line)
customer  ▸ trigger  metapipe trigger
          │ error: bad
customer  ✗ trigger  failed  1.0 s
manager   │ … 3 more lines
          │ tool 5
          │ tool 6
          │ tool 7
          │ said
manager   ✓ plan-staging  1 to create  3.0 s
manager   ✓ report  told  1.0 s
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
	chapters, _ := n.printable()
	if len(chapters) != 1 || len(chapters[0].Events) != 3 || chapters[0].Mark != story.Done {
		t.Errorf("got %+v", chapters)
	}
	wantPart(t, e.text.String(), "▸ init\n  inside\n")
}

// When something fails, the tool's lines come first, then metapipe's error, with
// what to do next, and no second time as the annotation.
func TestFailedStepIsToldInOrder(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n := &narrator{now: clock(), show: &terminal{w: &out}}
	e := n.begin(story.Manager, "plan-live", "")
	for i := range 44 {
		e.line(runner.Shown{Kind: runner.LineText, Text: fmt.Sprintf("tool %d", i)})
	}
	e.line(runner.Shown{Kind: runner.LineText, Text: "metapipe: plan of c/live failed: too large"})
	e.line(runner.Shown{Kind: runner.LineText, Text: "  → change size"})
	e.line(runner.Shown{Kind: runner.LineAnnotation, Text: "error: metapipe: plan of c/live failed: too large\n→ change size"})
	e.line(runner.Shown{Kind: runner.LineAnnotation, Text: "error: infra/variables.yml:3: another"})
	e.end(story.Failed, "failed")
	got := strings.Split(out.String(), "\n")
	want := []string{
		"          │ tool 43", "          │ plan of c/live failed: too large", "          │   → change size",
		"          │ error: infra/variables.yml:3: another", "manager   ✗ plan-live  failed  1.0 s", "",
	}
	if d := cmp.Diff(want, got[len(got)-len(want):]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"          │ tool 0", "          │ tool 1", "          │ … 2 more lines", "          │ tool 4"}, got[1:5]); d != "" {
		t.Error(d)
	}
	wantPart(t, e.text.String(), "error: metapipe: plan of c/live failed: too large\n→ change size\n")
}

func TestFailedStepShowsWhatWasFolded(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n := &narrator{now: clock(), show: &terminal{w: &out, width: 60, color: true}}
	e := n.begin(story.Manager, "apply-production", "metapipe apply")
	e.line(runner.Shown{Kind: runner.LineGroup, Text: "terraform"})
	e.line(runner.Shown{Kind: runner.LineText, Text: "the reason " + strings.Repeat("x", 100)})
	e.line(runner.Shown{Kind: runner.LineGroupEnd})
	e.end(story.Failed, "failed (exit code 1)")
	wantPart(t, out.String(), "the reason xxx")
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(printable(line))); n > 61 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

func TestLinesWaitBehindAQuestion(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	show := &terminal{w: &out}
	show.prompt("Apply? ")
	show.print("meanwhile")
	show.answered(true)
	show.print("after")
	if want := "Apply? \nmeanwhile\nafter\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

type brokenPipe struct{ writes int }

func (b *brokenPipe) Write([]byte) (int, error) {
	b.writes++
	return 0, errors.New("gone")
}

// TestAnnotationThatWasSaid: an annotation is printed only where the lines before it do
// not say the same, with the column or without.
func TestAnnotationThatWasSaid(t *testing.T) {
	t.Parallel()
	const message = "variables.yml has problems\n  infra/variables.yml:27:1: duplicate-key: \"name\" is here twice\n  → keep one\n  infra/variables.yml:30: no-value: write one\n"
	for annotation, want := range map[string]bool{
		"infra/variables.yml:27: duplicate-key: \"name\" is here twice → keep one": true,
		"infra/variables.yml:30: no-value: write one":                              true,
		"infra/variables.yml:28: duplicate-key: \"name\" is here twice → keep one": false,
		"infra/variables.yml:30: no-value: write one of them":                      false,
		"infra/variables.yml:3": false,
		"":                      false,
	} {
		if got := said(annotation, message); got != want {
			t.Errorf("%q: %v, want %v", annotation, got, want)
		}
	}
}

func TestTerminalThatIsGone(t *testing.T) {
	t.Parallel()
	w := &brokenPipe{}
	show := &terminal{w: w}
	show.print("a")
	show.print("b")
	if show.err == nil || w.writes != 1 {
		t.Errorf("err %v after %d writes", show.err, w.writes)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		result stepResult
		mark   story.Mark
		want   string
	}{
		{stepResult{command: "fetch-vars", outputs: map[string]string{"targets": `["a","b"]`}}, story.Done, "accepted: a, b"},
		{stepResult{command: "fetch-vars", exit: 3, outputs: map[string]string{"reason": "unverified-origin"}}, story.Stopped, "rejected: unverified-origin"},
		{stepResult{command: "plan", outputs: map[string]string{"outcome": "waiting", "create": "2", "delete": "1", "update": "0"}}, story.Done, "2 to create, 1 to destroy"},
		{stepResult{command: "plan", outputs: map[string]string{"outcome": "waiting"}}, story.Done, "only outputs change"},
		{stepResult{command: "plan", outputs: map[string]string{"outcome": "no-changes"}}, story.Done, "no changes"},
		{stepResult{command: "apply", exit: 4, outputs: map[string]string{"reason": "stale-state"}}, story.Failed, "refused: stale-state"},
		{stepResult{command: "trigger", outputs: map[string]string{"skipped": "Nothing to do"}}, story.Done, "Nothing to do"},
		{stepResult{command: "trigger", exit: 5}, story.Waiting, "still waiting"},
		{stepResult{command: "report"}, story.Done, "nothing to report"},
		{stepResult{command: "apply", exit: 130}, story.Stopped, "cancelled"},
		{stepResult{command: "apply", exit: 1}, story.Failed, "failed (exit code 1)"},
	} {
		mark, got := answerOf(c.result)
		if mark != c.mark || got != c.want {
			t.Errorf("%+v: got %s %q", c.result, mark, got)
		}
	}
}
