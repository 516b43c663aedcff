package render_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// everywhere is a report that holds s in every free text.
func everywhere(s string, outcome pipeline.Outcome) pipeline.Report {
	quoted, err := json.Marshal(s)
	if err != nil {
		quoted = []byte(`""`)
	}
	// An output that reads better in several lines is shown as a block.
	output, err := json.Marshal("v " + strings.Join(strings.Fields(s), " "))
	if err != nil {
		output = []byte(`""`)
	}
	value := pipeline.Value{Text: string(quoted)}
	raw := pipeline.Value{Text: s}
	attributes := []pipeline.AttributeChange{
		{Path: s, Before: raw, After: value, ForcesReplacement: true},
		{Path: s, Before: value, After: pipeline.Value{Unknown: true}},
		{Path: s, After: raw}, {Path: s, Before: value},
	}
	change := func(a pipeline.Action) pipeline.ResourceChange {
		return pipeline.ResourceChange{Address: s, PreviousAddress: s + "x", Module: s, Type: s, Deposed: s,
			Action: a, Reason: s, ImportID: s, Attributes: attributes}
	}
	at := pipeline.Position{File: s, Line: 3}
	own := pipeline.Position{File: "infra/variables.yml", Line: 12}
	diagnostics := []pipeline.Diagnostic{
		{Summary: s, Detail: s, Address: s, Where: at, Code: s, Source: own, Remedy: s, Exact: true},
		{Summary: s, Address: s, Source: at, Remedy: s},
		{Summary: s, Detail: s, Address: s, Where: at, Warning: true},
	}
	target := pipeline.TargetReport{
		Target: pipeline.Target{Environment: pipeline.Environment(s)}, Outcome: outcome, Reason: pipeline.Reason(s),
		Message: s, Next: s, PlanOnly: s, ReceiptCode: s, Applies: true, Diagnostics: diagnostics,
		Reviewed: pipeline.ReviewedDifferent, RunURL: "https://github.example/acme/x/actions/runs/1",
		Done:    []pipeline.AppliedResource{{Address: s, Action: pipeline.ActionCreate}, {Address: s, Action: pipeline.Action(s), Failed: true}},
		Outputs: []pipeline.Output{{Name: s, Value: string(output)}, {Name: s, Sensitive: true}},
		Plan: &pipeline.Plan{
			Tool: pipeline.ToolVersion{Name: s, Version: s}, Complete: true,
			Changes: []pipeline.ResourceChange{change(pipeline.ActionDelete), change(pipeline.ActionReplace),
				change(pipeline.ActionUpdate), change(pipeline.ActionForget), change(pipeline.ActionRead), change(pipeline.ActionNone)},
			Drift:   []pipeline.ResourceChange{change(pipeline.ActionUpdate)},
			Outputs: []pipeline.OutputChange{{Name: s, Before: value, After: raw}},
			Checks:  []pipeline.Check{{Address: s, Status: "fail", Messages: []string{s, s}}},
		},
	}
	noOutputs := target
	noOutputs.Outputs = nil
	return pipeline.Report{
		Request: pipeline.Request{
			ID: pipeline.RequestID(s), Customer: pipeline.CustomerName(s), Actor: s, Branch: s, Mode: pipeline.Mode(s),
			Repository: pipeline.Repository{Slug: pipeline.Slug{Owner: "acme", Name: "shop"}},
			Commit:     "0f1e2d3c4b5a69788796a5b4c3d2e1f001122334", File: "infra/variables.yml",
			CustomerRun: pipeline.Run{URL: "https://github.example/acme/shop/actions/runs/1"},
			Removed:     []pipeline.Environment{pipeline.Environment(s)}, RemovedStacks: []pipeline.Target{{Environment: pipeline.Environment(s), Stack: pipeline.StackName(s)}}, Reason: pipeline.Reason(s),
			Problems: pipeline.Problems{{Position: own, Rule: s, Message: s, Remedy: s}, {Position: at, Rule: s, Message: s, Warning: true}},
		},
		Manager: pipeline.Slug{Owner: s, Name: s},
		Targets: []pipeline.TargetReport{target, noOutputs},
		At:      time.Unix(1_770_000_000, 0),
	}
}

// blank reports whether s is left out as an empty text, so that the structure
// may well differ.
func blank(s string) bool { return strings.Join(strings.Fields(s), "") == "" }

// checkHarmless renders s everywhere and compares the structure of the texts
// with the one that a harmless word gives.
func checkHarmless(t *testing.T, s string, outcomes ...pipeline.Outcome) {
	t.Helper()
	if blank(s) {
		return
	}
	r := render.Renderer{CommentChars: 1 << 20, CommentBytes: 1 << 20} // what finds no room is told, which is structure as well
	for _, outcome := range outcomes {
		rep, tame := everywhere(s, outcome), everywhere("x", outcome)
		got, want := checkMarkdown(t, r.Comment(rep)), checkMarkdown(t, r.Comment(tame))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %q changes the structure (-want +got):\n%s", outcome, s, diff)
		}
		for _, env := range []pipeline.Environment{"", pipeline.Environment(s)} {
			checkLine(t, r.Status(rep, rep.Request.Customer.In(env)), render.StatusLimit-11)
		}
		var out bytes.Buffer
		if err := render.JSON(&out, rep); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("JSON of %q: %v", s, err)
		}
		checkVisible(t, out.String())
	}
	var out bytes.Buffer
	if err := render.Problems(&out, text.Pen{}, everywhere(s, "").Request.Problems); err != nil {
		t.Fatal(err)
	}
	checkVisible(t, out.String())
	if got := strings.Count(out.String(), "\n"); got != 3 {
		t.Errorf("problems of %q have %d lines, want 3:\n%s", s, got, out.String())
	}
}

func checkLine(t *testing.T, s string, limit int) {
	t.Helper()
	if n := utf8.RuneCountInString(s); n > limit || n == 0 || strings.Contains(s, "\n") {
		t.Errorf("status %q has %d characters", s, n)
	}
	checkVisible(t, s)
}

// checkVisible fails on what a terminal would obey or hide.
func checkVisible(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Errorf("invalid UTF-8: %q", s)
	}
	for _, r := range s {
		if r != '\n' && r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff {
			t.Errorf("%U in %q", r, s)
			return
		}
	}
}

func TestNastyStrings(t *testing.T) {
	t.Parallel()
	for _, s := range untrusted.Strings(t) {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			checkHarmless(t, s, pipeline.OutcomeWaiting, pipeline.OutcomeFailed, pipeline.OutcomeApplied)
			checkEncoders(t, s)
		})
	}
}

// checkEncoders compares what the encoders make of s with what they make of a
// harmless word, and that a reader sees every visible character.
func checkEncoders(t *testing.T, s string) {
	t.Helper()
	if blank(s) {
		return
	}
	if diff := cmp.Diff(checkMarkdown(t, render.EncodeAll("x")), checkMarkdown(t, render.EncodeAll(s))); diff != "" {
		t.Errorf("%q changes the structure (-want +got):\n%s\n%s", s, diff, render.EncodeAll(s))
	}
}

func FuzzReport(f *testing.F) {
	for _, s := range untrusted.Strings(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if utf8.RuneCountInString(s) <= 120 { // longer ones are clipped; the size tests cover them
			checkHarmless(t, s, pipeline.OutcomeFailed)
		}
	})
}

func FuzzEncoders(f *testing.F) {
	for _, s := range untrusted.Strings(f) {
		f.Add(s)
	}
	f.Fuzz(checkEncoders)
}
