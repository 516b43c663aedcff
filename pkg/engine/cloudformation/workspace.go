package cloudformation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// workspace is a private copy of the manager tree for one run of one target, and what CloudFormation is given:
//
//	<job.Dir>/workspace/tree  the copy
type workspace struct {
	job      pipeline.Job
	engine   *Engine
	api      client
	dir      string
	tree     string
	template template
	values   map[string]value // by parameter
	evidence pipeline.PlanEvidence
	log      *redact.Log
	secrets  redact.Secrets
	filter   *redact.Filter
}

// open copies the manager tree and finds out what CloudFormation is to be given. It asks AWS nothing.
func (e *Engine) open(ctx context.Context, job pipeline.Job) (*workspace, error) {
	w := e.workspaceOf(job)
	if err := os.RemoveAll(w.dir); err != nil {
		return w, w.written("clear the run directory", err)
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return w, w.written("make the run directory", err)
	}
	if err := w.copyTree(ctx); err != nil {
		if ctx.Err() != nil {
			return w, err
		}
		return w, w.written("copy the manager directory", err)
	}
	w.evidence[evidenceStack] = w.name()
	if job.Destroy { // nothing of the template is used
		return w, nil
	}
	var err error
	if w.template, err = readTemplate(w.tree, job.Root()); err != nil {
		return w, err
	}
	for _, needed := range job.Needed {
		if err := pipeline.CheckOutputs(needed.Values); err != nil {
			return w, w.failed(fmt.Sprintf("read the outputs of %s", needed.Stack), err)
		}
	}
	if err := w.fillParameters(); err != nil {
		return w, err
	}
	secret := map[string]bool{}
	for name, p := range w.template.parameters {
		secret[name] = p.noEcho || w.values[name].secret
	}
	for _, v := range w.values {
		if v.secret {
			w.secrets.AddAll(v.text)
		}
	}
	w.template.hide(secret)
	w.refilter()
	w.evidence[evidenceTemplate] = pipeline.SHA256Hex(w.template.raw)
	return w, nil
}

// workspaceOf is a workspace that nothing was copied to.
func (e *Engine) workspaceOf(job pipeline.Job) *workspace {
	w := &workspace{job: job, engine: e, dir: filepath.Join(job.Dir, "workspace"), log: redact.NewLog(job.Log), evidence: newEvidence()}
	w.tree = filepath.Join(w.dir, "tree")
	w.log.Clean = func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, w.tree+string(filepath.Separator), ""), w.dir+string(filepath.Separator), "")
	}
	w.secrets = redact.OfJob(e.options.Secrets, job.Needed)
	w.refilter()
	return w
}

func (w *workspace) copyTree(ctx context.Context) error {
	digest, code, err := tree.CopyJob(ctx, w.job, w.tree)
	if err == nil {
		w.evidence.SetManager(digest, code)
	}
	return err
}

// close removes what is secret of the workspace.
func (w *workspace) close() {
	if w != nil {
		_ = os.RemoveAll(w.dir) // what cannot be removed goes with the run directory
	}
}

func (w *workspace) refilter() {
	w.filter = redact.NewFilter(w.secrets)
	w.log.Redact(w.filter)
}

// name is that of the stack.
func (w *workspace) name() string { return w.job.Tool().CloudFormation.Name(w.job.Target()) }

// at is a line of the template.
func (w *workspace) at(line int) pipeline.Position {
	return pipeline.Position{File: w.template.file, Line: line}
}

func (w *workspace) failed(what string, err error) error {
	return fmt.Errorf("%s for %s: %w", what, w.job.Target(), err)
}

// written is the error of writing to the run directory.
func (w *workspace) written(what string, err error) error {
	return tree.WriteError(w.job.Target(), what, err)
}
