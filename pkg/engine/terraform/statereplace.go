package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// replaceState puts a copy in the place of any state. Whatever can fail without a change
// comes first: the tool is found, reads the copy, and reaches the backend. A readable state
// is overwritten under the lock of the tool; only one that no tool reads is removed.
func (e *Engine) replaceState(ctx context.Context, job pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	copied, err := statefile.Version(kept.File)
	if err != nil {
		return copied, fmt.Errorf("restore the state of %s: %w", target(job), err)
	}
	if err := e.readCopy(ctx, job, kept.File); err != nil {
		return copied, err
	}
	w, err := e.openState(ctx, job, false)
	if err == nil {
		_, err = w.stateNow(ctx)
	}
	lost := pipeline.AsLost(err)
	damaged := lost != nil && lost.Damaged
	if err != nil && !damaged {
		return copied, err
	}
	if err := kept.Replace(ctx, damaged); err != nil {
		return copied, err
	}
	args := append([]string{"state", "push"}, w.lockArgs()...)
	if damaged {
		if w, err = e.openState(ctx, job, false); err != nil { // what init could not read is gone
			return copied, err
		}
	} else {
		args = append(args, "-force")
	}
	if err := w.exec(ctx, filepath.Join(w.dir, "push.out"), append(args, kept.File)...); err != nil {
		return copied, w.stateFailure(ctx, "push the state", err)
	}
	return w.currentState(ctx)
}

// readCopy lets the tool read a copy of a state: it pushes it to a state of the run
// directory. A copy of a newer format, or one that another tool has encrypted, fails.
func (e *Engine) readCopy(ctx context.Context, job pipeline.Job, file string) (err error) {
	job.Dir = filepath.Join(job.Dir, "copy")
	job.Backend = pipeline.Backend{Type: pipeline.BackendLocal, Config: map[string]string{"path": filepath.Join(job.Dir, "terraform.tfstate")}}
	defer func() { err = errors.Join(err, os.RemoveAll(job.Dir)) }() // it holds secrets
	w, err := e.openState(ctx, job, false)
	if err != nil {
		return err
	}
	err = w.exec(ctx, filepath.Join(w.dir, "push.out"), "state", "push", file)
	var exit *process.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	diagnostics := w.diagnose(output.PlainTextDiagnostics(w.stderr("state")), &redact.Filter{})
	return pipeline.Usagef("%s %s cannot read the copy of the state of %s", w.tool.Name, w.tool.Version, target(job)).
		Because(w.toolFailure("read the copy", err, diagnostics)).
		Nextf("name a copy that this tool has written, or use the tool that wrote it (`tool` in metapipe.yml)")
}
