package workflow

import (
	"testing"
	"testing/fstest"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestCheckVariables(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		".github/workflows/external-sync.yml": {Data: []byte("jobs:\n  sync:\n    steps:\n      - env:\n          BILLING_API_KEY: ${{ secrets.BILLING_API_KEY }}\n          # CMDB_KEY: later\n        run: metapipe sync\n")},
		".github/workflows/other.yml":         {Data: []byte("jobs:\n  other:\n    steps:\n      - env: {CMDB_KEY: x}\n        run: echo metapipe\n")},
	}
	at := pipeline.Position{File: "sync.yml", Line: 3}
	for name, want := range map[string]int{"BILLING_API_KEY": 0, "CMDB_KEY": 1, "API_KEY": 1} {
		found := CheckVariables(root, []NeededVariable{{Name: name, Of: "source x", Where: at, Commands: []string{"sync"}}})
		if len(found) != want {
			t.Errorf("%s: %v", name, found)
		}
		for _, p := range found {
			if p.Position != at || !p.Warning {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
	if found := CheckVariables(root, []NeededVariable{{Name: "X", Commands: []string{"plan", "apply"}}}); len(found) != 0 {
		t.Errorf("no workflow runs them: %v", found)
	}
}
