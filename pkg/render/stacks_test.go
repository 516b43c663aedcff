package render_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestManyStacks: sixty stacks with names of the greatest length get a comment that GitHub
// takes, each is named in it, each environment has one section, and each stack has a status.
func TestManyStacks(t *testing.T) {
	t.Parallel()
	stack := func(i int) pipeline.StackName {
		return pipeline.StackName(strings.Replace(string(environmentName(i)), "e", "s", -1))
	}
	for _, outcome := range []pipeline.Outcome{pipeline.OutcomeWaiting, pipeline.OutcomeFailed, pipeline.OutcomeApplied} {
		var targets []pipeline.TargetReport
		for i := range manyEnvironments {
			target := failedTarget(i/20, outcome, "日本語")
			target.Stack = stack(i % 20)
			targets = append(targets, target)
		}
		rep, r := reportOf(targets...), render.Renderer{}
		comment, summary := r.Comment(rep), r.Summary(rep)
		checkSize(t, comment, 65_536-1, render.DefaultCommentBytes)
		checkSize(t, summary, 1<<20, 1<<20)
		checkMarkdown(t, comment)
		checkMarkdown(t, summary)
		for _, target := range targets {
			if !strings.Contains(comment, "| `"+target.Name()+"` |") || !strings.Contains(summary, "| `"+target.Name()+"` |") {
				t.Errorf("%s has no row", target.Name())
			}
			status := r.Status(rep, target.Target)
			checkLine(t, status, render.StatusLimit-11)
			if d := pipeline.WithRequestTag(status, rep.Request.ID); utf8.RuneCountInString(d) > pipeline.StatusLimit {
				t.Errorf("%d characters: %s", utf8.RuneCountInString(d), d)
			}
		}
		for i := range 3 {
			section := "\n### "
			n := 0
			for _, line := range strings.Split(summary, section)[1:] {
				if head, _, _ := strings.Cut(line, "\n"); strings.HasSuffix(head, " `"+string(environmentName(i))+"`") {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s has %d sections", environmentName(i), n)
			}
		}
		checkLine(t, r.Status(rep, pipeline.Target{}), render.StatusLimit-11)
	}
}

// TestStacksBesideAnUnnamedOne: a target without a stack keeps a section of its own.
func TestStacksBesideAnUnnamedOne(t *testing.T) {
	t.Parallel()
	of := func(env pipeline.Environment, stack pipeline.StackName) pipeline.TargetReport {
		return pipeline.TargetReport{Target: pipeline.Target{Customer: "shop", Environment: env, Stack: stack}, Outcome: pipeline.OutcomePlanning}
	}
	var heads []string
	for _, line := range strings.Split(render.Renderer{}.Comment(reportOf(of("staging", ""), of("staging", "network"), of("staging", "hosts"), of("live", "network"), of("live", ""))), "\n") {
		if strings.HasPrefix(line, "###") {
			heads = append(heads, line)
		}
	}
	want := []string{"### ⏳ `staging`: Planning", "### ⏳ `staging`", "#### ⏳ `staging/network`: Planning", "#### ⏳ `staging/hosts`: Planning",
		"### ⏳ `live`", "#### ⏳ `live/network`: Planning", "### ⏳ `live`: Planning"}
	if strings.Join(heads, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s", strings.Join(heads, "\n"))
	}
}
