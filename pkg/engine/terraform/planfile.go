package terraform

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// planState reads from a saved plan which version of the state it was made on.
// A plan file is a zip archive whose entry "tfstate" is that state. An encrypted
// one (OpenTofu) is no archive: then the state itself is asked.
// https://pkg.go.dev/github.com/hashicorp/terraform/internal/plans/planfile
func (w *workspace) planState(ctx context.Context, planFile string) (pipeline.StateRecord, error) {
	archive, err := zip.OpenReader(planFile)
	if errors.Is(err, zip.ErrFormat) {
		return w.stateNow(ctx)
	}
	if err != nil {
		return pipeline.StateRecord{}, fmt.Errorf("read the saved plan: %w", err)
	}
	defer archive.Close()
	file, err := archive.Open("tfstate")
	if err != nil {
		return pipeline.StateRecord{}, fmt.Errorf("read the saved plan: %w", err)
	}
	defer file.Close()
	state, err := statefile.ReadRecord(file)
	if err != nil {
		return pipeline.StateRecord{}, fmt.Errorf("read the state in the saved plan: %w", err)
	}
	return state, statefile.BeforeRefresh(archive, &state)
}

// countedIn is the number of resources in the state that a plan was made on, as it lies in
// its backend. The state in a saved plan is another one where blocks such as `moved` have
// joined or split resources: then the number is not known.
func countedIn(plan pipeline.Plan, state pipeline.StateRecord) int {
	moved := func(c pipeline.ResourceChange) bool { return c.PreviousAddress != "" }
	if slices.ContainsFunc(plan.Changes, moved) || slices.ContainsFunc(plan.Deferred, moved) {
		return pipeline.UnknownResources
	}
	return state.Resources
}
