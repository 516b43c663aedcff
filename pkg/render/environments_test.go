package render_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/render"
)

const manyEnvironments = 60

// environmentName has the greatest length that a name may have.
func environmentName(i int) pipeline.Environment {
	return pipeline.Environment(fmt.Sprintf("%02d-%s", i, strings.Repeat("e", 37)))
}

// failedTarget has long texts wherever a tool or a provider writes some.
func failedTarget(i int, outcome pipeline.Outcome, unit string) pipeline.TargetReport {
	t := big(environmentName(i), 30, unit)
	t.Outcome, t.Message, t.Next = outcome, strings.Repeat(unit+" ", 200), strings.Repeat("next "+unit, 100)
	for range 5 {
		t.Diagnostics = append(t.Diagnostics, pipeline.Diagnostic{Summary: strings.Repeat(unit, 200), Detail: strings.Repeat(unit+"\n", 500)})
	}
	t.Outputs = []pipeline.Output{{Name: strings.Repeat("o", 100), Value: `"` + strings.Repeat(unit, 1000) + `"`}}
	return t
}

// TestManyEnvironments: a customer with sixty environments gets a comment that GitHub
// takes, each environment is named in it, and each has a status.
func TestManyEnvironments(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"word", "日本語", "👩‍👩‍👧‍👦", `"\`, "<b>&"} {
		for _, outcome := range []pipeline.Outcome{pipeline.OutcomePlanned, pipeline.OutcomeWaiting, pipeline.OutcomeApplied, pipeline.OutcomeFailed, pipeline.OutcomeRefused, pipeline.OutcomeApplying} {
			t.Run(fmt.Sprintf("%s %s", unit, outcome), func(t *testing.T) {
				t.Parallel()
				var targets []pipeline.TargetReport
				for i := range manyEnvironments {
					targets = append(targets, failedTarget(i, outcome, unit))
				}
				rep, r := reportOf(targets...), render.Renderer{}
				for i := range manyEnvironments {
					rep.Request.Targets = append(rep.Request.Targets, pipeline.RequestTarget{Target: rep.Request.Customer.In(environmentName(i))})
				}
				comment, summary := r.Comment(rep), r.Summary(rep)
				checkSize(t, comment, 65_536-1, render.DefaultCommentBytes)
				checkSize(t, summary, 1<<20, 1<<20)
				checkMarkdown(t, comment)
				for i := range manyEnvironments {
					env := environmentName(i)
					if !strings.Contains(comment, string(env)) || !strings.Contains(summary, string(env)) {
						t.Errorf("%s is not named", env)
					}
					checkLine(t, r.Status(rep, rep.Request.Customer.In(env)), render.StatusLimit-11)
					if d := pipeline.WithRequestTag(r.Status(rep, rep.Request.Customer.In(env)), rep.Request.ID); utf8.RuneCountInString(d) > 140 {
						t.Errorf("%d characters: %s", utf8.RuneCountInString(d), d)
					}
				}
				checkLine(t, r.Status(rep, pipeline.Target{}), render.StatusLimit-11)
			})
		}
	}
}

// TestManyEnvironmentsRejected: as many problems as a file can have.
func TestManyEnvironmentsRejected(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"word", "日本語", "👩‍👩‍👧‍👦", "|`<"} {
		rep := reportOf()
		rep.Request.Reason = pipeline.ReasonInvalidVariables
		for i := range 100 {
			rep.Request.Problems = append(rep.Request.Problems, pipeline.Problem{Position: pipeline.Position{File: strings.Repeat(unit, 50), Line: i + 1, Column: 1}, Rule: "pattern", Message: strings.Repeat(unit, 300), Remedy: strings.Repeat(unit, 300)})
		}
		var r render.Renderer
		checkSize(t, r.Comment(rep), 65_536-1, render.DefaultCommentBytes)
		checkSize(t, r.Summary(rep), 1<<20, 1<<20)
		checkLine(t, r.Status(rep, pipeline.Target{}), render.StatusLimit-11)
	}
}

// TestCustomerSummaryOfManyEnvironments: the customer's own job summary.
func TestCustomerSummaryOfManyEnvironments(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"word", "日本語", "👩‍👩‍👧‍👦", "|`<"} {
		job := render.CustomerJob{Err: errors.New(strings.Repeat(unit, 10_000)), Result: intake.TriggerResult{Description: strings.Repeat(unit, 500), Outputs: map[string]map[string]string{}}}
		for i := range manyEnvironments {
			env := environmentName(i)
			job.Result.Targets = append(job.Result.Targets, intake.TargetStatus{Name: string(env), State: pipeline.StatusFailure, Description: strings.Repeat(unit, 140)})
			outputs := map[string]string{}
			for n := range 200 {
				outputs[fmt.Sprintf("output_%03d", n)] = `"` + strings.Repeat(unit, 2000) + `"`
			}
			job.Result.Outputs[string(env)] = outputs
			job.LeftOut = append(job.LeftOut, render.LeftOut{Target: string(env), Name: strings.Repeat(unit, 300), Bytes: 1 << 20})
		}
		summary := render.Renderer{}.Customer(job)
		checkSize(t, summary, 1<<20, 1<<20)
		for i := range manyEnvironments {
			if !strings.Contains(summary, string(environmentName(i))) {
				t.Errorf("%s is not named", environmentName(i))
			}
		}
	}
}

// partOfEscape is the beginning of a \u escape at the end of a text.
var partOfEscape = regexp.MustCompile(`\\u[0-9a-f]{0,3}$`)

// TestLongStatuses: a description in any alphabet has at most 140 characters, as GitHub
// counts them, with the request's id behind it, and no character that a reader sees is cut.
func TestLongStatuses(t *testing.T) {
	t.Parallel()
	for _, one := range []string{"é", "e\u0301", "字", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "\u1112\u1161\u11ab", "नि"} {
		for shift := range 12 {
			text := strings.Repeat("x", shift) + strings.Repeat(one, 200)
			rep := reportOf(pipeline.TargetReport{Target: pipeline.Target{Environment: "staging"}, Outcome: pipeline.OutcomeRefused, Message: text})
			rejected := reportOf()
			rejected.Request.Reason, rejected.Request.Problems = pipeline.ReasonInvalidVariables, pipeline.Problems{{Message: text}, {Message: "b"}}
			var r render.Renderer
			for _, status := range []string{r.Status(rep, rep.Request.Customer.In("staging")), r.Status(rejected, pipeline.Target{})} {
				d := pipeline.WithRequestTag(status, rep.Request.ID)
				if n := utf8.RuneCountInString(d); n > 140 || !strings.HasSuffix(d, pipeline.RequestTag(rep.Request.ID)) {
					t.Errorf("%d characters: %s", n, d)
				}
				shown := strings.ReplaceAll(one, "\u200d", `\u200d`) // what joins is made visible
				before, _, cut := strings.Cut(d, "…")
				if joined := strings.Contains(shown, `\u`); !cut || !joined && !strings.HasSuffix(before, shown) || joined && partOfEscape.MatchString(before) {
					t.Errorf("%q is cut: %s", one, d)
				}
			}
		}
	}
}
