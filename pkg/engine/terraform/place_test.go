package terraform

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const placeRoot = `
resource "terraform_data" "a" {
  input = [abspath(path.module), path.cwd, abspath(path.root), abspath("${path.module}/../modules/x"), fileexists(abspath("${path.module}/../modules/x/main.tf")), module.x.own]
  provisioner "local-exec" { command = "cat '${abspath(path.module)}/main.tf' > /dev/null" }
}
module "x" { source = "../modules/x" }
output "all" { value = terraform_data.a.output }
`

// TestOnePathInEveryJob applies a plan that holds paths in another run directory,
// with another home and temp directory, and plans once more elsewhere.
func TestOnePathInEveryJob(t *testing.T) {
	t.Parallel()
	if !process.HasFixedPlace {
		t.Skip("this system has no path that is the same in every job")
	}
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"stacks/live/main.tf": placeRoot, "stacks/modules/x/main.tf": "output \"own\" { value = abspath(path.module) }\n"})
		if err := os.Symlink(filepath.Join("stacks", "live"), filepath.Join(job.ManagerDir, "live")); err != nil {
			t.Fatal(err)
		}
		for _, root := range []string{"stacks/live", "live"} {
			job.Customer.Root = root
			job.Backend = terraformtest.LocalBackend(filepath.Join(t.TempDir(), "terraform.tfstate"))
			planned, err := testEngine(t, tool).Plan(t.Context(), again(t, job))
			if err != nil {
				t.Fatal(err)
			}
			elsewhere := testEngine(t, tool, func(o *Options) { o.Environ = append(o.Environ, "TMPDIR="+t.TempDir()) })
			applied, err := elsewhere.Apply(t.Context(), again(t, job), terraformtest.Stored(planned))
			if err != nil {
				t.Fatalf("%v\n%s", err, job.Log)
			}
			if len(applied.Outputs) != 1 || !strings.Contains(applied.Outputs[0].Value, "true") || strings.Contains(applied.Outputs[0].Value, os.TempDir()) {
				t.Errorf("outputs %+v", applied.Outputs)
			}
			if next, err := testEngine(t, tool).Plan(t.Context(), again(t, job)); err != nil || next.Plan.HasChanges() {
				t.Errorf("the next plan: %+v %v", next.Plan.Changes, err)
			}
		}
	})
}

