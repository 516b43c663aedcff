package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/module"
	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestStateBlocksAreRefused finds each block that would take the state elsewhere
// before the tool runs, whatever the name of its file sorts to.
func TestStateBlocksAreRefused(t *testing.T) {
	t.Parallel()
	const block, inJSON = "terraform {\n  backend \"local\" { path = \"mine.tfstate\" }\n}\n", `{"terraform": [{"\u0062ackend": {"local": {"path": "mine.tfstate"}}}]}`
	for name, c := range map[string]struct {
		tool, file, content string
		line                int // 0: it is not refused
	}{
		"override":                    {"terraform", "override.tf", block, 2},
		"before ours":                 {"terraform", "a_override.tf", block, 2},
		"behind ours":                 {"terraform", "zz_override.tf", block, 2},
		"in JSON":                     {"terraform", "override.tf.json", inJSON, 1},
		"in JSON, behind ours":        {"tofu", "prod_override.tf.json", inJSON, 1},
		"no name before the suffix":   {"terraform", "_override.tf", block, 2},
		"of OpenTofu":                 {"tofu", "override.tofu", block, 2},
		"of OpenTofu in JSON":         {"tofu", "z_override.tofu.json", inJSON, 1},
		"cloud":                       {"terraform", "z_override.tf", "\nterraform {\n  cloud {}\n}\n", 3},
		"state store":                 {"terraform", "main.tf", "terraform {\n  state_store \"x_y\" {\n  }\n}\n", 2},
		"of OpenTofu under Terraform": {"terraform", "override.tofu", block, 0},
		"no override":                 {"terraform", "my-override.tf", block, 0},
		"in a comment":                {"terraform", "override.tf", "# terraform { backend \"local\" {} }\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job := terraformtest.NewJob(t, terraformtest.Tool{Name: c.tool}, terraformtest.DefaultVariables, map[string]string{"terraform/base.tf": "locals {}\n", "terraform/" + c.file: c.content})
			tool := terraformtest.Tool{Name: c.tool, Path: terraformtest.FakeBinary(t, filepath.Join(t.TempDir(), c.tool), "1.11.0")}
			engine := testEngine(t, tool)
			place := fmt.Sprintf("terraform/%s:%d: ", c.file, c.line)
			plans := map[string]func() error{
				"plan": func() error { _, err := engine.Plan(t.Context(), job); return err },
				"drift": func() error {
					_, err := engine.NewFleet(t.TempDir()).Plan(t.Context(), again(t, job))
					return err
				},
			}
			for command, plan := range plans {
				err := plan()
				var usage *pipeline.UsageError
				if refused := errors.As(err, &usage) && strings.HasPrefix(usage.Message, place) && strings.Contains(usage.Next, "remove the "); refused != (c.line > 0) {
					t.Errorf("%s: %v", command, err)
				}
			}
			problems := module.CheckRoot(job.ManagerDir, "terraform", c.tool)
			if (len(problems) == 1 && problems[0].File == "terraform/"+c.file && problems[0].Line == c.line) != (c.line > 0) {
				t.Errorf("problems: %v", problems)
			}
		})
	}
}

// TestOwnOverrideHasNoTwin keeps a state where it belongs although the manager has a
// file that OpenTofu reads in the place of ours.
func TestOwnOverrideHasNoTwin(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot, "terraform/metapipe_backend_override.tofu.json": "{}", "terraform/metapipe_backend_override.tf": ""})
		engine := testEngine(t, tool)
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(job.Backend.Path()); err != nil {
			t.Error(err)
		}
	})
}

// TestOtherBackendIsNoticed initializes with a tool that follows another block than
// the one that it was given.
func TestOtherBackendIsNoticed(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		wrapped := wrapTool(t, tool, `
if [ "$1" = init ]; then
  printf 'terraform {\n  backend "local" { path = "elsewhere.tfstate" }\n}\n' > zz_override.tf
fi
exec %[1]q "$@"
`)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot})
		_, err := testEngine(t, wrapped).Plan(t.Context(), job)
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Message, "another backend for acme/staging") {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(filepath.Join(job.Dir, "plan.tfplan")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it was planned: %v", err)
		}
	})
}

// TestApplyReadsTheStateBack takes the state away under an apply that went well.
func TestApplyReadsTheStateBack(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot})
		wrapped := wrapTool(t, tool, `
%[1]q "$@" || exit $?
if [ "$1" = apply ]; then mv `+"'"+job.Backend.Path()+"'"+` terraform.tfstate; fi
`)
		engine := testEngine(t, wrapped)
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, "its state is not in") || failed.Next == "" {
			t.Errorf("got %v", err)
		}
		if !applied.Started || len(applied.Done) != 1 || applied.ErroredState == "" {
			t.Errorf("applied %+v", applied)
		}
	})
}

// wrapTool is a script around a tool; %[1]q in it stands for the tool.
func wrapTool(t *testing.T, tool terraformtest.Tool, script string) terraformtest.Tool {
	t.Helper()
	path := filepath.Join(t.TempDir(), tool.Name)
	if err := os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\n"+script, tool.Path), 0o700); err != nil {
		t.Fatal(err)
	}
	return terraformtest.Tool{Name: tool.Name, Path: path}
}

