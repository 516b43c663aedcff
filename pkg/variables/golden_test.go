package variables_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/variables"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestBad reads every testdata/bad/*.yml and compares its problems with the
// file beside it that ends in .golden.
func TestBad(t *testing.T) {
	t.Parallel()
	schema := testSchema(t)
	for _, file := range list(t, "testdata/bad/*.yml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			doc, problems := variables.Parse("infra/variables.yml", read(t, file), pipeline.Limits{}, schema)
			if problems.Err() != nil && doc != nil {
				t.Error("there is a document beside an error")
			}
			if problems.Err() == nil && doc == nil {
				t.Error("there is no document and no error")
			}
			if len(problems) == 0 {
				t.Error("no problem was found")
			}
			golden(t, strings.TrimSuffix(file, ".yml")+".golden", problems.Error()+"\n")
		})
	}
}

// TestSlips reads every testdata/slips/*.yml, each a file with one slip of a
// person, and compares what that person is shown with the .golden beside it.
func TestSlips(t *testing.T) {
	t.Parallel()
	schema := testSchema(t)
	for _, file := range list(t, "testdata/slips/*.yml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, problems := variables.Parse("infra/variables.yml", read(t, file), pipeline.Limits{}, schema)
			if len(problems) == 0 {
				t.Error("no problem was found")
			}
			lines := make([]string, len(problems))
			for i, p := range problems {
				lines[i] = p.String()
				if p.Warning {
					lines[i] = "warning: " + lines[i]
				}
			}
			golden(t, strings.TrimSuffix(file, ".yml")+".golden", strings.Join(lines, "\n")+"\n")
		})
	}
}

// TestGood reads every testdata/good/*.yml, which must be free of problems, and
// compares what Terraform would see with the golden file of each environment.
func TestGood(t *testing.T) {
	t.Parallel()
	schema := testSchema(t)
	for _, file := range list(t, "testdata/good/*.yml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			doc, problems := variables.Parse("infra/variables.yml", read(t, file), pipeline.Limits{}, schema)
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			for _, e := range doc.Environments() {
				effective, err := doc.Effective(pipeline.Environment(e.Name))
				if err != nil {
					t.Fatal(err)
				}
				text := string(effective.Source) + "--- whole\n" + string(effective.Whole) + "\n"
				golden(t, strings.TrimSuffix(file, ".yml")+"."+e.Name+".golden", text)
			}
		})
	}
}

func testSchema(t testing.TB) *variables.Schema {
	t.Helper()
	schema, err := variables.Compile("schema.json", read(t, "testdata/schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func list(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, file)), got); diff != "" {
		t.Errorf("%s differs (run with -update when the new text is right):\n%s", file, diff)
	}
}
