package terraform

import (
	"os"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

func testEngine(t *testing.T, tool terraformtest.Tool, change ...func(*Options)) *Engine {
	t.Helper()
	o := Options{
		Environ:    []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()},
		CacheDir:   t.TempDir(),
		BinaryPath: tool.Path,
	}
	for _, c := range change {
		c(&o)
	}
	return New(o)
}
