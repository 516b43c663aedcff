package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// DriftJob is a job of a scheduled run of the manager.
func (w *Setup) DriftJob() *Job {
	w.T.Helper()
	head := Must(w.Manager.Head("main"))(w.T)
	run := Must(w.Manager.StartRun(hub.NewRun{Event: "schedule", Path: ".github/workflows/drift-detection.yml", HeadSHA: head, HeadBranch: "main", Actor: "robin", Status: "in_progress"}))(w.T)
	return w.NewJob(WorkflowRun{Repo: w.Manager, Run: run, Event: json.RawMessage("{}"), SHA: head, Ref: "refs/heads/main"})
}

// Scan runs drift in one process and returns what it says of shop/staging.
func (w *Setup) Scan(exit int, args ...string) (drift.Result, drift.Scan, Result) {
	w.T.Helper()
	r := w.DriftJob().Do(exit, append([]string{"drift", "--json", "--environment", "staging"}, args...)...)
	scan := ScanOf(w.T, r)
	if len(scan.Results) != 1 || len(scan.Missing) != 0 {
		w.T.Fatalf("results %+v, missing %v\n%s", scan.Results, scan.Missing, r.Log)
	}
	return scan.Results[0], scan, r
}

func ScanOf(t testing.TB, r Result) drift.Scan {
	t.Helper()
	var scan drift.Scan
	at := strings.Index(r.Log, "\n{\n")
	if at < 0 {
		t.Fatalf("no JSON in:\n%s", r.Log)
	}
	var raw json.RawMessage
	Check(t, json.NewDecoder(strings.NewReader(r.Log[at:])).Decode(&raw))
	WantDriftSchema(t, raw)
	Check(t, json.Unmarshal(raw, &scan))
	return scan
}

// DriftFiles is a root whose file lies outside of the tool's reach.
func DriftFiles(dir string) map[string]string {
	return map[string]string{
		"metapipe.yml": `
environments:
  - {name: staging, branches: [main]}
  - {name: production, branches: [main], gated: true}
limits: {lock_timeout: 0s}
drift:
  remediate: [staging]
  ignore:
    - {address: terraform_data.noise, reason: "always new", until: "2999-12-31"}
    - {address: local_file.file, reason: "an old story", until: "2020-01-01"}
`,
		"terraform/main.tf": `
variable "config" { type = any }
variable "environment" { type = string }
resource "local_file" "file" {
  filename = "` + dir + `/${var.environment}.txt"
  content  = var.config.name
}
resource "terraform_data" "noise" { input = timestamp() }
`,
	}
}

func TestDriftTellsWhatHappened(t *testing.T) {
	t.Parallel()
	config := ProviderConfig(t, "local")
	dir := t.TempDir()
	w := New(t, DriftFiles(dir))
	w.Environ = []string{"TF_CLI_CONFIG_FILE=" + config}
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
	// Somebody else's hand.
	file := filepath.Join(dir, "staging.txt")
	Check(t, os.WriteFile(file, []byte("meddled"), 0o600))
	r, _, _ = w.Scan(6)
	if !slices.Equal(r.Kinds, []pipeline.DriftKind{pipeline.DriftReal}) || r.Plan == nil || len(r.Plan.Drift) != 1 || r.Plan.Drift[0].Address != "local_file.file" {
		t.Errorf("changed behind the tool's back: %+v", r)
	}
	first := r.FirstSeen
	Check(t, os.Remove(file))
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
	Check(t, os.WriteFile(file, []byte("shop"), 0o600))
	Check(t, os.Chmod(file, 0o777))
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
