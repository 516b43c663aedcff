package pulumi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// appliedMark is the file in the workspace which says that an apply has ended there.
const appliedMark = "applied"

// readBackTime bounds how long the state is looked for after an apply.
const readBackTime = 2 * time.Minute

// Apply implements pipeline.Engine. Nothing runs before artifacts, tool, tree, values, plugins
// and state were compared with the receipt. The update may not exceed the saved plan. The CLI
// would take the same plan a second time: the state that it was made on is then another one.
func (e *Engine) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if err := checkJob(job); err != nil {
		return pipeline.Applied{}, fmt.Errorf("apply %s: %w", job.Target(), err)
	}
	if err := checkStored(plan); err != nil {
		return pipeline.Applied{}, err
	}
	ctx, cancel := process.WithLimit(ctx, "apply", job.Customer.Manager.Limits.ApplyTimeout)
	defer cancel()
	applied, err := e.apply(ctx, job, plan)
	if err != nil && ctx.Err() != nil {
		done := ""
		if applied.Started {
			done = doneText(applied.Done) + "; " + plan.Receipt.Mode.Afresh()
		}
		return applied, process.Stopped(ctx, job.Target(), "apply", done)
	}
	return applied, err
}

func (e *Engine) apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	tool, err := e.sameTool(ctx, job, plan.Receipt)
	if err != nil {
		return pipeline.Applied{}, err
	}
	w, err := e.open(ctx, job, tool)
	defer w.close()
	if err != nil {
		return pipeline.Applied{}, err
	}
	if err := w.same(plan.Receipt); err != nil {
		return pipeline.Applied{}, err
	}
	if err := w.learn(); err != nil {
		return pipeline.Applied{}, err
	}
	if err := w.checkUnlocked(ctx); err != nil {
		return pipeline.Applied{}, err
	}
	if err := w.restore(ctx, plan); err != nil {
		return pipeline.Applied{}, err
	}
	return w.carryOut(ctx, plan)
}

// restore puts the settings of the plan into the workspace, and makes the stack where there
// is none yet.
func (w *workspace) restore(ctx context.Context, plan pipeline.StoredPlan) error {
	if w.place.scratch() {
		return errors.New("a plan on a scratch state cannot be applied")
	}
	settings, err := os.ReadFile(plan.Artifacts[artifactSettings])
	if err != nil {
		return w.failed("read the settings of the plan", err)
	}
	reader, err := w.engine.reader(ctx, w.job, settings)
	if err != nil {
		return err
	}
	if err := w.usePassphrase(reader.crypt); err != nil {
		return err
	}
	if !w.job.Destroy {
		content, err := os.ReadFile(plan.Artifacts[artifactPlan])
		if err == nil {
			_, err = w.readSaved(content)
		}
		if err != nil {
			return w.failed("read the plan", err)
		}
		w.refilter()
	}
	if err := w.write(settingsName, settings); err != nil {
		return err
	}
	if w.raw != nil {
		return nil
	}
	if w.place.dir != "" {
		if err := os.MkdirAll(w.place.dir, 0o700); err != nil {
			return w.written("make the directory of the state", err)
		}
	}
	if err := w.exec(ctx, w.place.url, "stack", "init", "--stack", w.place.name(), "--secrets-provider", "passphrase", "--no-select"); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := &run{w: w}
		return r.failure("the apply", err)
	}
	// It has written settings of its own beside the program.
	return os.Remove(filepath.Join(w.root, "Pulumi."+w.place.stack+".yaml"))
}

// carryOut runs the update, and reads back what it has left.
func (w *workspace) carryOut(ctx context.Context, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	args := []string{"up", "--refresh", "--yes", "--skip-preview", "--plan", plan.Artifacts[artifactPlan]}
	if w.job.Destroy {
		args = []string{"destroy", "--refresh", "--yes", "--skip-preview"}
	}
	var r *run
	var err error
	if len(w.pending()) > 0 { // the plan has said so
		r, err = w.start(ctx, w.place.url, false, "refresh", "--clear-pending-creates", "--yes", "--skip-preview")
	}
	if r == nil || r.failure("the refresh before the apply", err) == nil {
		r, err = w.start(ctx, w.place.url, false, args...)
	}
	applied := pipeline.Applied{Done: r.done()}
	failure := r.failure("apply", err)
	if failure == nil {
		failure = w.useFirstKey(ctx)
	}
	state, readErr := w.readBack(ctx)
	if readErr == nil {
		applied.State = &state
	}
	applied.Started = len(applied.Done) > 0 || failure == nil || readErr != nil || state.StateVersion != plan.Receipt.Evidence.State()
	if failure == nil && readErr != nil {
		return applied, &pipeline.FailedError{
			Message:  fmt.Sprintf("%s was applied, but its state could not be read back from %s", w.job.Target(), w.job.Backend),
			Next:     "your service provider makes sure that the state is there; after that, " + plan.Receipt.Mode.Afresh(),
			Operator: "make sure that the state is there (`metapipe state list`) before anything else is deployed",
			Err:      errors.New(readErr.Error()), // no refusal: it was applied
		}
	}
	if failure == nil {
		outputs, err := w.storedOutputs()
		if err != nil {
			return applied, w.failed("read the outputs", err)
		}
		applied.Outputs = shownOutputs(outputs)
		for i := range applied.Outputs {
			w.filter.Output(&applied.Outputs[i])
		}
		applied.Diagnostics = r.diagnostics()
		return applied, nil
	}
	var failed *pipeline.FailedError
	if errors.As(failure, &failed) {
		applied.Diagnostics = failed.Diagnostics
		if applied.Started {
			failed.Message += "; " + doneText(applied.Done)
			if failed.Operator != "" {
				failed.Operator += "; then " + plan.Receipt.Mode.OperatorAfresh()
			} else {
				failed.Next += "; then " + plan.Receipt.Mode.Afresh()
			}
		}
	}
	return applied, failure
}

