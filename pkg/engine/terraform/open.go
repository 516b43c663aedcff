package terraform

import (
	"context"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// open copies the manager tree into a fresh workspace. Leftovers of a run that
// was killed are removed first.
func (e *Engine) open(ctx context.Context, job pipeline.Job, tool tool.Binary, readOnly bool) (*workspace, error) {
	w := e.workspaceOf(job, tool)
	w.readOnly = readOnly
	var err error
	if err := os.RemoveAll(w.dir); err != nil {
		return nil, w.written("clear the run directory", err)
	}
	if err := os.MkdirAll(w.data, 0o700); err != nil {
		return nil, w.written("make the run directory", err)
	}
	if err := w.copyTree(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, w.written("copy the manager directory", err)
	}
	if w.module, err = module.ReadRoot(w.root, tool.Name); err != nil {
		return nil, pipeline.Usagef("%s: root %q cannot be used", job.Customer.File, job.Root()).Because(err).
			Nextf("name the directory of the Terraform root module, relative to the manager directory")
	}
	if err := w.module.Refusal(job.Root()); err != nil {
		return nil, err
	}
	return w, w.setEnvironment()
}

// workspaceOf names the places of the workspace of a job, whether it is there or not.
func (e *Engine) workspaceOf(job pipeline.Job, tool tool.Binary) *workspace {
	w := &workspace{job: job, engine: e, tool: tool, dir: filepath.Join(job.Dir, "workspace"), log: redact.NewLog(job.Log)}
	w.tree, w.data = filepath.Join(w.dir, "tree"), filepath.Join(w.dir, "data")
	w.root = filepath.Join(w.tree, filepath.FromSlash(job.Root()))
	return w
}

// feed writes what the tool sees of the customer, and the backend.
func (w *workspace) feed() error {
	if err := w.checkNeeded(); err != nil {
		return err
	}
	config, err := w.job.Variables.Effective(w.job.Environment)
	if err != nil {
		return w.failed("read the variables", err)
	}
	if err := os.WriteFile(filepath.Join(w.root, module.SourceVariables), config.Source, 0o600); err != nil {
		return w.written("write "+module.SourceVariables, err)
	}
	if err := w.checkBackend(); err != nil {
		return err
	}
	if err := w.writeBackend(); err != nil {
		return w.failed("write the backend", err)
	}
	if err := w.markSensitive(); err != nil {
		return err
	}
	values, err := w.values(config)
	if err != nil {
		return err
	}
	if w.fedSet, err = w.fedSecrets(values); err != nil {
		return w.failed("read the variables", err)
	}
	w.fed = redact.NewFilter(w.fedSet)
	w.log.Redact(w.fed)
	return w.writeVars(values)
}
