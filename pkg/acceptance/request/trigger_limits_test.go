package request

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestTriggerKnowsTheManagersLimits: the customer's job checks the file under the same
// limit as the manager's, wider or narrower than the default one.
func TestTriggerKnowsTheManagersLimits(t *testing.T) {
	t.Parallel()
	large := fixture.VariablesYML + strings.Repeat("# "+strings.Repeat("x", 100)+"\n", 3000)
	for size, want := range map[string]string{"1MiB": "", "2KiB": "2 KiB"} {
		t.Run(size, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, map[string]string{"metapipe.yml": strings.Replace(fixture.ManagerFiles["metapipe.yml"], "limits: {", "limits: {variables_size: "+size+", ", 1)})
			run := w.Push("main", map[string]string{"infra/variables.yml": large})
			if want != "" {
				if end := w.NewJob(run).Do(3, "trigger"); !strings.Contains(end.Log, want) {
					t.Errorf("no %q in:\n%s", want, end.Log)
				}
				return
			}
			triggered := w.NewJob(run).Start("trigger")
			w.NewJob(w.Queued()).Do(0, "fetch-vars")
			if end := triggered.Wait(); end.Exit != 0 {
				t.Errorf("exit code %d:\n%s", end.Exit, end.Log)
			}
		})
	}
}
