package main

import (
	"strings"
	"testing"
)

// TestTriggerKnowsTheManagersLimits: the customer's job checks the file under the same
// limit as the manager's, wider or narrower than the default one.
func TestTriggerKnowsTheManagersLimits(t *testing.T) {
	t.Parallel()
	large := variablesYML + strings.Repeat("# "+strings.Repeat("x", 100)+"\n", 3000)
	for size, want := range map[string]string{"1MiB": "", "2KiB": "2 KiB"} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, map[string]string{"metapipe.yml": strings.Replace(managerFiles["metapipe.yml"], "limits: {", "limits: {variables_size: "+size+", ", 1)})
			run := w.push("main", map[string]string{"infra/variables.yml": large})
			if want != "" {
				if end := w.newJob(run).do(3, "trigger"); !strings.Contains(end.log, want) {
					t.Errorf("no %q in:\n%s", want, end.log)
				}
				return
			}
			triggered := w.newJob(run).start("trigger")
			w.newJob(w.queued()).do(0, "fetch-vars")
			if end := triggered.wait(); end.exit != 0 {
				t.Errorf("exit code %d:\n%s", end.exit, end.log)
			}
		})
	}
}
