package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVersion builds the command as a release does: the linker sets what it prints. What
// the command does is tested below pkg/acceptance.
func TestVersion(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "metapipe.exe")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", "-X main.version=v9.8.7 -X main.commit=0123456789abcdef", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), binary, "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "metapipe v9.8.7") || !strings.Contains(string(out), "0123456789ab") {
		t.Errorf("%v\n%s", err, out)
	}
	start := exec.CommandContext(t.Context(), binary, "version")
	start.Env = append(os.Environ(), "GOGC=", "GODEBUG=gctrace=1")
	if out, err := start.CombinedOutput(); err != nil || strings.Contains(string(out), "gc 1 ") {
		t.Errorf("a short command collects garbage: %v\n%s", err, out)
	}
	if err := exec.CommandContext(t.Context(), binary, "no-such-command").Run(); err == nil {
		t.Error("an unknown command ends well")
	}
}