func TestMisplacedState(t *testing.T) {
	t.Parallel()
	at := func(serial uint64, lineage string) pipeline.StateVersion {
		return pipeline.StateVersion{Serial: serial, Lineage: lineage}
	}
	created := []pipeline.AppliedResource{{Address: "a.b", Action: pipeline.ActionCreate}}
	updated := []pipeline.AppliedResource{{Address: "a.b", Action: pipeline.ActionUpdate}}
	for name, c := range map[string]struct {
		planned, now pipeline.StateVersion
		done         []pipeline.AppliedResource
		imported     int
		outputs      []pipeline.Output
		want         string // "": it is where it belongs
	}{
		"a first state":                     {now: at(1, "a"), done: created},
		"no first state":                    {done: created, want: "no state"},
		"nothing but an action":             {},
		"no first state, imports alone":     {imported: 1, want: "no state"},
		"no first state, outputs alone":     {outputs: []pipeline.Output{{Name: "a"}}, want: "no state"},
		"the same one, after an import":     {planned: at(3, "a"), now: at(3, "a"), imported: 1, want: "still serial 3"},
		"the same one, with its outputs":    {planned: at(3, "a"), now: at(3, "a"), outputs: []pipeline.Output{{Name: "a"}}},
		"the next one":                      {planned: at(3, "a"), now: at(4, "a"), done: created},
		"the same one":                      {planned: at(3, "a"), now: at(3, "a"), done: created, want: "still serial 3"},
		"the same one, with nothing new":    {planned: at(3, "a"), now: at(3, "a"), done: updated},
		"an older one":                      {planned: at(3, "a"), now: at(2, "a"), done: updated, want: "still serial 2"},
		"another one":                       {planned: at(3, "a"), now: at(9, "b"), done: created, want: "another one"},
		"gone":                              {planned: at(3, "a"), done: updated, want: "no state"},
		"what failed proves nothing by far": {planned: at(3, "a"), now: at(3, "a"), done: []pipeline.AppliedResource{{Action: pipeline.ActionCreate, Failed: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := misplaced(c.planned, c.now, pipeline.Applied{Done: c.done, Imported: c.imported, Outputs: c.outputs})
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestRestoredState applies what someone has removed: the state is the same as before,
// and the tool does not write it anew.
func TestRestoredState(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state")
	state := `{"version": 4, "resources": [
		{"mode": "managed", "type": "a", "name": "b", "instances": [{"attributes": {}}]},
		{"module": "module.m[\"x\"]", "mode": "managed", "type": "a", "name": "c", "instances": [{"index_key": 1}, {"index_key": "k y"}, {"index_key": "old", "deposed": "12345678"}]},
		{"mode": "data", "type": "a", "name": "d", "instances": [{}]}]}`
	if err := os.WriteFile(file, []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := statefile.Addresses(file)
	if err != nil || len(held) != 3 {
		t.Fatal(held, err)
	}
	done := func(action pipeline.Action, addresses ...string) (all []pipeline.AppliedResource) {
		for _, a := range addresses {
			all = append(all, pipeline.AppliedResource{Address: a, Action: action})
		}
		return all
	}
	for name, c := range map[string]struct {
		done []pipeline.AppliedResource
		left int
	}{
		"created again":          {done(pipeline.ActionCreate, "a.b", `module.m["x"].a.c[1]`, `module.m["x"].a.c["k y"]`), 0},
		"replaced":               {append(done(pipeline.ActionDelete, "a.b"), done(pipeline.ActionCreate, "a.b")...), 0},
		"created, and not there": {done(pipeline.ActionCreate, "a.new", `module.m["x"].a.c["old"]`, "a.d"), 3},
		"deleted, and there":     {done(pipeline.ActionDelete, "a.b"), 1},
		"failed":                 {[]pipeline.AppliedResource{{Address: "a.b", Action: pipeline.ActionCreate, Failed: true}}, 1},
	} {
		if left := restored(c.done, held); len(left) != c.left {
			t.Errorf("%s: %v", name, left)
		}
	}
	if err := os.WriteFile(file, []byte(`{"resources": "secret"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := statefile.Addresses(file); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

// TestMovedResourcesAreNotCounted: a saved plan holds the state behind its `moved` blocks,
// so its number of resources is not that of the state as it lies.
func TestMovedResourcesAreNotCounted(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": bareRoot + "resource \"terraform_data\" \"pair\" { count = 2 }\n"})
		engine := testEngine(t, tool)
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatal(err)
		}
		count := func(want int) {
			t.Helper()
			job := job
			for name, plan := range map[string]func(context.Context, pipeline.Job) (pipeline.Planned, error){"plan": engine.PlanReadOnly, "scan": engine.NewFleet(t.TempDir()).Plan} {
				job.Dir = filepath.Join(t.TempDir(), "run")
				if planned, err := plan(t.Context(), job); err != nil || planned.Found().Resources != want {
					t.Errorf("%s: %+v, %v, want %d resources", name, planned.Found(), err, want)
				}
			}
		}
		count(2)
		split := "resource \"terraform_data\" \"left\" {}\nresource \"terraform_data\" \"right\" {}\nmoved {\n  from = terraform_data.pair[0]\n  to = terraform_data.left\n}\nmoved {\n  from = terraform_data.pair[1]\n  to = terraform_data.right\n}\n"
		terraformtest.WriteFile(t, filepath.Join(job.ManagerDir, "terraform", "main.tf"), bareRoot+split)
		count(pipeline.UnknownResources)
	})
}
