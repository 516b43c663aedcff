package pulumi

import (
	"context"
	"errors"
	"os/exec"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// program is what plans and applies.
const program = "pulumi"

// binary is a pulumi of a known version.
type binary struct{ path, version string }

func (b binary) tool() pipeline.ToolVersion {
	return pipeline.ToolVersion{Name: toolName, Version: b.version}
}

// FindTool implements pipeline.ToolFinder.
func (e *Engine) FindTool(ctx context.Context, rule pipeline.ToolRule) error {
	_, err := e.find(ctx, rule)
	return err
}

// find finds the first pulumi that fits the rule: the one that METAPIPE_TOOL names, or the
// first one in PATH. It installs nothing.
func (e *Engine) find(ctx context.Context, rule pipeline.ToolRule) (binary, error) {
	path, version, err := process.Wanted{Program: program, Tool: toolName, Rule: rule, Named: e.options.BinaryPath, Ask: e.ask,
		Install: "install the Pulumi CLI (https://www.pulumi.com/docs/iac/download-install/)"}.Find(ctx, e.options.Environ)
	return binary{path: path, version: version}, err
}

// toolVersion is how pulumi names itself.
var toolVersion = text.Pattern(`^v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]{1,40})?)\s*$`)

// ask is the version of the program at path.
func (e *Engine) ask(ctx context.Context, path string) (string, error) {
	return process.Versions{Dir: e.options.CacheDir, Known: toolVersion().MatchString, Ask: e.askVersion}.Of(ctx, path)
}

// askVersion starts the program at path for its version.
func (e *Engine) askVersion(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + e.options.Environ.Get("PATH"), "HOME=/nonexistent", "PULUMI_HOME=/nonexistent", "PULUMI_SKIP_UPDATE_CHECK=true"}
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	found := toolVersion().FindSubmatch(out)
	if found == nil {
		return "", errors.New("it does not name a version of Pulumi")
	}
	return string(found[1]), nil
}

// sameTool finds the very version that made the plan.
func (e *Engine) sameTool(ctx context.Context, job pipeline.Job, receipt pipeline.Receipt) (binary, error) {
	if receipt.Evidence.Tool().Name != toolName {
		return binary{}, process.Same(receipt, toolName)
	}
	b, err := e.find(ctx, job.Tool())
	if err != nil {
		return b, err
	}
	return b, process.Same(receipt, b.tool().String())
}
