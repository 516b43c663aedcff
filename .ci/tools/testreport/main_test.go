package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRun runs real tests of a module that is made for it.
func TestRun(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, test, expected string
		code                 int
		want                 []string
	}{
		{"pass", `func TestA(t *testing.T) { t.Run("b", func(t *testing.T) {}) }`, "", 0, []string{"2 passed, 0 failed, 0 skipped\n"}},
		{"fail", `func TestA(t *testing.T) { t.Error("the reason") }`, "", 1, []string{"FAILED: sample TestA", "the reason", "0 passed, 1 failed, 0 skipped\n"}},
		{"unexpected skip", `func TestA(t *testing.T) { t.Skip("no disk") }`, "sample TestB other\n", 1, []string{"UNEXPECTED SKIP: sample TestA: no disk", "0 passed, 0 failed, 1 skipped\n"}},
		{"expected skip", `func TestA(t *testing.T) { t.Run("x", func(t *testing.T) { t.Skip("no disk") }) }`, "# why\n\nsample TestA has no disk\n", 0, []string{"skipped: sample TestA/x: no disk", "1 passed, 0 failed, 1 skipped\n"}},
		{"does not build", `func TestA(t *testing.T) { nonsense }`, "", 1, []string{"undefined: nonsense", "0 passed, 1 failed, 0 skipped\n"}},
		{"panic", `func TestA(t *testing.T) { panic("boom") }`, "", 1, []string{"boom", "1 failed"}},
		{"exit", `func TestA(t *testing.T) {}; func TestMain(m *testing.M) { panic("no set-up") }`, "", 1, []string{"no set-up", "0 passed, 1 failed, 0 skipped\n"}},
		{"no tests", ``, "", 1, []string{"no test was run"}},
		{"bad list", `func TestA(t *testing.T) {}`, "sample TestA\n", 2, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module sample\n\ngo 1.26\n")
			write(t, filepath.Join(dir, "a_test.go"), "package sample\n\nimport \"testing\"\n\nvar _ testing.TB\n\n"+c.test+"\n")
			write(t, filepath.Join(dir, "expected"), c.expected)
			var out, errOut bytes.Buffer
			code := run([]string{"-expected", filepath.Join(dir, "expected"), "--", "go", "test", "-C", dir, "-json", "./..."}, &out, &errOut)
			if code != c.code {
				t.Errorf("got exit code %d, want %d\n%s%s", code, c.code, &out, &errOut)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("want %q in\n%s", want, &out)
				}
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
