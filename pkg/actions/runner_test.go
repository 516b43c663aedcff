package actions_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// step is a runner with its files in a directory and its log in memory.
func step(t *testing.T) (r *actions.Runner, log *bytes.Buffer, c actions.Context) {
	t.Helper()
	dir := t.TempDir()
	c = actions.Context{InActions: true, OutputFile: filepath.Join(dir, "output"), SummaryFile: filepath.Join(dir, "summary")}
	log = &bytes.Buffer{}
	return actions.NewRunner(actions.Options{Context: c, Commands: log}), log, c
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// parseOutputs reads an output file as the runner does.
func parseOutputs(t *testing.T, text string) map[string]string {
	t.Helper()
	got := map[string]string{}
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines)-1; i++ {
		name, delimiter, ok := strings.Cut(lines[i], "<<")
		if !ok {
			t.Fatalf("line %q has no delimiter", lines[i])
		}
		var value []string
		for i++; i < len(lines) && lines[i] != delimiter; i++ {
			value = append(value, lines[i])
		}
		got[name] = strings.Join(value, "\n")
	}
	return got
}

func TestSetOutput(t *testing.T) {
	t.Parallel()
	r, _, c := step(t)
	hostile := "x\n_GitHubActionsFileCommandDelimeter_\nadmin<<E\ntrue\nE\nEOF"
	want := map[string]string{"plain": "a b", "empty": "", "multi-line": "a\n\nb\n", "hostile_1": hostile, "odd": "a\uFFFDb"}
	for name, value := range want {
		if name == "odd" {
			value = "a\xffb"
		}
		if err := r.SetOutput(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, parseOutputs(t, read(t, c.OutputFile))); diff != "" {
		t.Error(diff)
	}
}

func TestSetOutputRefuses(t *testing.T) {
	t.Parallel()
	r, _, c := step(t)
	for _, name := range []string{"", "a b", "a<<b", "a\nb=c", "ä"} {
		if err := r.SetOutput(name, "x"); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
	if err := r.SetOutput("big", strings.Repeat("x", 1<<20+1)); err == nil {
		t.Error("an output above GitHub's limit was taken")
	}
	c.OutputFile = filepath.Join(c.OutputFile, "not", "there")
	for want, path := range map[string]string{"GITHUB_OUTPUT is not set": "", "GITHUB_OUTPUT: ": c.OutputFile} {
		c.OutputFile = path
		err := actions.NewRunner(actions.Options{Context: c}).SetOutput("a", "b")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("path %q: %v", path, err)
		}
	}
}

func TestOutsideOfActions(t *testing.T) {
	t.Parallel()
	var log, outputs bytes.Buffer
	r := actions.NewRunner(actions.Options{Commands: &log, Outputs: &outputs})
	errs := errors.Join(r.SetOutput("a", "b"), r.Mask("secret"), r.AppendSummary("s"),
		r.Annotate(pipeline.Problems{{Message: "m"}}))
	if errs != nil || log.Len() != 0 || outputs.String() != "a=b\n" {
		t.Errorf("%v, log %q, outputs %q", errs, &log, &outputs)
	}
	if err := actions.NewRunner(actions.Options{}).SetOutput("a", "b"); err != nil {
		t.Error(err)
	}
}

func TestSummaryLimit(t *testing.T) {
	t.Parallel()
	r, _, c := step(t)
	if err := r.AppendSummary("# one"); err != nil {
		t.Fatal(err)
	}
	if err := r.AppendSummary(strings.Repeat("a line of text\n", 80000)); err != nil {
		t.Fatal(err)
	}
	got := read(t, c.SummaryFile)
	if len(got) > 1<<20 || !strings.HasPrefix(got, "# one\na line") || !strings.Contains(got, "text\n\n\n> This summary was cut") {
		t.Errorf("%d bytes, ends with %q", len(got), got[len(got)-200:])
	}
	if err := r.AppendSummary(strings.Repeat("x", 1000)); err == nil {
		t.Error("a full summary took more without a word")
	}
}

func TestCutMarkdown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in    string
		limit int
		want  string
	}{
		{"a\nb\n", 10, "a\nb\n"},
		{"a\nb\n", 3, "a\n"},
		{"abc", 2, ""},
		{"a\n```\ncode\n```\nb\n", 12, "a\n"},
		{"a\n```\ncode\n```\nb\n", 15, "a\n```\ncode\n```\n"},
		{"````\n```\nx\n````\nlast line\n", 18, "````\n```\nx\n````\n"},
		{"~~~\n```\n~~~\nb\nlast\n", 15, "~~~\n```\n~~~\nb\n"},
		{"``` a`b\nx\nlast line\n", 11, "``` a`b\nx\n"},
		{"    ```\nx\nlast line\n", 11, "    ```\nx\n"},
		{"```go\n``` go\n```\nlast line\n", 18, "```go\n``` go\n```\n"},
	} {
		if got := actions.CutMarkdown(tc.in, tc.limit); got != tc.want {
			t.Errorf("%q to %d: got %q, want %q", tc.in, tc.limit, got, tc.want)
		}
	}
}

func TestAnnotate(t *testing.T) {
	t.Parallel()
	r, log, _ := step(t)
	err := r.Annotate(pipeline.Problems{
		{Position: pipeline.Position{File: "infra/a,b:c.yml", Line: 3, Column: 9}, Rule: "type", Message: "50% is\n::error::no", Remedy: "fix"},
		{Message: "everywhere", Warning: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "::error col=9,file=infra/a%2Cb%3Ac.yml,line=3,title=type::50%25 is%0A::error::no%0A→ fix\n::warning::everywhere\n"
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Error(diff)
	}
}

func TestAnnotationLimits(t *testing.T) {
	t.Parallel()
	r, log, _ := step(t)
	var problems pipeline.Problems
	for i := range 25 {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: "::error::f"}, Rule: "r", Message: fmt.Sprintf("problem %d", i)})
	}
	for range 2 {
		if err := r.Annotate(problems); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Count(log.String(), "\n::error ") + strings.Count(log.String()[:8], "::error "); got != 9 {
		t.Errorf("%d annotations with a place, want 9:\n%s", got, log)
	}
	if !strings.Contains(log.String(), "\n::error::16 more problems") {
		t.Errorf("the rest is not counted:\n%s", log)
	}
	if got := strings.Count(log.String(), ": :error::f: r: problem 24"); got != 2 {
		t.Errorf("the rest is not in the log, or it is obeyed there:\n%s", log)
	}
	if err := r.Annotate(pipeline.Problems{{Message: strings.Repeat("ü", 5000), Warning: true}}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if last := lines[len(lines)-1]; len(last) > 4096+len("::warning::") || !utf8.ValidString(last) || !strings.HasSuffix(last, "…") {
		t.Errorf("the message has %d bytes", len(last))
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestBrokenLogIsAnError(t *testing.T) {
	t.Parallel()
	r := actions.NewRunner(actions.Options{Context: actions.Context{InActions: true}, Commands: brokenWriter{}})
	for name, err := range map[string]error{
		"mask": r.Mask("secret"), "annotate": r.Annotate(pipeline.Problems{{Message: "m"}}),
	} {
		if err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
