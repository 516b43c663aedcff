package render_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// big returns a target with n changes; every tenth is a destroy and every
// hundredth a replacement.
func big(env pipeline.Environment, n int, unit string) pipeline.TargetReport {
	plan := &pipeline.Plan{Complete: true, Changes: make([]pipeline.ResourceChange, n)}
	value := func(s string) pipeline.Value { return pipeline.Value{Text: `"` + s + `"`} }
	for i := range plan.Changes {
		c := &plan.Changes[i]
		c.Address = fmt.Sprintf(`module.m%d.terraform_data.%s["%06d"]`, i%7, unit, i)
		c.Attributes = []pipeline.AttributeChange{
			{Path: "input", Before: value(unit), After: value(unit + "2"), ForcesReplacement: i%100 == 0},
			{Path: "tags", Before: value("```"), After: value("````")},
		}
		switch {
		case i%100 == 0:
			c.Action = pipeline.ActionReplace
			plan.Counts.Replace++
		case i%10 == 0:
			c.Action = pipeline.ActionDelete
			plan.Counts.Delete++
		default:
			c.Action = pipeline.ActionUpdate
			plan.Counts.Update++
		}
	}
	return pipeline.TargetReport{Target: pipeline.Target{Environment: env}, Outcome: pipeline.OutcomePlanned, Plan: plan,
		ReceiptCode: "aaaa-bbbb-cccc", RunURL: "https://github.example/acme/x/actions/runs/1"}
}

func reportOf(targets ...pipeline.TargetReport) pipeline.Report {
	for i := range targets {
		targets[i].Customer = "shop"
	}
	return pipeline.Report{
		Request: pipeline.Request{ID: "1a2b3c4d-0000-4000-8000-000000000001", Customer: "shop"},
		Targets: targets,
	}
}

// caused gives the changes of t causes: the instances of a module have the same.
func caused(t pipeline.TargetReport) pipeline.TargetReport {
	for i := range t.Plan.Changes {
		t.Plan.Changes[i].Causes = []pipeline.Cause{{Path: "environments.x.size", Where: pipeline.Position{File: "variables.yml", Line: i%7 + 1}, Before: pipeline.Value{Text: "1"}, After: pipeline.Value{Text: "2"}}}
	}
	t.Plan.Compared = pipeline.ComparedApplied
	return t
}

func checkSize(t *testing.T, text string, chars, bytes int) {
	t.Helper()
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	// json.Marshal escapes <, > and & for HTML; clients of GitHub do not.
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(encoded))
	if n := utf8.RuneCountInString(text); n > chars {
		t.Errorf("%d characters, the limit is %d", n, chars)
	}
	if n := len(plain) - 2; n > bytes {
		t.Errorf("%d bytes encoded, the limit is %d", n, bytes)
	}
}

