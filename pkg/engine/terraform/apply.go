package terraform

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/output"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/engine/terraform/tool"
	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Apply implements pipeline.Engine. Nothing runs before artifacts, tree, lock file, tool
// and a local state were compared with the receipt; then it starts init and
// apply. A state elsewhere is compared between the two, by a third process.
func (e *Engine) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if err := checkJob(job); err != nil {
		return pipeline.Applied{}, fmt.Errorf("apply %s: %w", target(job), err)
	}
	if err := checkStored(plan); err != nil {
		return pipeline.Applied{}, err
	}
	ctx, cancel := process.WithLimit(ctx, "apply", job.Customer.Manager.Limits.ApplyTimeout)
	defer cancel()
	w, err := e.restore(ctx, job, plan)
	if err != nil {
		if ctx.Err() != nil {
			err = process.Stopped(ctx, job.Target(), "apply", "")
		}
		return pipeline.Applied{}, err
	}
	applied, err := w.apply(ctx, plan)
	if err != nil && ctx.Err() != nil {
		return applied, w.stoppedHalfway(ctx, plan.Receipt.Mode, applied)
	}
	if err != nil {
		return applied, err
	}
	return w.readBack(ctx, plan.Receipt, applied)
}

// restore builds the workspace of the plan again and compares it with the receipt.
func (e *Engine) restore(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (*workspace, error) {
	tool, err := e.sameTool(ctx, job, plan.Receipt)
	if err != nil {
		return nil, err
	}
	w, err := e.open(ctx, job, tool, false)
	if err != nil {
		return nil, err
	}
	if w.digest != plan.Receipt.Evidence.ManagerTree() {
		return nil, &pipeline.RefusedError{
			Reason:  pipeline.ReasonStaleManager,
			Message: "the manager directory is not the one that the plan was made from",
			Next:    plan.Receipt.Mode.Afresh(),
		}
	}
	if err := tree.ExtractBundle(plan.Artifacts[artifactBundle], w.tree); err != nil {
		return nil, w.failed("restore the files of the plan", err)
	}
	if w.module, err = module.ReadRoot(w.root, tool.Name); err != nil { // the plan may have written code
		return nil, w.failed("read the root module", err)
	}
	if err := w.module.Refusal(job.Root()); err != nil {
		return nil, err
	}
	lock, err := w.lockFile()
	if err != nil {
		return nil, w.failed("read the dependency lock file", err)
	}
	if lock != plan.Receipt.Evidence[evidenceLockFile] {
		return nil, &pipeline.RefusedError{
			Reason:  pipeline.ReasonTampered,
			Message: "the dependency lock file is not the one that the plan was made with",
			Next:    plan.Receipt.Mode.Afresh(),
		}
	}
	if w.localState() != "" {
		if err := w.sameState(ctx, plan.Receipt); err != nil {
			return nil, err
		}
	}
	return w, w.feed()
}

// sameState compares the state with the one that the plan was made on. The tool
// does so again when it has the lock.
func (w *workspace) sameState(ctx context.Context, receipt pipeline.Receipt) error {
	state, err := w.currentState(ctx)
	if err != nil {
		return err
	}
	if planned := receipt.Evidence.State(); state != planned {
		return staleState(receipt.Mode, statefile.Describe(planned), statefile.Describe(state))
	}
	return nil
}

// sameTool finds the very version that made the plan.
func (e *Engine) sameTool(ctx context.Context, job pipeline.Job, receipt pipeline.Receipt) (tool.Binary, error) {
	rule, want := job.Tool(), receipt.Evidence.Tool()
	if rule.Name != want.Name {
		return tool.Binary{}, otherTool(receipt.Mode, want, rule.Name+" (tool.name in metapipe.yml)")
	}
	found, err := e.locate(ctx, rule, job.Log)
	if err == nil && found.Version == want.Version {
		return found, nil
	}
	if err == nil {
		other := found
		rule.Constraint = "= " + want.Version
		if found, err = e.locate(ctx, rule, job.Log); err == nil {
			return found, nil
		}
		if ctx.Err() == nil {
			return tool.Binary{}, otherTool(receipt.Mode, want, other.ToolVersion().String())
		}
	}
	return tool.Binary{}, err
}

func otherTool(mode pipeline.Mode, want pipeline.ToolVersion, found string) error {
	return &pipeline.RefusedError{
		Reason:   pipeline.ReasonOtherTool,
		Message:  fmt.Sprintf("the plan was made with %s, and this machine has %s", want, found),
		Next:     mode.Afresh(),
		Operator: fmt.Sprintf("install %s here, or make a new plan: %s", want, cmp.Or(mode.Restart(), mode.Afresh())),
	}
}

func staleState(mode pipeline.Mode, planned, now string) error {
	message := "the state has changed since the plan was made"
	if planned != now {
		message += fmt.Sprintf(": it was %s and is %s", planned, now)
	}
	return &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: message, Next: mode.Afresh(), Operator: mode.Restart()}
}

