package tool

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ownNames are what the tool may see beside what every tool may.
var ownNames = []string{"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"}

// Environ is the whole environment of the tool's processes.
func Environ(all process.Environ, rule pipeline.ToolRule, dataDir string) ([]string, error) {
	allowed, err := all.Allowed(rule, ownNames...)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, pair := range allowed {
		// The tool warns on each call when this file is not there.
		if config, ok := strings.CutPrefix(pair, "TF_CLI_CONFIG_FILE="); ok && !isRegular(config) {
			continue
		}
		env = append(env, pair)
	}
	return append(env,
		"TF_IN_AUTOMATION=1",
		"TF_INPUT=0",
		"TF_DATA_DIR="+dataDir,
		"CHECKPOINT_DISABLE=1",
	), nil
}
