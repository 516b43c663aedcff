package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestReleaseNotes prints the section of a tag, and fails where there is none.
func TestReleaseNotes(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the script runs in the release workflow, on Linux")
	}
	dir := t.TempDir()
	script := fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), ".ci", "release-notes")))(t)
	log := "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- later\n\n## [1.10.0] - 2026-03-01\n\n### Fixed\n\n- ten\n\n## [1.1.0] - 2026-02-01\n\n- one\n\n## [1.0.0] - 2026-01-01\n"
	if err := os.MkdirAll(filepath.Join(dir, ".ci"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{".ci/release-notes": string(script), "CHANGELOG.md": log} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	notes := func(tag string) (string, error) {
		out, err := exec.CommandContext(t.Context(), filepath.Join(dir, ".ci", "release-notes"), tag).Output()
		return string(out), err
	}
	for tag, want := range map[string]string{"v1.10.0": "\n### Fixed\n\n- ten\n", "v1.1.0": "\n- one\n"} {
		if got, err := notes(tag); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", tag, got, err, want)
		}
	}
	for _, tag := range []string{"v1.0.0", "v2.0.0", "v1.1", "v1.1x0"} {
		if got, err := notes(tag); err == nil {
			t.Errorf("%s: %q, want an error: it has no notes", tag, got)
		}
	}
}

// TestManual builds the man pages and completions of a release.
func TestManual(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "-C", filepath.Join(fixture.Root(t), ".ci", "tools", "manual"), ".", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"man/metapipe.1", "man/metapipe-plan.1", "completions/metapipe.bash", "completions/metapipe.zsh"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
