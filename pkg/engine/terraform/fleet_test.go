package terraform

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The root of a fleet: each target writes a file of its own, a random name that
// stays in its state, and says both.
const fleetRoot = `
terraform {
  required_providers {
    local  = { source = "hashicorp/local" }
    random = { source = "hashicorp/random" }
  }
}
variable "name" { type = string }
variable "dir" { type = string }
variable "text" { type = string }
resource "random_id" "id" { byte_length = 4 }
resource "local_file" "file" {
  filename = "${var.dir}/${var.name}.txt"
  content  = "${var.text} of ${var.name}"
}
resource "terraform_data" "seen" { input = local_file.file.content_sha256 }
output "id" { value = random_id.id.hex }
`

// providerMirror lays the built providers out as both tools look for them, and
// returns the path of a CLI configuration that names nothing else.
func providerMirror(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	mirror := filepath.Join(t.TempDir(), "mirror")
	for _, name := range []string{"local", "random"} {
		found, err := filepath.Glob(filepath.Join(cache, "metapipe", "tools", "terraform-provider-"+name+"-*", "terraform-provider-"+name))
		if err != nil || len(found) == 0 {
			t.Skipf("no provider %s here: run `make tools`", name)
		}
		for _, home := range []string{"terraform", "opentofu"} {
			tld := map[string]string{"terraform": "io", "opentofu": "org"}[home]
			dir := filepath.Join(mirror, "registry."+home+"."+tld, "hashicorp", name, "9.0.0", runtime.GOOS+"_"+runtime.GOARCH)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(found[len(found)-1], filepath.Join(dir, "terraform-provider-"+name+"_v9.0.0")); err != nil {
				t.Fatal(err)
			}
		}
	}
	config := filepath.Join(mirror, "cli.tfrc")
	terraformtest.WriteFile(t, config, fmt.Sprintf("provider_installation {\n  filesystem_mirror { path = %q }\n}\n", mirror))
	return config
}

// fleetWorld is a root with targets that were applied.
type fleetWorld struct {
	engine *Engine
	fleet  *Fleet
	jobs   []pipeline.Job
	files  string // where the targets' files are
	log    string // of the processes of the tool
}

func newFleetWorld(t *testing.T, tool terraformtest.Tool, targets int) *fleetWorld {
	t.Helper()
	config := providerMirror(t)
	w := &fleetWorld{files: t.TempDir(), log: filepath.Join(t.TempDir(), "calls")}
	stand := recordingTool(t, tool, w.log)
	w.engine = testEngine(t, tool, func(o *Options) {
		o.BinaryPath = stand
		o.Environ = append(o.Environ, "TF_CLI_CONFIG_FILE="+config)
	})
	w.fleet = w.engine.newFleet(t.TempDir())
	first := terraformtest.NewJob(t, tool, "name: x\n", map[string]string{"terraform/main.tf": fleetRoot, "customers/acme.yml": "x"})
	states := t.TempDir()
	for i := range targets {
		job := first
		job.Customer.Name = pipeline.CustomerName(fmt.Sprintf("c%d", i))
		job.Variables = w.variables(t, job, "text")
		job.Dir = filepath.Join(t.TempDir(), "run")
		job.Backend = terraformtest.LocalBackend(filepath.Join(states, string(job.Customer.Name), "terraform.tfstate"))
		planned, err := w.engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		job.Dir = filepath.Join(t.TempDir(), "run")
		if _, err := w.engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatal(err)
		}
		w.jobs = append(w.jobs, job)
	}
	if err := os.WriteFile(w.log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *fleetWorld) variables(t *testing.T, job pipeline.Job, text string) pipeline.Document {
	return terraformtest.ParseDocument(t, fmt.Sprintf("name: %s\ndir: %q\ntext: %s\nenvironments: {staging: {}}\n", job.Customer.Name, w.files, text))
}

// recordingTool is a script that notes its first argument and becomes the tool.
func recordingTool(t *testing.T, tool terraformtest.Tool, log string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	stand := filepath.Join(t.TempDir(), tool.Name)
	path := tool.Path
	if err := os.WriteFile(stand, []byte(fmt.Sprintf("#!/bin/sh\necho \"$1\" >> %q\nexec %q \"$@\"\n", log, path)), 0o700); err != nil {
		t.Fatal(err)
	}
	return stand
}