// useFirstKey encrypts the secrets of the state under the first key of metapipe, where an older
// one was in use.
func (w *workspace) useFirstKey(ctx context.Context) error {
	all, err := w.passphrases(ctx)
	if err != nil || w.job.Destroy || all[0] == w.crypt.passphrase {
		return err
	}
	ctx = context.WithoutCancel(ctx) // the update is done, and this takes a second
	settings, err := os.ReadFile(filepath.Join(w.private, settingsName))
	if err != nil {
		return w.failed("read the settings of the stack", err)
	}
	// The command reads and writes the settings beside the program alone.
	if err := os.WriteFile(filepath.Join(w.root, "Pulumi."+w.place.stack+".yaml"), settings, 0o600); err != nil {
		return w.written("write the settings of the stack", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return w.failed("pass the new passphrase", err)
	}
	_, err = write.WriteString(all[0] + "\n")
	err = errors.Join(err, write.Close())
	if err == nil {
		w.stdin = read
		err = w.exec(ctx, w.place.url, "stack", "change-secrets-provider", "passphrase", "--stack", w.place.name())
		w.stdin = nil
	}
	if err = errors.Join(err, read.Close()); err != nil {
		return &pipeline.FailedError{Message: fmt.Sprintf("%s was applied, but its secrets could not be encrypted under the first key of metapipe", w.job.Target()), Next: pipeline.ProviderNext,
			Operator: "keep the older key until another apply has done so: " + w.relative(redact.Clean(w.printed())), Err: err}
	}
	w.log.Print("the secrets of the state are encrypted under the first key of metapipe now")
	w.crypt = &crypter{passphrase: all[0]}
	return nil
}

// readBack reads the state that an update has left. A cancel that comes now does not keep us
// from knowing.
func (w *workspace) readBack(ctx context.Context) (pipeline.StateRecord, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBackTime)
	defer cancel()
	raw, err := w.place.read(ctx)
	if err != nil {
		return pipeline.StateRecord{}, err
	}
	if raw == nil {
		return pipeline.StateRecord{}, nil
	}
	c, err := readCheckpoint(raw)
	if err != nil {
		return pipeline.StateRecord{}, err
	}
	w.raw, w.state = raw, c
	if w.crypt.salt == "" { // it was encrypted anew
		salt, err := c.salt()
		if err != nil {
			return c.record(), err
		}
		w.crypt.salt = salt
		if _, err := w.crypt.key(); err != nil {
			return c.record(), err
		}
	}
	found, err := c.secrets(w.crypt)
	if err != nil {
		return c.record(), err
	}
	maps.Copy(w.secrets, found)
	w.refilter()
	return c.record(), os.WriteFile(filepath.Join(w.dir, appliedMark), nil, 0o600)
}

// done are the resources that were changed, that failed, or that did not get to their end.
func (r *run) done() []pipeline.AppliedResource {
	done := []pipeline.AppliedResource{}
	of := map[string][]int{}
	for i, s := range r.steps {
		if s.counts() {
			of[s.URN] = append(of[s.URN], i)
		}
	}
	for _, urn := range slices.SortedFunc(maps.Keys(of), func(a, b string) int { return of[a][0] - of[b][0] }) {
		var steps []step
		for _, i := range of[urn] {
			steps = append(steps, r.steps[i])
		}
		change, is, err := ofSteps(urn, steps)
		if err != nil || !is || change.Data && !r.failed[urn] {
			continue
		}
		_, open := r.open[urn]
		done = append(done, pipeline.AppliedResource{Address: r.w.filter.Name(change.Address), Action: change.Action, Failed: r.failed[urn], Unfinished: open})
	}
	return done
}

func doneText(done []pipeline.AppliedResource) string {
	return pipeline.DoneText(done, "change was made", "changes were made")
}
