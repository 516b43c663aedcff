package render_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden renders every testdata/*.json and compares with its twins. A new
// case is a new JSON file and a run with -update.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			rep := readCase[pipeline.Report](t, file)
			var r render.Renderer
			comment, summary := r.Comment(rep), r.Summary(rep)
			golden(t, name+".comment.md", comment)
			golden(t, name+".summary.md", summary)
			golden(t, name+".status.txt", statuses(r, rep))
			checkMarkdown(t, comment)
			checkMarkdown(t, summary)
			for _, target := range rep.Targets {
				if !strings.Contains(comment, strings.TrimSpace(r.Plan(target)[:20])) {
					t.Errorf("the section of %s on a laptop begins otherwise than in the comment", target.Environment)
				}
			}
		})
	}
}

func statuses(r render.Renderer, rep pipeline.Report) string {
	var out strings.Builder
	out.WriteString("overall: " + r.Status(rep, pipeline.Target{}) + "\n")
	var targets []pipeline.Target
	for _, env := range rep.Request.Removed {
		targets = append(targets, rep.Request.Customer.In(env))
	}
	for _, target := range rep.Targets {
		targets = append(targets, target.Target)
	}
	for _, target := range targets {
		out.WriteString(target.Name() + ": " + r.Status(rep, target) + "\n")
	}
	return out.String()
}

// readCase reads a value of the given type, which must know every key of the file.
func readCase[T any](t *testing.T, file string) T {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var value T
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return value
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}