func (w *workspace) apply(ctx context.Context, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	output, err := w.init(ctx)
	if err != nil {
		diagnostics := w.diagnose(output.Diagnostics, w.fed)
		return pipeline.Applied{Diagnostics: diagnostics}, w.failure(ctx, "init", err, diagnostics)
	}
	w.diagnose(output.Diagnostics, w.fed) // warnings, for the log
	if err := w.sameModules(plan.Receipt); err != nil {
		return pipeline.Applied{}, err
	}
	if w.localState() == "" {
		if err := w.sameState(ctx, plan.Receipt); err != nil {
			return pipeline.Applied{}, err
		}
	}
	args := append([]string{"apply", "-input=false", "-json"}, w.lockArgs()...)
	args, err = w.ephemeralArgs(args)
	if err != nil {
		return pipeline.Applied{}, err
	}
	secrets := w.secretsOf(plan.Artifacts[artifactJSON])
	w.log.Redact(secrets.redactor())
	output, failure := w.runJSON(ctx, append(args, plan.Artifacts[artifactPlan])...)
	applied := pipeline.Applied{Done: output.Touched(), Imported: output.Imported, Started: failure == nil || begun(output, failure)}
	if kept := filepath.Join(w.root, "errored.tfstate"); isFile(kept) {
		w.kept, applied.ErroredState = kept, kept
	}
	w.redactApplied(ctx, secrets, output, &applied)
	w.leave(ctx, &applied)
	if failure == nil && w.kept == "" {
		return applied, nil
	}
	for _, d := range output.Diagnostics {
		if d.Summary == "Saved plan is stale" {
			return applied, staleState(plan.Receipt.Mode, "", "")
		}
	}
	return applied, w.applyFailure(ctx, plan.Receipt.Mode, failure, applied)
}

// begun reports whether a failed apply may have changed anything. A tool that
// ended by itself with errors and without a change did not get that far.
func begun(output *output.Stream, failure error) bool {
	var exit *process.ExitError
	if output.Started || output.OutputLost {
		return true
	}
	if !errors.As(failure, &exit) {
		return output.Version != "" // what it says first; else it was not started
	}
	return exit.Code < 0 || len(output.Diagnostics) == 0
}

// ephemeralArgs passes ephemeral variables again: a saved plan holds the values
// of all others, and refuses to receive them.
func (w *workspace) ephemeralArgs(args []string) ([]string, error) {
	if len(w.module.Ephemeral) == 0 || w.vars == "" {
		return args, nil
	}
	content, err := os.ReadFile(w.vars)
	if err != nil {
		return nil, w.failed("read the variables", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, w.failed("read the variables", err)
	}
	values := map[string]json.RawMessage{}
	for _, name := range w.module.Ephemeral {
		if value, ok := all[name]; ok {
			values[name] = value
		}
	}
	if len(values) == 0 {
		return args, nil
	}
	return append(args, "-var-file="+w.vars), w.writeVars(values)
}