// plan plans all jobs at once, in runs of their own.
func (w *fleetWorld) plan(t *testing.T, dirs string) ([]pipeline.Planned, []error) {
	t.Helper()
	planned, errs := make([]pipeline.Planned, len(w.jobs)), make([]error, len(w.jobs))
	var all sync.WaitGroup
	for i, job := range w.jobs {
		job.Dir, job.Log = filepath.Join(dirs, fmt.Sprint(i)), &terraformtest.LogBuffer{}
		all.Go(func() { planned[i], errs[i] = w.fleet.Plan(t.Context(), job) })
	}
	all.Wait()
	return planned, errs
}

func (w *fleetWorld) calls(t *testing.T) map[string]int {
	t.Helper()
	raw, err := os.ReadFile(w.log)
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, command := range strings.Fields(string(raw)) {
		calls[command]++
	}
	return calls
}

func TestFleetLooksAtEachTargetItself(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		w := newFleetWorld(t, tool, 4)
		before := w.states(t)
		planned, errs := w.plan(t, t.TempDir())
		for i := range w.jobs {
			if errs[i] != nil {
				t.Fatal(i, errs[i])
			}
			if p := planned[i].Plan; p.HasChanges() || len(p.Drift) > 0 || planned[i].Evidence.ManagerTree() == "" {
				t.Errorf("target %d, which is as it was applied: %+v", i, planned[i])
			}
		}
		// One init for the root, at most one for each worker until the first has
		// ended, and nothing is shown.
		if calls := w.calls(t); calls["plan"] != 4 || calls["show"] != 0 || calls["init"] < 2 || calls["init"] > 5 {
			t.Errorf("the tool was called %v", calls)
		}
		if got := w.states(t); got != before {
			t.Errorf("a look changed the states:\n%s\nbefore:\n%s", got, before)
		}
		w.meddle(t)
		planned, errs = w.plan(t, t.TempDir())
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if calls := w.calls(t); calls["init"] > 5 || calls["plan"] != 8 || calls["show"] != 3 {
			t.Errorf("the tool was called %v", calls)
		}
		w.checkFound(t, planned)
	})
}

// meddle changes what belongs to targets 1 to 3: a file behind the tool's back, a
// deleted one, and the customer's own variables.
func (w *fleetWorld) meddle(t *testing.T) {
	t.Helper()
	terraformtest.WriteFile(t, filepath.Join(w.files, "c1.txt"), "somebody was here")
	if err := os.Remove(filepath.Join(w.files, "c2.txt")); err != nil {
		t.Fatal(err)
	}
	w.jobs[3].Variables = w.variables(t, w.jobs[3], "other")
}

func (w *fleetWorld) checkFound(t *testing.T, planned []pipeline.Planned) {
	t.Helper()
	if p := planned[0].Plan; p.HasChanges() || len(p.Drift) > 0 {
		t.Errorf("the untouched target: %+v", p)
	}
	for _, i := range []int{1, 2} {
		p := planned[i].Plan
		if len(p.Drift) != 1 || p.Drift[0].Address != "local_file.file" || !p.Drift[0].Relevant {
			t.Errorf("target %d, drift: %+v", i, p.Drift)
		}
		if len(p.Changes) == 0 || p.Changes[0].Address != "local_file.file" || !p.Changes[0].Reverts {
			t.Errorf("target %d, changes: %+v", i, p.Changes)
		}
	}
	p := planned[3].Plan
	if len(p.Drift) != 0 || len(p.Changes) == 0 || p.Changes[0].Reverts {
		t.Errorf("the target with other variables: %+v", p)
	}
}

