package tool

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// versionPattern is the form of a released or a pre-release version.
var versionPattern = text.Pattern(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// Version returns the version of the binary at path. It starts a process only
// when the binary has not been asked before.
func (f Finder) Version(ctx context.Context, path string) (string, error) {
	known := func(v string) bool { return len(v) <= 80 && versionPattern().MatchString(v) }
	return process.Versions{Dir: f.CacheDir, Known: known, Ask: f.askVersion}.Of(ctx, path)
}

func (f Finder) askVersion(ctx context.Context, path string) (string, error) {
	tool, err := tfexec.NewTerraform(filepath.Dir(path), path)
	if err != nil {
		return "", err
	}
	allowed, err := f.Environ.Allowed(pipeline.ToolRule{}) // terraform-exec refuses to set TF_*
	if err != nil {
		return "", err
	}
	env := map[string]string{}
	for _, pair := range allowed {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	if err := tool.SetEnv(env); err != nil {
		return "", err
	}
	v, _, err := tool.Version(ctx, true)
	if err != nil {
		return "", err
	}
	if s := v.Core().String(); v.Metadata() != "" || len(v.String()) > 80 || !versionPattern().MatchString(v.String()) {
		return "", fmt.Errorf("version %q of a build of %s is not a release", v, s)
	}
	return v.String(), nil
}
