package drift

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestAScanThatIsStopped interrupts a scan as a person or a cancelled job does, and
// goes on with it. Its parts are compared with the same parts of the scan before.
func TestAScanThatIsStopped(t *testing.T) {
	t.Parallel()
	files, variables := map[string]string{"customers/shop.yml": ""}, map[string]string{}
	for i := range 4 {
		files[fmt.Sprintf("customers/c%d.yml", i)] = fmt.Sprintf("repository: acme/shop\nrepository_id: 4711\npath: infra/c%d\n", i)
		variables[fmt.Sprintf("infra/c%d/variables.yml", i)] = fmt.Sprintf("name: c%d\nenvironments:\n  staging: {}\n", i)
	}
	w := fixture.New(t, files)
	w.Commit(w.Customer, "main", variables)
	begun := w.DriftJob().Do(0, "drift", "list")
	id := begun.Outputs["scan"]
	r := w.DriftJob().Start("drift", "--scan", id, "--workers", "1")
	awaitResults(w, id, 1)
	fixture.Check(t, r.Signal(os.Interrupt))
	stopped := r.Wait()
	if kept := w.Results(id); stopped.Exit != 130 || kept == 0 || kept == 8 || strings.Contains(stopped.Summary, "Drift") {
		t.Errorf("exit %d with %d results and the summary %q\n%s", stopped.Exit, kept, stopped.Summary, stopped.Log)
	}
	stopped.Says(t, "--resume goes on")
	whole := fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "--resume", "--json"))
	if len(whole.Results) != 8 || len(whole.Missing) != 0 || whole.Before != nil {
		t.Fatalf("%d results, before %+v", len(whole.Results), whole.Before)
	}
	part := fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "--customer", "c1", "--json"))
	if b := part.Before; len(part.Results) != 2 || b == nil || b.Targets != 2 || b.Clean != 1 || b.Kinds[string(pipeline.DriftPending)] != 1 {
		t.Errorf("a part is compared with %+v", b)
	}
	nothing := w.DriftJob().Do(0, "drift", "--stale", "10h", "--customer", "c1")
	nothing.Says(t, "there was no target to look at")
	whole = fixture.ScanOf(t, w.DriftJob().Do(6, "drift", "--json"))
	if b := whole.Before; b == nil || b.Targets != 8 || b.Clean != 4 || b.Kinds[string(pipeline.DriftPending)] != 4 {
		t.Errorf("after that the fleet is compared with %+v", b)
	}
}
