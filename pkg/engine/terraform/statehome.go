package terraform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// sameBackend reads from the tool's own note which backend init has chosen. A block
// that was not found beforehand must not take the state elsewhere.
func (w *workspace) sameBackend() error {
	content, err := os.ReadFile(filepath.Join(w.data, noteFile))
	if err != nil {
		return w.failed("read which backend the tool uses", err)
	}
	var note struct {
		Backend struct {
			Type   string         `json:"type"`
			Config map[string]any `json:"config"`
		} `json:"backend"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(content)))
	decoder.UseNumber()
	if err := decoder.Decode(&note); err != nil {
		return w.failed("read which backend the tool uses", err)
	}
	differs := ""
	if note.Backend.Type != w.backend.Type {
		differs = fmt.Sprintf("type %q instead of %q", note.Backend.Type, w.backend.Type)
	}
	for name, want := range w.backend.Config {
		if differs == "" && !sameArgument(note.Backend.Config[name], want) {
			differs = "another " + name
		}
	}
	if differs == "" {
		return nil
	}
	return pipeline.Usagef("%s uses another backend for %s than metapipe passed: %s", w.tool.Name, target(w.job), differs).
		Nextf("remove what sets the backend in %s of the manager: metapipe keeps the state of each target", w.job.Root())
}

// sameArgument compares an argument with the text that it was passed as.
func sameArgument(noted any, passed string) bool {
	switch v := noted.(type) {
	case string:
		return v == passed
	case bool:
		b, err := strconv.ParseBool(passed)
		return err == nil && b == v
	case json.Number:
		a, errA := v.Float64()
		b, errB := strconv.ParseFloat(passed, 64)
		return errA == nil && errB == nil && a == b
	}
	return false
}

// readBackTime bounds how long the state is looked for after an apply.
const readBackTime = 2 * time.Minute

// readBack makes sure that the state of an apply that went well lies where the next
// plan looks for it. A cancel that comes now does not keep us from knowing.
func (w *workspace) readBack(ctx context.Context, receipt pipeline.Receipt, applied pipeline.Applied) (pipeline.Applied, error) {
	planned := receipt.Evidence.State()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackTime)
	defer cancel()
	now, err := w.currentState(ctx)
	if err != nil {
		return applied, &pipeline.FailedError{
			Message:  fmt.Sprintf("%s was applied, but its state could not be read back from %s", target(w.job), w.job.Backend),
			Next:     "your service provider makes sure that the state is there; after that, " + receipt.Mode.Afresh(),
			Operator: "make sure that the state is there (`metapipe state list`) before anything else is deployed",
			Err:      errors.New(err.Error()), // no refusal: it was applied
		}
	}
	why := misplaced(planned, now, applied)
	if why != "" && now == planned {
		if held, err := w.stateAddresses(ctx); err == nil {
			compared := applied
			compared.Done = restored(applied.Done, held)
			why = misplaced(planned, now, compared)
		}
	}
	if why == "" {
		return applied, nil
	}
	if stray := filepath.Join(w.root, "terraform.tfstate"); isFile(stray) {
		w.kept, applied.ErroredState = stray, stray
	}
	return applied, &pipeline.FailedError{
		Message:  fmt.Sprintf("%s was applied, but its state is not in %s: %s", target(w.job), w.job.Backend, why),
		Next:     "your service provider brings the state back; push again only after that",
		Operator: "find out where the state went, and bring it back before anything else is deployed",
	}
}

// misplaced says why the state that was read after an apply cannot be the one that
// the apply wrote, "" when it can. The tool counts further only where the content
// changes, and what is created, deleted or imported changes it. A first state is written
// for outputs alone, too.
func misplaced(planned, now pipeline.StateVersion, applied pipeline.Applied) string {
	counts := applied.Imported > 0 || slices.ContainsFunc(applied.Done, func(r pipeline.AppliedResource) bool {
		return !r.Failed && !r.Unfinished && (r.Action == pipeline.ActionCreate || r.Action == pipeline.ActionDelete)
	})
	switch {
	case now.Lineage == "" && (counts || len(applied.Outputs) > 0 || planned.Lineage != ""):
		return "there is no state"
	case planned.Lineage != "" && now.Lineage != planned.Lineage:
		return fmt.Sprintf("there is another one, %s; the plan was made on %s", statefile.Describe(now), statefile.Describe(planned))
	case planned.Lineage != "" && (now.Serial < planned.Serial || counts && now.Serial == planned.Serial):
		return fmt.Sprintf("there is still %s", statefile.Describe(now))
	}
	return ""
}
