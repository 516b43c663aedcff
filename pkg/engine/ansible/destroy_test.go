package ansible

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestDestroy: the playbook of a destroy is planned and carried out in the place of the other.
func TestDestroy(t *testing.T) {
	t.Parallel()
	b := newBench(t, demoPlaybook)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if err != nil || b.State(t) == "" {
		t.Fatal(err)
	}
	gone := strings.Replace(strings.ReplaceAll(head, scratch, b.scratch), "state: directory, mode: \"0755\"", "state: absent", 1)
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "hosts", "destroy.yml"), gone)
	b.Job.Destroy = true
	planned, err = b.Engine.Plan(t.Context(), b.Job)
	if err != nil || planned.Plan.Counts != (pipeline.Counts{Delete: 1}) {
		t.Fatalf("planned %+v: %v", planned.Plan, err)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	if err != nil || b.State(t) != "" || applied.State == nil || *applied.State != pipeline.NoState() || !applied.State.LeftNothing() {
		t.Errorf("applied %+v: %v; it has left %q", applied, err, b.State(t))
	}
}
