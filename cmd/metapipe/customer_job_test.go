package main

import (
	"strings"
	"testing"
)

// TestLargeOutputFailsNothing: an output that GitHub has no room for is left out of the
// job's outputs by name; the job succeeds, and its summary shows what was applied.
func TestLargeOutputFailsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"terraform/large.tf": `output "certificates" { value = join("", [for i in range(1000) : format("%01500d", i)]) }` + "\n"})
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"})
	triggered := w.newJob(run).start("trigger", "--wait", "10m")
	r := &request{w: w, trigger: run, run: w.queued()}
	fetched := w.newJob(r.run).do(0, "fetch-vars")
	r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	r.planned("staging")
	r.do(0, "apply", "staging").want(t, "outcome=applied")
	r.report("--final").want(t, "outcome=success")
	end := triggered.wait()
	if end.exit != 0 || !strings.Contains(end.outputs["outputs"], `"name":`) || strings.Contains(end.outputs["outputs"], "certificates") {
		t.Errorf("exit code %d, outputs %.300s:\n%s", end.exit, end.outputs["outputs"], end.log)
	}
	if !strings.Contains(end.log, "::warning title=output-too-large::the output certificates of staging has ") {
		t.Errorf("no warning:\n%s", end.log)
	}
	for _, want := range []string{"| `staging` | ✅ Applied", "- `certificates` of `staging` (", "| `staging` | `name` | ", "opens only for people who may read `provider/infra`"} {
		if !strings.Contains(end.summary, want) {
			t.Errorf("no %q in the summary:\n%s", want, end.summary)
		}
	}
	if strings.Contains(end.summary, "asked GitHub") {
		t.Errorf("the summary counts questions:\n%s", end.summary)
	}
}

// TestCustomerJobShowsProblems: the customer's own summary has the problems of
// variables.yml with their lines.
func TestCustomerJobShowsProblems(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run, _ := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\nenvironments: {}\n"})
	end := w.newJob(run).do(3, "trigger", "--wait", "1m")
	if !strings.Contains(end.summary, "What to fix") || !strings.Contains(end.summary, "infra/variables.yml:4") {
		t.Errorf("summary:\n%s", end.summary)
	}
}

// TestRejectedPullRequestGetsTheComment: what the manager finds stands in the one comment
// of the pull request, however often it is reported.
func TestRejectedPullRequestGetsTheComment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	run, _ := w.pull(w.customer, "change", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  quality: {}\n"})
	r, _ := w.ask(run, 3)
	r.report("--final")
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "What to fix") || !strings.Contains(comments[0].Body, "infra/variables.yml:3") {
		t.Errorf("comments %+v", comments)
	}
}
