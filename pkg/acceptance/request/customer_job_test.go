package request

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestLargeOutputFailsNothing: an output that GitHub has no room for is left out of the
// job's outputs by name; the job succeeds, and its summary shows what was applied.
func TestLargeOutputFailsNothing(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"terraform/large.tf": `output "certificates" { value = join("", [for i in range(1000) : format("%01500d", i)]) }` + "\n"})
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"})
	triggered := w.NewJob(run).Start("trigger", "--wait", "10m")
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	fetched := w.NewJob(r.Run).Do(0, "fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	r.Planned("staging")
	r.Do(0, "apply", "staging").Want(t, "outcome=applied")
	r.Report("--final").Want(t, "outcome=success")
	end := triggered.Wait()
	if end.Exit != 0 || !strings.Contains(end.Outputs["outputs"], `"name":`) || strings.Contains(end.Outputs["outputs"], "certificates") {
		t.Errorf("exit code %d, outputs %.300s:\n%s", end.Exit, end.Outputs["outputs"], end.Log)
	}
	end.Want(t, "ready=true", `setup={"staging":"ready"}`)
	if !strings.Contains(end.Log, "::warning title=output-too-large::the output certificates of staging has ") {
		t.Errorf("no warning:\n%s", end.Log)
	}
	for _, want := range []string{"| `staging` | ✅ Applied", "- `certificates` of `staging` (", "| `staging` | `name` | ", "opens only for people who may read `provider/infra`"} {
		if !strings.Contains(end.Summary, want) {
			t.Errorf("no %q in the summary:\n%s", want, end.Summary)
		}
	}
	if strings.Contains(end.Summary, "asked GitHub") {
		t.Errorf("the summary counts questions:\n%s", end.Summary)
	}
}

// TestCustomerJobShowsProblems: the customer's own summary has the problems of
// variables.yml with their lines.
func TestCustomerJobShowsProblems(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run, _ := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\nenvironments: {}\n"})
	end := w.NewJob(run).Do(3, "trigger", "--wait", "1m")
	if !strings.Contains(end.Summary, "What to fix") || !strings.Contains(end.Summary, "infra/variables.yml:4") {
		t.Errorf("summary:\n%s", end.Summary)
	}
}

// TestRejectedPullRequestGetsTheComment: what the manager finds stands in the one comment
// of the pull request, however often it is reported.
func TestRejectedPullRequestGetsTheComment(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	run, _ := w.Pull(w.Customer, "change", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  quality: {}\n"})
	r, _ := w.Ask(run, 3)
	r.Report("--final")
	comments := w.Customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "What to fix") || !strings.Contains(comments[0].Body, "infra/variables.yml:3") {
		t.Errorf("comments %+v", comments)
	}
}