// composite gives t trees of what is composed, and of what was predicted.
func composite(t pipeline.TargetReport, n int) pipeline.TargetReport {
	for i := range n {
		t.Composed.Objects = append(t.Composed.Objects, pipeline.ComposedObject{Address: fmt.Sprintf("Bucket.example.org shop/`%06d`", i), Depth: i % 12, State: pipeline.ComposedNotReady, Detail: strings.Repeat(`"日本\`, 100)})
	}
	t.Plan.Composed = t.Composed
	return t
}

// TestSizeOfTrees: a report with trees of any size fits, and says how much it leaves out.
func TestSizeOfTrees(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 40, 300, 20_000} {
		applied, planned := composite(big("staging", 400, "web"), n), composite(big("production", 400, "web"), n)
		applied.Outcome, planned.Composed = pipeline.OutcomeApplied, pipeline.Composition{}
		rep := reportOf(applied, planned, composite(big("demo", n, "web"), n))
		var r render.Renderer
		comment, summary := r.Comment(rep), r.Summary(rep)
		checkSize(t, comment, render.DefaultCommentChars, render.DefaultCommentBytes)
		checkSize(t, summary, render.DefaultSummaryBytes, render.DefaultSummaryBytes)
		checkMarkdown(t, comment)
		for _, want := range []string{fmt.Sprintf("Composed resources (%s, %d not ready)", count(n), n), fmt.Sprintf("Predicted: what would be composed (%s", count(n))} {
			if !strings.Contains(comment, want) {
				t.Errorf("%d objects: the comment does not say %q", n, want)
			}
		}
		if n > 300 && !strings.Contains(comment, " objects more; ") {
			t.Errorf("%d objects: the comment does not say that there are more", n)
		}
	}
}

func count(n int) string {
	if n == 1 {
		return "1 object"
	}
	return fmt.Sprintf("%d objects", n)
}

// TestSizes checks that any amount of changes fits, whole, with its dangers in
// sight or counted.
func TestSizes(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"web", "日本語テキスト", `\"\\\"`, "🙂"} {
		for _, n := range []int{1, 40, 150, 400, 1000, 20_000} {
			t.Run(fmt.Sprintf("%s/%d", unit, n), func(t *testing.T) {
				t.Parallel()
				rep := reportOf(big("staging", n/3, unit), big("qa", 0, unit), big("production", n, unit), caused(big("demo", n, unit)))
				var r render.Renderer
				comment, summary := r.Comment(rep), r.Summary(rep)
				checkSize(t, comment, render.DefaultCommentChars, render.DefaultCommentBytes)
				checkSize(t, summary, render.DefaultSummaryBytes, render.DefaultSummaryBytes)
				checkMarkdown(t, comment)
				if n == 1000 {
					checkMarkdown(t, summary)
				}
				checkDangers(t, comment, rep)
				checkDangers(t, summary, rep)
			})
		}
	}
}

// checkDangers counts the destroys and replacements in text: those that are
// listed and those that are said to be left out must be all.
func checkDangers(t *testing.T, text string, rep pipeline.Report) {
	t.Helper()
	destroys, replaces := 0, 0
	for _, target := range rep.Targets {
		destroys += target.Plan.Counts.Delete
		replaces += target.Plan.Counts.Replace
	}
	gotD, gotR := 0, 0
	listed := func(line, prefix string) int {
		rest, ok := strings.CutPrefix(line, prefix)
		if n := 0; ok {
			if _, err := fmt.Sscanf(rest, "%d instances of", &n); err != nil {
				n = 1
			}
			return n
		}
		return 0
	}
	for line := range strings.Lines(text) {
		gotD, gotR = gotD+listed(line, "- 🗑️ **destroy** "), gotR+listed(line, "- ♻️ **replace** ")
		left, found := strings.CutPrefix(line, "- ⚠️ **and more that found no room here: ")
		if !found {
			continue
		}
		if !strings.Contains(line, "job summary](https://") && !strings.Contains(line, "--json") {
			t.Errorf("it does not say where the rest is: %s", line)
		}
		words, _, _ := strings.Cut(left, "**")
		for part := range strings.SplitSeq(words, ", ") {
			var n int
			var command string
			if _, err := fmt.Sscanf(part, "%d to %s", &n, &command); err != nil {
				t.Fatalf("%q: %v", part, err)
			}
			if command == "destroy" {
				gotD += n
			} else {
				gotR += n
			}
		}
	}
	if gotD != destroys || gotR != replaces {
		t.Errorf("%d destroys and %d replacements are told, there are %d and %d", gotD, gotR, destroys, replaces)
	}
}

// TestSmallRoom checks that the smallest sizes still give a whole text, also for
// more environments than can be shown and for texts that swell.
func TestSmallRoom(t *testing.T) {
	t.Parallel()
	r := render.Renderer{CommentChars: 1, CommentBytes: 1, SummaryBytes: 1}
	for _, n := range []int{1, 3, 100} {
		var targets, hostile []pipeline.TargetReport
		for i := range n {
			targets = append(targets, big(pipeline.Environment(fmt.Sprintf("env-%d", i)), 50, "web"))
			bad := everywhere(strings.Repeat("\u202e\U000e0041`|", 400), pipeline.OutcomeFailed).Targets[0]
			hostile = append(hostile, bad)
		}
		for _, rep := range []pipeline.Report{reportOf(targets...), reportOf(hostile...)} {
			for _, text := range []string{r.Comment(rep), r.Summary(rep)} {
				checkSize(t, text, 8000, 8000)
				checkMarkdown(t, text)
				if n > 3 && !strings.Contains(text, "found no room here") {
					t.Errorf("%d environments: nothing says that some are left out", n)
				}
			}
		}
	}
}

// TestDegrades checks the order in which things are left out.
func TestDegrades(t *testing.T) {
	t.Parallel()
	var r render.Renderer
	blocks := func(n int) (full, short int, text string) {
		text = r.Comment(reportOf(big("staging", n, "web")))
		return strings.Count(text, "`diff\n"), strings.Count(text, "\n- change `"), text
	}
	if full, short, _ := blocks(50); full != 50 || short != 0 {
		t.Errorf("50 changes: %d in full, %d in short; want all in full", full, short)
	}
	if full, short, text := blocks(400); full == 0 || short == 0 || !strings.Contains(text, "for want of room") {
		t.Errorf("400 changes: %d in full, %d in short; want some of both", full, short)
	}
	if full, short, text := blocks(1500); full != 0 || short == 0 || !strings.Contains(text, "and more that found no room here: ") {
		t.Errorf("1500 changes: %d in full, %d in short; want addresses and a count", full, short)
	}
}

// TestLinear checks that rendering does not grow with the plan more than
// reading it does.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	rep := reportOf(big("staging", 100_000, "web"))
	encoded, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var again pipeline.Report
	begin := time.Now()
	if err := json.Unmarshal(encoded, &again); err != nil {
		t.Fatal(err)
	}
	decode := time.Since(begin)
	var r render.Renderer
	begin = time.Now()
	size := len(r.Comment(again)) + len(r.Summary(again)) + len(r.Status(again, again.Request.Customer.In("staging")))
	if render := time.Since(begin); render > decode {
		t.Errorf("%d bytes rendered in %v, decoding the plan takes %v", size, render, decode)
	}
}

func BenchmarkRender(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		rep := reportOf(big("staging", n, "web"))
		encoded, err := json.Marshal(rep)
		if err != nil {
			b.Fatal(err)
		}
		var r render.Renderer
		b.Run(fmt.Sprintf("decode/%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(encoded)))
			for b.Loop() {
				var out pipeline.Report
				if err := json.Unmarshal(encoded, &out); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("comment/%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(encoded)))
			for b.Loop() {
				_ = r.Comment(rep)
			}
		})
		b.Run(fmt.Sprintf("summary/%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(encoded)))
			for b.Loop() {
				_ = r.Summary(rep)
			}
		})
	}
}

// TestHugeTexts checks that one enormous text costs no more than its share.
func TestHugeTexts(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("a\n`|é🙂\u202e", 1<<16)
	rep := everywhere(huge, pipeline.OutcomeFailed)
	var r render.Renderer
	comment := r.Comment(rep)
	checkSize(t, comment, render.DefaultCommentChars, render.DefaultCommentBytes)
	checkMarkdown(t, comment)
	checkLine(t, r.Status(rep, pipeline.Target{}), render.StatusLimit-11)
}
