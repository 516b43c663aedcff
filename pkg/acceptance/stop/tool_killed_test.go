//go:build unix

package stop

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestToolKilled kills the tool alone in the middle of an apply: the report tells
// what was made and what no one knows the end of.
func TestToolKilled(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	begun := filepath.Join(t.TempDir(), "begun")
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"}))
	planned := r.Planned("staging")
	p := w.NewJob(r.Run).Start(r.Args("apply", "staging", "--receipt", planned.Outputs["receipt"])...)
	fixture.AwaitFile(t, begun)
	fixture.KillTool(t, begun)
	end := p.Wait()
	if end.Exit != 1 {
		t.Fatalf("exit code %d:\n%s", end.Exit, end.Log)
	}
	end.Says(t, "1 change was made and 0 failed, 1 began and did not end")
	w.NewJob(r.Run).Do(0, "state", "show", "--log", "--customer", "shop", "--environment", "staging", "--request", r.ID).Says(t,
		"== plan 1 of request", "Plan: 2 to add", "== apply 1 of request", "terraform_data.first: Creation complete")
	report := r.Report("--final")
	for _, text := range []string{"terraform_data.first", "began and did not end", "terraform_data.second"} {
		if !strings.Contains(report.Summary, text) {
			t.Errorf("the report does not say %q:\n%s", text, report.Summary)
		}
	}
	report.Says(t, "--log") // for the manager: customers cannot read it
	w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy/staging", "failure: ")
	w.WantNothingPending()
	r.Do(4, "apply", "staging").Want(t, "reason=already-applied")
}
