package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInPath: Windows knows a program by the end of its name, other systems by a bit of its file.
func TestInPath(t *testing.T) {
	t.Parallel()
	first, second := t.TempDir(), t.TempDir()
	for path, mode := range map[string]os.FileMode{
		filepath.Join(first, "kubectl"):      0o600,
		filepath.Join(first, "kubectl.exe"):  0o600,
		filepath.Join(second, "kubectl"):     0o700,
		filepath.Join(second, "kubectl.exe"): 0o700,
	} {
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(first, "pulumi.exe"), 0o700); err != nil {
		t.Fatal(err)
	}
	list := strings.Join([]string{"relative", filepath.Join(first, "missing"), first, second}, string(filepath.ListSeparator))
	for _, c := range []struct {
		system  system
		program string
		want    []string
	}{
		{"windows", "kubectl", []string{filepath.Join(first, "kubectl.exe"), filepath.Join(second, "kubectl.exe")}},
		{"windows", "pulumi", nil},
		{"linux", "kubectl", []string{filepath.Join(second, "kubectl")}},
		{"darwin", "kubectl", []string{filepath.Join(second, "kubectl")}},
	} {
		if got := c.system.inPath(list, c.program); !slices.Equal(got, c.want) {
			t.Errorf("%s, %s: got %q", c.system, c.program, got)
		}
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		system  system
		environ Environ
		want    string
	}{
		{"windows", Environ{`USERPROFILE=C:\Users\u`}, `C:\Users\u`},
		{"windows", Environ{`USERPROFILE=C:\Users\u`, `HOME=C:\u`}, `C:\u`},
		{"linux", Environ{"USERPROFILE=/elsewhere"}, ""},
		{"linux", Environ{"HOME=/home/u"}, "/home/u"},
	} {
		if got := c.environ.home(c.system); got != c.want {
			t.Errorf("%s, %q: got %q", c.system, c.environ, got)
		}
	}
}
