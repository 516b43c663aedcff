package terraform

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// currentState is the version of the state as it lies in its backend now. A
// local one is read directly; any other is fetched by the tool, which must be
// initialized for it. The content never leaves the workspace.
func (w *workspace) currentState(ctx context.Context) (pipeline.StateVersion, error) {
	state, err := w.stateNow(ctx)
	return state.StateVersion, err
}

// stateNow is currentState with the number of resources.
func (w *workspace) stateNow(ctx context.Context) (pipeline.StateRecord, error) {
	if path := w.localState(); path != "" {
		return w.record(path)
	}
	file, err := w.pull(ctx)
	if err != nil {
		return pipeline.StateRecord{}, err
	}
	state, err := w.record(file)
	return state, errors.Join(err, os.Remove(file))
}

// pull writes the state to a file of the workspace. A backend without a state
// gives an empty file.
func (w *workspace) pull(ctx context.Context) (string, error) {
	file := filepath.Join(w.dir, "pulled.tfstate")
	if err := w.exec(ctx, file, "state", "pull"); err != nil {
		return "", errors.Join(w.stateFailure(ctx, "read the state", err), os.Remove(file))
	}
	return file, nil
}

// stateFailure explains a state command that failed in the words of the tool,
// which quote no state.
func (w *workspace) stateFailure(ctx context.Context, what string, err error) error {
	var exit *process.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if damaged := w.damaged(ctx, redact.Clean(w.stderr("state"))); damaged != nil {
		return damaged
	}
	diagnostics := w.diagnose(output.PlainTextDiagnostics(w.stderr("state")), &redact.Filter{})
	return w.toolFailure(what, err, diagnostics)
}

// countOn copies a state under another serial: the tool takes no other state with
// a serial that is there already.
func (w *workspace) countOn(file string, serial uint64) (string, error) {
	counted := filepath.Join(w.dir, "counted.tfstate")
	return counted, statefile.CopyWithSerial(file, counted, serial)
}
