package kubernetes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestBuildsOfDistributions: a kubectl of a cloud meets a constraint as the version that it was built from, and
// a pre-release does not. Each program is named once, however often PATH names its folder.
func TestBuildsOfDistributions(t *testing.T) {
	t.Parallel()
	for said, fits := range map[string]bool{
		"v1.32.4-dispatcher": true, "v1.33.1-eks-a1b2c3": true, "v1.31.0-gke.100": true, "v1.27.0+k3s1": true, "v1.27.0": true,
		"v1.27.0-rc.1": false, "v1.28.0-alpha.3": false, "v1.26.9-dispatcher": false,
	} {
		dir := t.TempDir()
		script := fmt.Sprintf("#!/bin/sh\necho '{\"clientVersion\": {\"gitVersion\": \"%s\"}}'\n", said)
		if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		engine := New(Options{Environ: []string{"PATH=" + dir + string(filepath.ListSeparator) + dir}})
		err := engine.FindTool(t.Context(), pipeline.ToolRule{Name: "kubernetes", Constraint: ">= 1.27"})
		if (err == nil) != fits {
			t.Errorf("%s: %v", said, err)
		}
		if err != nil && strings.Count(err.Error(), dir) != 1 {
			t.Errorf("%s: %v", said, err)
		}
	}
}
