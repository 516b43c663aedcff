package enginetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// FindTool finds the program of a tool: that of METAPIPE_TEST_NAME, the one in PATH, or the one that `make tools` has built.
func FindTool(name string) (path string, found bool) {
	if path := os.Getenv("METAPIPE_TEST_" + strings.ToUpper(name)); path != "" {
		return path, true
	}
	if path, err := exec.LookPath(name); err == nil {
		return path, true
	}
	if cache, err := os.UserCacheDir(); err == nil {
		paths, err := filepath.Glob(filepath.Join(cache, "metapipe", "tools", name+"-*", name))
		if err == nil && len(paths) > 0 {
			return paths[len(paths)-1], true
		}
	}
	return "", false
}
