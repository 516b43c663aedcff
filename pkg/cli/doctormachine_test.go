package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
)

// TestDoctorLooksForTheRenderer: doctor looks for the crossplane CLI where a stack predicts with it, and only there.
func TestDoctorLooksForTheRenderer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	rule := pipeline.ToolRule{Name: "crossplane"}
	look := func() []doctor.Check {
		return examination{manager: &manager{step: &step{app: &App{}}, config: config.Config{Manager: pipeline.Manager{Tool: rule}}}}.tools(t.Context())
	}
	if checks := look(); len(checks) != 1 || checks[0].State != doctor.OK {
		t.Errorf("without a prediction: %+v", checks)
	}
	rule.Kubernetes.Render = pipeline.RenderRule{Compositions: []string{"a.yaml"}, Functions: "f.yaml"}
	if checks := look(); len(checks) != 2 || checks[1].State != doctor.Warn || checks[1].Subject != "crossplane render" || checks[1].Remedy == "" {
		t.Errorf("without the CLI: %+v", checks)
	}
	if err := os.WriteFile(filepath.Join(dir, "crossplane"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if checks := look(); len(checks) != 2 || checks[1].State != doctor.OK || checks[1].Evidence != filepath.Join(dir, "crossplane") {
		t.Errorf("with the CLI: %+v", checks)
	}
}
