package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

func TestProse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"A plain sentence, with (brackets) and 3.5 %.": "A plain sentence, with (brackets) and 3.5 %.",
		"unknown key `regoin`":                         "unknown key `regoin`",
		`write "aws_instance.web", please`:             "write \"`aws_instance.web`\", please",
		"ask @octocat about #12.":                      "ask `@octocat` about `#12`.",
		"see https://x.example/a_b.":                   "see `https://x.example/a_b`.",
		"commit 0f1e2d3c4b is gone":                    "commit `0f1e2d3c4b` is gone",
		"call f(x|y) now":                              "call `f(x|y)` now",
		"- not a list":                                 "`-` not a list",
		"1. not a list":                                "`1`. not a list",
		"a ` alone":                                    "a `` ` `` alone",
		"two\nlines":                                   "two lines",
		"":                                             "",
	} {
		if got := render.PlainText(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://github.example/a/b/actions/runs/1":     "https://github.example/a/b/actions/runs/1",
		"http://127.0.0.1:8080/a":                       "http://127.0.0.1:8080/a",
		"https://x.example/a)b(c":                       "https://x.example/a%29b%28c",
		"javascript:alert(1)":                           "",
		"//x.example":                                   "",
		"https://user:secret@x.example/":                "",
		"https://x.example/\x00":                        "",
		"https://x.example/" + strings.Repeat("a", 600): "",
		"": "",
	} {
		if got := render.Address(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := render.Problems(&out, text.Pen{}, pipeline.Problems{
		{Position: pipeline.Position{File: "infra/variables.yml", Line: 12, Column: 3}, Rule: "unknown-key", Message: "unknown key `regoin`", Remedy: "Did you mean `region`?"},
		{Position: pipeline.Position{File: "metapipe.yml"}, Rule: "advice", Message: "red \x1b[31m text", Warning: true},
		{Message: "nowhere"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "infra/variables.yml:12:3  error    unknown key `regoin`  [unknown-key]\n" +
		"                                   → Did you mean `region`?\n" +
		"metapipe.yml              warning  red \\u001b[31m text  [advice]\n" +
		"-                         error    nowhere\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterFails(t *testing.T) {
	t.Parallel()
	if err := render.Problems(brokenWriter{}, text.Pen{}, pipeline.Problems{{Message: "x"}}); err == nil {
		t.Error("Problems swallowed the error of the writer")
	}
	if err := render.JSON(brokenWriter{}, pipeline.Report{}); err == nil {
		t.Error("JSON swallowed the error of the writer")
	}
}

// TestJSONRoundTrip checks that the escapes change no value.
func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	for _, s := range untrusted.Strings(t) {
		s = strings.ToValidUTF8(s, "\ufffd")
		rep := everywhere(s, pipeline.OutcomeFailed)
		var out bytes.Buffer
		if err := render.JSON(&out, rep); err != nil {
			t.Fatal(err)
		}
		var got pipeline.Report
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Request.Branch != s || got.Targets[0].Message != s {
			t.Errorf("%q came back as %q", s, got.Request.Branch)
		}
	}
}

// TestSensitiveWins checks that a value marked as sensitive never shows its text,
// should it still have one.
func TestSensitiveWins(t *testing.T) {
	t.Parallel()
	secret := pipeline.Value{Text: `"hunter2\nsecond line"`, Sensitive: true}
	open := pipeline.Value{Text: `"open\nsecond line"`}
	target := pipeline.TargetReport{Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomeApplied, Plan: &pipeline.Plan{
		Complete: true,
		Changes: []pipeline.ResourceChange{{Address: "a.b", Action: pipeline.ActionReplace, Attributes: []pipeline.AttributeChange{
			{Path: "p", Before: secret, After: open, ForcesReplacement: true}, {Path: "q", Before: open, After: secret},
			{Path: "r", Before: secret, After: secret}, {Path: "s", After: secret}, {Path: "t", Before: secret},
		}}},
		Drift:   []pipeline.ResourceChange{{Address: "a.b", Action: pipeline.ActionUpdate, Attributes: []pipeline.AttributeChange{{Path: "p", Before: open, After: secret}}}},
		Outputs: []pipeline.OutputChange{{Name: "o", Before: secret, After: secret}},
	}}
	withOutputs := target
	withOutputs.Outputs = []pipeline.Output{{Name: "o", Value: secret.Text, Sensitive: true}}
	var r render.Renderer
	rep := reportOf(target, withOutputs)
	for _, text := range []string{r.Comment(rep), r.Summary(rep), r.Plan(target), r.Plan(withOutputs)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the secret is shown:\n%s", text)
		}
	}
}

// TestCommentIsStable checks that only the time of writing changes nothing.
func TestCommentIsStable(t *testing.T) {
	t.Parallel()
	rep := readCase[pipeline.Report](t, "testdata/waiting-approval.json")
	later := rep
	later.At = rep.At.AddDate(0, 0, 1)
	var r render.Renderer
	if r.Comment(rep) != r.Comment(later) {
		t.Error("the comment depends on the time of writing")
	}
}