func (w *fleetWorld) states(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, job := range w.jobs {
		raw, err := os.ReadFile(job.Backend.Path())
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

// TestFleetKeepsProvidersApart looks at targets whose states name a provider that
// the root does not have any more: they get it for themselves.
func TestFleetKeepsProvidersApart(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		w := newFleetWorld(t, tool, 2)
		without := strings.NewReplacer("    random = { source = \"hashicorp/random\" }\n", "", "resource \"random_id\" \"id\" { byte_length = 4 }\n", "",
			"output \"id\" { value = random_id.id.hex }\n", "").Replace(fleetRoot)
		terraformtest.WriteFile(t, filepath.Join(w.jobs[0].ManagerDir, "terraform", "main.tf"), without)
		planned, errs := w.plan(t, t.TempDir())
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		for i, p := range planned {
			if c := p.Plan.Changes; len(c) != 1 || c[0].Address != "random_id.id" || c[0].Action != pipeline.ActionDelete || p.Evidence.ManagerCode() == "" {
				t.Errorf("target %d: %+v", i, p)
			}
		}
		found, err := filepath.Glob(filepath.Join(w.fleet.dir, "roots", "*", "data", "providers", "*", "*", "*"))
		if err != nil || len(found) != 1 || filepath.Base(found[0]) != "local" {
			t.Errorf("the prepared providers are %v (%v), want local alone", found, err)
		}
	})
}

// TestFleetTakesNoBrokenStreamForClean loses what the tool says about a change: the
// plan itself is asked where the stream was not heard to its end.
func TestFleetTakesNoBrokenStreamForClean(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		w := newFleetWorld(t, tool, 2)
		terraformtest.WriteFile(t, filepath.Join(w.files, "c1.txt"), "somebody was here")
		stand := filepath.Join(t.TempDir(), tool.Name)
		script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = plan ] || exec %q \"$@\"\n%q \"$@\" | sed -n 1p\n", tool.Path, tool.Path)
		if err := os.WriteFile(stand, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		w.engine.options.BinaryPath = stand
		w.fleet = w.engine.newFleet(t.TempDir())
		planned, errs := w.plan(t, t.TempDir())
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if p := planned[0].Plan; p.HasChanges() || len(p.Drift) > 0 {
			t.Errorf("the untouched target: %+v", p)
		}
		if p := planned[1].Plan; len(p.Drift) != 1 || p.Drift[0].Address != "local_file.file" {
			t.Errorf("the changed target: %+v", p)
		}
	})
}

// TestFleetGivesEachTargetItsOwnFile: with a list of code that names no customers, a
// target of a fleet sees the files that its own plan sees.
func TestFleetGivesEachTargetItsOwnFile(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		for _, c := range []struct {
			code []string
			want string
		}{{[]string{"modules"}, `["c1.yml"]`}, {[]string{"modules", "customers/*.yml"}, `["c0.yml","c1.yml"]`}, {nil, `["c0.yml","c1.yml"]`}} {
			job := terraformtest.NewJob(t, tool, "name: x\n", map[string]string{"customers/c0.yml": "a", "customers/c1.yml": "a", "modules/x.tf": "",
				"terraform/main.tf": "output \"seen\" { value = jsonencode(sort(fileset(\"${path.module}/../customers\", \"*.yml\"))) }\n"})
			job.Customer.Name, job.Customer.Manager.Code = "c1", c.code
			engine := testEngine(t, tool)
			alone, err := engine.Plan(t.Context(), job)
			if err != nil {
				t.Fatalf("%v\n%s", err, job.Log)
			}
			job.Dir = filepath.Join(t.TempDir(), "run")
			job.Customer.Name = "c0"
			fleet := engine.newFleet(t.TempDir())
			if _, err := fleet.Plan(t.Context(), job); err != nil { // the root is prepared for another target
				t.Fatal(err)
			}
			job.Dir, job.Customer.Name = filepath.Join(t.TempDir(), "run"), "c1"
			together, err := fleet.Plan(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			for where, planned := range map[string]pipeline.Planned{"alone": alone, "in a fleet": together} {
				if got := fmt.Sprint(planned.Plan.Outputs); !strings.Contains(strings.ReplaceAll(got, `\`, ""), c.want) {
					t.Errorf("with %q, %s: the target sees %s, want %s", c.code, where, got, c.want)
				}
			}
			if alone.Evidence.ManagerCode() != together.Evidence.ManagerCode() {
				t.Errorf("with %q, the code is %s alone and %s in a fleet", c.code, alone.Evidence.ManagerCode(), together.Evidence.ManagerCode())
			}
		}
	})
}
