package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// binary is a kubectl of a known version, for one of the two tools.
type binary struct{ name, path, version string }

func (b binary) tool() pipeline.ToolVersion {
	return pipeline.ToolVersion{Name: b.name, Version: b.version}
}

// FindTool implements pipeline.ToolFinder.
func (e *Engine) FindTool(ctx context.Context, rule pipeline.ToolRule) error {
	if _, err := e.find(ctx, rule); err != nil || !rule.Kubernetes.Render.Declared() {
		return err
	}
	_, err := e.findRenderer(ctx, rule)
	return err
}

// findRenderer finds the crossplane CLI, which predicts what is composed.
func (e *Engine) findRenderer(ctx context.Context, rule pipeline.ToolRule) (path string, err error) {
	rule.Constraint = rule.Kubernetes.Render.Version
	path, _, err = process.Wanted{Program: crossplaneName, Tool: crossplaneName, Rule: rule, Setting: "kubernetes.render.version of the stack", Ask: process.Versions{Dir: e.options.CacheDir, Known: isVersion, Ask: askRenderer}.Of,
		Install: "install the crossplane CLI (https://docs.crossplane.io/latest/cli/)"}.Find(ctx, e.options.Environ)
	return path, err
}

// askRenderer starts the crossplane CLI at path for its version.
func askRenderer(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, path, "version", "--client")
	cmd.Dir, cmd.Env = "/", []string{"HOME=/nonexistent"}
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	_, said, _ := strings.Cut(string(out), "Client Version: ")
	version, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(said), "v"), "+")
	if !isVersion(version) {
		return "", errors.New("it does not name a version of crossplane")
	}
	return version, nil
}

func (e *Engine) find(ctx context.Context, rule pipeline.ToolRule) (binary, error) {
	path, found, err := process.Wanted{Program: program, Tool: rule.Name, Rule: rule, Builds: true, Named: e.options.BinaryPath, Ask: process.Versions{Dir: e.options.CacheDir, Known: isVersion, Ask: ask}.Of,
		Install: "install kubectl (https://kubernetes.io/docs/tasks/tools/)"}.Find(ctx, e.options.Environ)
	return binary{name: rule.Name, path: path, version: found}, err
}

var versionPattern = text.Pattern(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]{1,60})?$`)

func isVersion(s string) bool { return versionPattern().MatchString(s) }

// ask starts the program at path for its version.
func ask(ctx context.Context, path string) (string, error) {
	cmd := exec.CommandContext(ctx, path, "version", "--client", "-o", "json")
	cmd.Dir, cmd.Env = "/", []string{"HOME=/nonexistent", "KUBERC=off"}
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	var said struct {
		ClientVersion struct {
			GitVersion string `json:"gitVersion"`
		} `json:"clientVersion"`
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return "", errors.New("it does not name its version")
	}
	version, _, _ := strings.Cut(strings.TrimPrefix(said.ClientVersion.GitVersion, "v"), "+") // the build of a distribution
	if !isVersion(version) {
		return "", errors.New("it does not name a version of kubectl")
	}
	return version, nil
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
