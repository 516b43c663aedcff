package tool

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// A binary that METAPIPE_TOOL names and that is not there is a mistake in the variable.
func TestGivenBinaryIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for path, want := range map[string]string{filepath.Join(dir, "none"): "does not exist", dir: "is a directory"} {
		s := &search{Finder: Finder{BinaryPath: path}, rule: pipeline.ToolRule{Name: "terraform"}}
		_, err := s.given(t.Context())
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "METAPIPE_TOOL names "+path+", which "+want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
