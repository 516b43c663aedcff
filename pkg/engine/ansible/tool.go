package ansible

import (
	"context"
	"errors"
	"os/exec"

	"github.com/metapipe/metapipe/pkg/engine/process"
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

// find finds the first ansible-playbook that fits the rule.
func (e *Engine) find(ctx context.Context, rule pipeline.ToolRule) (binary, error) {
	path, found, err := process.Wanted{Program: program, Tool: toolName, Of: "ansible-core", Rule: rule, Named: e.options.BinaryPath, Ask: e.ask,
		Install: "install ansible-core (`apt-get install ansible-core`, or `pipx install ansible-core==VERSION`)"}.Find(ctx, e.options.Environ)
	return binary{path: path, version: found}, err
}

// coreVersion is how ansible-core names itself; what came before it is not supported.
var coreVersion = text.Pattern(`^\S+ \[core (\d+\.\d+\.\d+[0-9A-Za-z.]{0,20})\]`)

// ask starts the program at path for its version. It is a script, so that its version is that
// of a library which may change without it: it is asked each time.
func (e *Engine) ask(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + e.options.Environ.Get("PATH"), "HOME=/nonexistent", "LC_ALL=C.UTF-8"}
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	found := coreVersion().FindSubmatch(out)
	if found == nil {
		return "", errors.New("it does not name a version of ansible-core")
	}
	return string(found[1]), nil
}

// sameTool finds the very version that made the plan.
func (e *Engine) sameTool(ctx context.Context, job pipeline.Job, receipt pipeline.Receipt) (binary, error) {
	if name := job.Tool().Name; name != receipt.Evidence.Tool().Name {
		return binary{}, process.Same(receipt, name)
	}
	b, err := e.find(ctx, job.Tool())
	if err == nil {
		err = process.Same(receipt, b.tool().String())
	}
	return b, err
}