// TestPathThatAProgramCannotRead: a program that has another file in the place of the
// workspace is told what to use.
func TestPathThatAProgramCannotRead(t *testing.T) {
	t.Parallel()
	if !process.HasFixedPlace {
		t.Skip("this system has no path that is the same in every job")
	}
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": `
resource "terraform_data" "a" {
  provisioner "local-exec" { command = "exec 3>&1; ls ${abspath(path.module)}/main.tf" }
}
resource "terraform_data" "b" {
  provisioner "local-exec" { command = "exec 3>&-; ls ${path.module}/main.tf" }
}
resource "terraform_data" "c" {
  provisioner "local-exec" {
    interpreter = ["/bin/bash", "-c"]
    command     = "exec 3>&-; cat '${path.cwd}/main.tf'"
  }
}
`})
		planned, err := testEngine(t, tool).Plan(t.Context(), again(t, job))
		if err != nil {
			t.Fatal(err)
		}
		applied, err := testEngine(t, tool).Apply(t.Context(), again(t, job), terraformtest.Stored(planned))
		if err == nil || len(applied.Diagnostics) != 2 || !strings.Contains(applied.Diagnostics[0].Operator, "use path.module") || !strings.Contains(applied.Diagnostics[1].Operator, "use path.module") {
			t.Errorf("%v: %+v", err, applied.Diagnostics)
		}
	})
}

// TestPathOfTheRunIsRefused lets a program find out where the workspace really lies.
func TestPathOfTheRunIsRefused(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		wrapped := wrapTool(t, tool, `
if [ "$1" = show ]; then %[1]q "$@" | sed "s#MARK#$(pwd -P)#g"; exit 0; fi
exec %[1]q "$@"
`)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "resource \"terraform_data\" \"a\" {\n  input = { tags = [\"x\", \"MARK\"] }\n}\n"})
		planned, err := testEngine(t, wrapped).Plan(t.Context(), job)
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, "terraform_data.a.input.tags[1] holds the directory of this run") || len(planned.Artifacts) > 0 {
			t.Errorf("got %v", err)
		}
	})
}

// moduleServer serves a module as an archive; what it holds can be exchanged.
func moduleServer(t *testing.T) (url string, content *atomic.Pointer[string]) {
	t.Helper()
	content = &atomic.Pointer[string]{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var b bytes.Buffer
		zipped := gzip.NewWriter(&b)
		archive := tar.NewWriter(zipped)
		for name, text := range map[string]string{"main.tf": "resource \"terraform_data\" \"m\" {\n  input = path.module\n  provisioner \"local-exec\" { command = \"sh '${path.module}/run.sh'\" }\n}\noutput \"at\" { value = path.module }\n", "run.sh": *content.Load()} {
			_ = archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
			_, _ = archive.Write([]byte(text))
		}
		_ = archive.Close()
		_ = zipped.Close()
		_, _ = w.Write(b.Bytes())
	}))
	t.Cleanup(server.Close)
	return server.URL + "/m.tar.gz", content
}

// TestRemoteModules runs a script of a module that was fetched anew for the apply,
// and no script that the plan did not know.
func TestRemoteModules(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		url, content := moduleServer(t)
		ran := filepath.Join(t.TempDir(), "ran")
		script, other := "echo ran > '"+ran+"'\n", "echo other > '"+ran+"'\n"
		content.Store(&script)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "module \"m\" { source = \"" + url + "\" }\noutput \"at\" { value = module.m.at }\n"})
		engine := testEngine(t, tool)
		planned, err := engine.Plan(t.Context(), again(t, job))
		if err != nil {
			t.Fatal(err)
		}
		if planned.Evidence[evidenceModules] == "" {
			t.Error("the modules have no digest")
		}
		content.Store(&other)
		_, err = engine.Apply(t.Context(), again(t, job), terraformtest.Stored(planned))
		var refused *pipeline.RefusedError
		if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStaleManager || isFile(ran) || isFile(job.Backend.Path()) {
			t.Fatalf("an exchanged module: %v", err)
		}
		content.Store(&script)
		applied, err := engine.Apply(t.Context(), again(t, job), terraformtest.Stored(planned))
		if err != nil || !isFile(ran) {
			t.Fatalf("%v\n%s", err, job.Log)
		}
		if len(applied.Outputs) != 1 || applied.Outputs[0].Value != `"../../data/modules/m"` {
			t.Errorf("outputs %+v", applied.Outputs)
		}
	})
}

// TestHomeInAPlan: a plan that keeps the home directory says so, and one that names such a
// path by itself does not.
func TestHomeInAPlan(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		home := t.TempDir()
		for name, c := range map[string]struct {
			code  string
			warns string
		}{
			"expanded": {"resource \"terraform_data\" \"a\" {\n  input = { keys = [pathexpand(\"~/.ssh/id\")] }\n}\n", "terraform_data.a.input.keys[0] holds the home directory"},
			"written":  {"resource \"terraform_data\" \"a\" {\n  input = \"" + home + "/x\"\n}\n", ""},
			"read":     {"resource \"terraform_data\" \"a\" {\n  input = fileexists(pathexpand(\"~/x\"))\n}\n", ""},
		} {
			job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": c.code})
			planned, err := testEngine(t, tool, func(o *Options) { o.Environ = append(o.Environ, "HOME="+home) }).Plan(t.Context(), job)
			if err != nil {
				t.Fatal(err)
			}
			var warnings []string
			for _, d := range planned.Plan.Diagnostics {
				warnings = append(warnings, d.Summary)
			}
			if got := strings.Join(warnings, " "); (c.warns == "") != (got == "") || !strings.Contains(got, c.warns) {
				t.Errorf("%s: %q, want %q", name, got, c.warns)
			}
		}
	})
}

// otherPlace is set in the process of TestFixedPlaceIsTheTools.
const otherPlace = "METAPIPE_TEST_OTHER_PLACE"

// TestFixedPlaceIsTheTools: the fixed path is a path of the tool. What this process has
// open under the same number is no part of the workspace.
func TestFixedPlaceIsTheTools(t *testing.T) {
	t.Parallel()
	if !process.HasFixedPlace {
		t.Skip("this system has no path that is the same in every job")
	}
	if other := os.Getenv(otherPlace); other != "" {
		w := workspace{tree: "/run/workspace/tree", data: "/run/workspace/data", dir: "/run/workspace", job: pipeline.Job{Dir: "/run"}}
		for text, want := range map[string]string{
			other + "/main.tf is broken":                        other + "/main.tf is broken",
			process.FixedPlace + "/tree/live/main.tf is broken": "live/main.tf is broken",
			"/run/workspace/tree/live/main.tf is not there":     "live/main.tf is not there",
		} {
			if got := w.relative(text); got != want {
				t.Errorf("%q became %q, want %q", text, got, want)
			}
		}
		return
	}
	other, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFixedPlaceIsTheTools$", "-test.count=1")
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), otherPlace+"="+other), []*os.File{open}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
