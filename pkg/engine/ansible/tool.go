package ansible

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	version "github.com/hashicorp/go-version"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// program is what plans and applies.
const program = "ansible-playbook"

// binary is an ansible-playbook of a known version.
type binary struct{ path, version string }

func (b binary) tool() pipeline.ToolVersion {
	return pipeline.ToolVersion{Name: toolName, Version: b.version}
}

// FindTool implements pipeline.ToolFinder.
func (e *Engine) FindTool(ctx context.Context, rule pipeline.ToolRule) error {
	_, err := e.find(ctx, rule)
	return err
}

// find finds the first ansible-playbook that fits the rule: the one that METAPIPE_TOOL names,
// or the first one in PATH. It installs nothing.
func (e *Engine) find(ctx context.Context, rule pipeline.ToolRule) (binary, error) {
	var fits version.Constraints
	wanted := program
	if rule.Constraint != "" {
		var err error
		if fits, err = version.NewConstraint(rule.Constraint); err != nil {
			return binary{}, pipeline.Usagef("the version %q of %s is no version constraint", rule.Constraint, toolName).Because(err).Nextf(`write it like ">= 2.14, < 3"`)
		}
		wanted = fmt.Sprintf("%s of ansible-core %q", program, rule.Constraint)
	}
	var unfit []string
	for _, path := range e.candidates() {
		found, err := e.ask(ctx, path)
		switch {
		case ctx.Err() != nil:
			return binary{}, fmt.Errorf("find %s: %w", program, ctx.Err())
		case err != nil:
			unfit = append(unfit, fmt.Sprintf("%s does not answer (%v)", path, err))
			continue
		}
		if v, err := version.NewVersion(found.version); fits == nil || err == nil && fits.Check(v) {
			return found, nil
		}
		unfit = append(unfit, fmt.Sprintf("%s is %s", path, found.version))
	}
	message := wanted + " is needed, and there is none"
	if len(unfit) > 0 {
		message = wanted + " is needed; " + strings.Join(unfit, ", ")
	}
	return binary{}, pipeline.Usagef("%s", message).
		Nextf("install ansible-core (`apt-get install ansible-core`, or `pipx install ansible-core==VERSION`) and put it into PATH, or change the version of the stack in metapipe.yml")
}

func (e *Engine) candidates() []string {
	if strings.HasPrefix(filepath.Base(e.options.BinaryPath), program) {
		if path, err := filepath.Abs(e.options.BinaryPath); err == nil {
			return []string{path}
		}
	}
	var paths []string
	for _, dir := range filepath.SplitList(e.options.Environ.Get("PATH")) {
		// A relative entry would let a checkout bring its own tool.
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); filepath.IsAbs(dir) && err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			paths = append(paths, path)
		}
	}
	return paths
}

// coreVersion is how ansible-core names itself; what came before it is not supported.
var coreVersion = text.Pattern(`^\S+ \[core (\d+\.\d+\.\d+[0-9A-Za-z.]{0,20})\]`)

// ask starts the program at path for its version. It is a script, so that its version is that
// of a library which may change without it: it is asked each time.
func (e *Engine) ask(ctx context.Context, path string) (binary, error) {
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + e.options.Environ.Get("PATH"), "HOME=/nonexistent", "LC_ALL=C.UTF-8"}
	out, err := cmd.Output()
	if err != nil {
		return binary{}, err
	}
	found := coreVersion().FindSubmatch(out)
	if found == nil {
		return binary{}, errors.New("it does not name a version of ansible-core")
	}
	return binary{path: path, version: string(found[1])}, nil
}

// sameTool finds the very version that made the plan.
func (e *Engine) sameTool(ctx context.Context, job pipeline.Job, receipt pipeline.Receipt) (binary, error) {
	want, found := receipt.Evidence.Tool(), job.Tool().Name
	if want.Name == found {
		b, err := e.find(ctx, job.Tool())
		if err != nil || b.tool() == want {
			return b, err
		}
		found = b.tool().String()
	}
	return binary{}, &pipeline.RefusedError{Reason: pipeline.ReasonOtherTool, Next: receipt.Mode.Afresh(),
		Message:  fmt.Sprintf("the plan was made with %s, and this run has %s", want, found),
		Operator: fmt.Sprintf("install %s here, or make a new plan", want)}
}
