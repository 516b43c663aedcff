package bench

import (
	"bytes"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// CountProcesses deploys to one target with a tool that notes its calls, a line
// each, in a file; it returns how often plan and apply start it once its version
// is known.
func CountProcesses(t *testing.T, tool, calls string) (plan, apply int) {
	t.Helper()
	w := fixture.New(t, nil)
	for _, name := range []string{"first", "second"} {
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": strings.Replace(fixture.VariablesYML, "name: shop", "name: "+name, 1)}))
		before := lines(t, calls)
		w.NewJob(r.Run).With("METAPIPE_TOOL="+tool).Do(0, r.Args("plan", "staging")...).Want(t, "outcome="+string(pipeline.OutcomeWaiting))
		planned := lines(t, calls)
		w.NewJob(r.Run).With("METAPIPE_TOOL="+tool).Do(0, r.Args("apply", "staging")...).Want(t, "outcome="+string(pipeline.OutcomeApplied))
		plan, apply = planned-before, lines(t, calls)-planned
		r.Report("--final")
		fixture.Check(t, w.Manager.SetRun(r.Run.Run.ID, "completed", "success"))
	}
	return plan, apply
}

func lines(t *testing.T, file string) int {
	t.Helper()
	return bytes.Count([]byte(fixture.ReadOptional(t, file)), []byte("\n"))
}
