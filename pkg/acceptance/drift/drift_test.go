package drift

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestDriftTellsWhatHappened(t *testing.T) {
	t.Parallel()
	config := fixture.ProviderConfig(t, "local")
	dir := t.TempDir()
	w := fixture.New(t, fixture.DriftFiles(dir))
	w.Setenv("TF_CLI_CONFIG_FILE=" + config)
	variables := func(name string) map[string]string {
		return map[string]string{"infra/variables.yml": "name: " + name + "\nenvironments:\n  staging: {}\n"}
	}
	apply := func(name string) {
		t.Helper()
		r := w.Accept(w.Push("main", variables(name)))
		p := r.Planned("staging")
		r.Do(0, "apply", "staging", "--receipt", p.Outputs["receipt"])
		r.Report("--final")
	}
	w.Commit(w.Customer, "main", variables("first"))
	if r, _, _ := w.Scan(6); !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftPending}) || r.Applied != nil {
		t.Errorf("never applied: %+v", r)
	}
	apply("shop")
	state := w.State("shop/staging")
	w.Hub.ResetCalls()
	r, scan, output := w.Scan(0)
	if !r.Clean() || r.Applied == nil || r.Applied.Actor != "casey" || len(r.Ignored) != 1 || len(scan.ExpiredRules) != 1 {
		t.Errorf("clean: %+v, expired %v", r, scan.ExpiredRules)
	}
	output.Want(t, "targets=1", "clean=1", "found=0", "errors=0")
	if calls := w.Hub.Calls(); len(calls) != 1 {
		t.Errorf("a clean target of one customer took %d calls to GitHub: %v", len(calls), calls)
	}
	// Someone else's hand.
	file := filepath.Join(dir, "staging.txt")
	fixture.Check(t, os.WriteFile(file, []byte("meddled"), 0o600))
	r, _, _ = w.Scan(6)
	if !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftReal}) || r.Plan == nil || len(r.Plan.Drift) != 1 || r.Plan.Drift[0].Address != "local_file.file" {
		t.Errorf("changed behind the tool's back: %+v", r)
	}
	first := r.FirstSeen
	fixture.Check(t, os.Remove(file))
	if r, _, _ = w.Scan(6); !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftReal}) || !r.FirstSeen.Equal(first) || first.IsZero() {
		t.Errorf("deleted behind the tool's back, first seen %s: %+v", first, r)
	}
	w.Scan(0, "--fail-on", "none")
	w.Scan(0, "--fail-on", "error")
	// Both at once: the customer merges while the file is gone.
	w.Commit(w.Customer, "main", variables("next"))
	if r, _, _ = w.Scan(6); !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftReal, pipeline.DriftPending}) {
		t.Errorf("drift and a pending change: %v %+v", r.Kinds, r.Failure)
	}
	fixture.Check(t, os.WriteFile(file, []byte("shop"), 0o600))
	fixture.Check(t, os.Chmod(file, 0o777))
	if r, _, _ = w.Scan(6); !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftPending}) {
		t.Errorf("a pending change: %v %+v", r.Kinds, r.Failure)
	}
	// A change that plans nothing is none.
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "# a comment\nname: shop\nenvironments:\n  staging: {}\n"})
	if r, _, _ = w.Scan(0); !r.Clean() {
		t.Errorf("a comment: %+v", r)
	}
	if w.State("shop/staging") != state {
		t.Error("a scan wrote to the state")
	}
	// The manager's turn.
	w.Commit(w.Manager, "main", map[string]string{"terraform/more.tf": `resource "terraform_data" "more" {}`})
	if r, _, _ = w.Scan(6); !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftManager}) {
		t.Errorf("the manager's change: %v %+v", r.Kinds, r.Failure)
	}
	// An error is no drift.
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: [\n"})
	if r, _, _ = w.Scan(6, "--fail-on", "error"); !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftError}) || r.Failure.Cause != "variables" || r.Plan != nil {
		t.Errorf("a broken file: %+v", r)
	}
	w.Commit(w.Manager, "main", map[string]string{"terraform/more.tf": `resource "terraform_data" "more" { input = file("missing") }`})
	w.Commit(w.Customer, "main", variables("shop"))
	if r, _, _ = w.Scan(6); !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftError}) || r.Failure.Cause != "tool" || len(r.Failure.Diagnostics) == 0 {
		t.Errorf("a broken root: %+v", r)
	}
	if got := w.Writes(); len(got) > 0 {
		if i := slices.IndexFunc(got, func(s string) bool { return strings.Contains(s, "issues") }); i >= 0 {
			t.Errorf("a scan wrote %v", got)
		}
	}
}
