//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestToolKilled kills the tool alone in the middle of an apply: the report tells
// what was made and what nobody knows the end of.
func TestToolKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	begun := filepath.Join(t.TempDir(), "begun")
	r := w.accept(w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: 'echo $PPID > " + begun + ".new; mv " + begun + ".new " + begun + "; sleep 300'\nenvironments:\n  staging: {}\n"}))
	planned := r.planned("staging")
	p := w.newJob(r.run).start(r.args("apply", "staging", "--receipt", planned.outputs["receipt"])...)
	awaitFile(t, begun)
	killTool(t, begun)
	end := p.wait()
	if end.exit != 1 {
		t.Fatalf("exit code %d:\n%s", end.exit, end.log)
	}
	end.says(t, "1 change was made and 0 failed, 1 began and did not end")
	w.newJob(r.run).do(0, "state", "show", "--log", "--customer", "shop", "--environment", "staging", "--request", r.id).says(t,
		"== plan 1 of request", "Plan: 2 to add", "== apply 1 of request", "terraform_data.first: Creation complete")
	report := r.report("--final")
	for _, text := range []string{"terraform_data.first", "began and did not end", "terraform_data.second"} {
		if !strings.Contains(report.summary, text) {
			t.Errorf("the report does not say %q:\n%s", text, report.summary)
		}
	}
	report.says(t, "--log") // for the manager: customers cannot read it
	w.wantStatus(r.trigger.sha, "infra/terraform-deploy/staging", "failure: ")
	w.wantNothingPending()
	r.do(4, "apply", "staging").want(t, "reason=already-applied")
}
