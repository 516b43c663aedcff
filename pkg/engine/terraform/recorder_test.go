package terraform

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestMain lets the test binary stand in for a tool, under the name terraform or tofu.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "terraform", "tofu":
		os.Exit(enginetest.Record(filepath.Dir(os.Args[0]), func(command string) bool { return command == "plan" || command == "apply" }))
	}
	if dir := os.Getenv(victimVariable); dir != "" {
		os.Exit(victim(dir))
	}
	os.Exit(m.Run())
}

func newRecorder(t *testing.T, tool terraformtest.Tool) (enginetest.Recorder, terraformtest.Tool) {
	t.Helper()
	r, path := enginetest.NewRecorder(t, tool.Path)
	return r, terraformtest.Tool{Name: tool.Name, Path: path}
}
