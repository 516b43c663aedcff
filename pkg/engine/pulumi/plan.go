package pulumi

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Plan implements pipeline.Engine: a preview on a copy of the state, with what has changed
// outside of the tool. So it takes no lock and writes no state. A state that is locked is being
// changed, and nothing is planned on it.
func (e *Engine) Plan(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.planOn(ctx, job, true)
}

// PlanReadOnly implements pipeline.ReadOnlyPlanner.
func (e *Engine) PlanReadOnly(ctx context.Context, job pipeline.Job) (pipeline.Planned, error) {
	return e.planOn(ctx, job, false)
}

func (e *Engine) planOn(ctx context.Context, job pipeline.Job, unlocked bool) (pipeline.Planned, error) {
	if err := checkJob(job); err != nil {
		return pipeline.Planned{}, fmt.Errorf("plan %s: %w", job.Target(), err)
	}
	ctx, cancel := process.WithLimit(ctx, "plan", job.Customer.Manager.Limits.PlanTimeout)
	defer cancel()
	planned, err := e.plan(ctx, job, unlocked)
	if err != nil && ctx.Err() != nil {
		err = process.Stopped(ctx, job.Target(), "plan", "")
	}
	if err != nil {
		planned.Plan.Exactness, planned.Artifacts, planned.Fingerprint = "", nil, ""
	}
	return planned, err
}

func (e *Engine) plan(ctx context.Context, job pipeline.Job, unlocked bool) (pipeline.Planned, error) {
	tool, err := e.find(ctx, job.Tool())
	if err != nil {
		return pipeline.Planned{}, err
	}
	planned := pipeline.Planned{Evidence: newEvidence(tool.tool()), Plan: pipeline.Plan{Tool: tool.tool()}}
	w, err := e.open(ctx, job, tool)
	defer w.close()
	if err != nil {
		var failed *pipeline.FailedError
		if errors.As(err, &failed) {
			planned.Plan.Diagnostics = failed.Diagnostics
		}
		return planned, err
	}
	planned.Evidence, planned.Resources = w.evidence, w.found.Resources
	if unlocked {
		if err := w.checkUnlocked(ctx); err != nil {
			return planned, err
		}
	}
	if err := w.preview(ctx, &planned); err != nil {
		planned.Plan.Errored = true
		return planned, err
	}
	return planned, nil
}

// preview runs the preview and fills in what it has found.
func (w *workspace) preview(ctx context.Context, planned *pipeline.Planned) error {
	if err := w.checkLanguage(); err != nil {
		return err
	}
	backend, err := w.copyState()
	if err != nil {
		return err
	}
	settings, err := configFile(w.project.name, w.inputs, w.crypt)
	if errors.Is(err, errOtherPassphrase) {
		return w.unknownKey()
	}
	if err != nil {
		return w.failed("write the values of the program", err)
	}
	if err := w.write(settingsName, settings); err != nil {
		return err
	}
	file := filepath.Join(w.job.Dir, "plan.json")
	args := []string{"preview", "--refresh", "--save-plan", file}
	if w.job.Destroy {
		args = []string{"destroy", "--preview-only", "--refresh"}
	}
	r, err := w.start(ctx, backend, true, args...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := r.failure("plan", err); err != nil {
		var failed *pipeline.FailedError
		if errors.As(err, &failed) {
			planned.Plan.Diagnostics = failed.Diagnostics
		}
		return err
	}
	if settings, err = w.usedSettings(); err != nil {
		return err
	}
	var p saved
	if !w.job.Destroy {
		content, err := os.ReadFile(file)
		if err == nil {
			p, err = w.readSaved(content)
		}
		if err != nil {
			return w.failed("read the plan", err)
		}
		w.refilter()
	}
	if planned.Plan, err = r.plan(p); err != nil {
		return w.failed("read the preview", err)
	}
	if planned.Fingerprint, err = w.fingerprint(p, r); err != nil {
		return w.failed("read the plan", err)
	}
	if w.evidence[evidencePlugins], err = w.describe(r.usedPlugins()); err != nil {
		return err
	}
	return w.keep(planned, settings, file)
}

// usedSettings are the settings as the CLI has used them: it adds a salt where there was none.
func (w *workspace) usedSettings() ([]byte, error) {
	settings, err := os.ReadFile(filepath.Join(w.private, settingsName))
	if err != nil {
		return nil, w.failed("read the settings of the stack", err)
	}
	salt, err := saltOf(settings)
	if err != nil {
		return nil, w.failed("read the settings of the stack", err)
	}
	if w.crypt.salt == "" {
		w.crypt = &crypter{passphrase: w.crypt.passphrase, salt: salt}
		w.engine.crypters.Store(salt, w.crypt)
	}
	if salt != w.crypt.salt {
		return nil, w.failed("read the settings of the stack", errors.New("the CLI has changed the salt of the secrets"))
	}
	return settings, nil
}

// keep names the files that an apply needs.
func (w *workspace) keep(planned *pipeline.Planned, settings []byte, file string) error {
	kept := filepath.Join(w.job.Dir, "settings.yaml")
	if err := os.WriteFile(kept, settings, 0o600); err != nil {
		return w.written("keep the settings of the plan", err)
	}
	planned.Artifacts = pipeline.Artifacts{artifactSettings: kept}
	if !w.job.Destroy {
		planned.Artifacts[artifactPlan] = file
	}
	return os.Chmod(kept, 0o600)
}

// copyState makes a backend with a copy of the state, and returns its URL.
func (w *workspace) copyState() (string, error) {
	p := place{dir: filepath.Join(w.private, "backend")}
	raw := w.raw
	if w.found.IsNone() {
		raw = fmt.Appendf(nil, `{"version":3,"checkpoint":{"stack":%q}}`, w.place.name())
	}
	name := w.place.stateKey()
	if len(raw) > 1 && raw[0] == 0x1f {
		name += ".gz"
	}
	for file, content := range map[string][]byte{".pulumi/meta.yaml": []byte("version: 1\n"), name: raw} {
		if err := w.write(filepath.Join("backend", file), content); err != nil {
			return "", err
		}
	}
	return fileURL(p.dir), nil
}
