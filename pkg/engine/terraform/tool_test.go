package terraform

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestVersionIsAskedOnce uses a program, since scripts are asked each time.
func TestVersionIsAskedOnce(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		r, recorded := newRecorder(t, tool)
		engine := testEngine(t, recorded)
		ask := func() string {
			v, err := engine.finder().Version(t.Context(), recorded.Path)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		first := ask()
		if ask() != first {
			t.Error("another answer")
		}
		if commands, _ := r.Calls(t); len(commands) != 1 {
			t.Errorf("%d processes", len(commands))
		}
		records, err := filepath.Glob(filepath.Join(engine.options.CacheDir, "versions", "*.json"))
		if err != nil || len(records) != 1 {
			t.Fatalf("%v %v", records, err)
		}
		good, err := os.ReadFile(records[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{
			"", "{}", "null", string(good[:20]), strings.Replace(string(good), first, "1.2.3; rm -rf /", 1),
			strings.Replace(string(good), `"size":`, `"size":9`, 1), strings.Replace(string(good), `"mod_time":`, `"mod_time":1`, 1),
			strings.Replace(string(good), `{`, `{"more":1,`, 1),
		} {
			terraformtest.WriteFile(t, records[0], bad)
			r.Forget(t)
			if ask() != first {
				t.Errorf("believed %q", bad)
			}
			if commands, _ := r.Calls(t); len(commands) != 1 {
				t.Errorf("%q: %d processes", bad, len(commands))
			}
		}
	})
}
