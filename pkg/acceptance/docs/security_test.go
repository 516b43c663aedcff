package docs

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestSecurityNamesItsTests holds the tables of docs/SECURITY.md against the tests:
// each row names some, all of them are there, and no attempt is missing.
func TestSecurityNamesItsTests(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	for _, file := range fixture.Must(filepath.Glob(filepath.Join(fixture.Root(t), "testdata", "attack", "*.txtar")))(t) {
		there[strings.TrimSuffix(filepath.Base(file), ".txtar")] = false
	}
	attempts := len(there)
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	for _, dir := range []string{"cmd", "pkg"} {
		fixture.Check(t, filepath.WalkDir(filepath.Join(fixture.Root(t), dir), func(file string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, "_test.go") {
				return err
			}
			content, err := os.ReadFile(file)
			for _, name := range function.FindAllSubmatch(content, -1) {
				there[string(name[1])] = false
			}
			return err
		}))
	}
	text := fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "SECURITY.md")))(t)
	_, tables, _ := bytes.Cut(text, []byte("\n## Attempts and defenses\n"))
	tables, _, _ = bytes.Cut(tables, []byte("\n## What is not defended"))
	rows := regexp.MustCompile(`(?m)^\| .* \|$`).FindAllString(string(tables), -1)
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "| "), " | ")
		last := cells[len(cells)-1]
		if last == "Test" {
			continue
		}
		names := regexp.MustCompile("`([\\w-]+)`").FindAllStringSubmatch(last, -1)
		if len(cells) != 4 || len(names) == 0 {
			t.Errorf("this row has no test, or not four cells: %s", row)
		}
		for _, name := range names {
			if _, exists := there[name[1]]; !exists {
				t.Errorf("there is no test %s: %s", name[1], row)
			}
			there[name[1]] = true
		}
	}
	if len(rows) < 40 || attempts < 50 {
		t.Errorf("%d rows, %d attempts", len(rows), attempts)
	}
	for name, named := range there {
		if !named && !strings.HasPrefix(name, "Test") {
			t.Errorf("docs/SECURITY.md does not name the attempt %s", name)
		}
	}
}
