package render_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestLedgerGolden renders every testdata/ledger/*.json and compares with its twin.
func TestLedgerGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/ledger/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var r ledger.AuditReport
			if err := json.Unmarshal(b, &r); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", render.Ledger(r))
		})
	}
}

// TestFleetStatusGolden does the same with testdata/fleetstatus.
func TestFleetStatusGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/fleetstatus/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var f fleetstatus.Fleet
			if err := json.Unmarshal(b, &f); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", render.FleetStatus(f))
		})
	}
}

// TestPropertiesGolden does the same with testdata/properties.
func TestPropertiesGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/properties/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".json")
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var all []properties.CustomerProperties
			if err := json.Unmarshal(b, &all); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", render.PropertiesList(all))
		})
	}
}
