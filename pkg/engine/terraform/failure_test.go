package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/terraform/statefile"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const convention = `
variable "environment" { type = string }
locals {
  config     = yamldecode(file("${path.module}/source-variables.yml"))
  env_config = local.config.environments[var.environment]
  db         = local.config.database
}
`

// diagnosisCase is a manager's mistake, or a customer's, and what is said of it.
type diagnosisCase struct {
	name    string
	files   map[string]string
	summary string
	detail  string
	where   string
	source  string
	exact   bool
	remedy  string
}

// ruled is a root with a precondition in its line 11.
func ruled(locals, repeat, condition string) string {
	return "variable \"environment\" {}\nlocals {\n config = yamldecode(file(\"${path.module}/source-variables.yml\"))\n " + locals + "\n}\n" +
		"resource \"terraform_data\" \"a\" {\n" + repeat + "\nlifecycle {\nprecondition {\n      condition     = " + condition + "\nerror_message = \"Mend it.\"\n}\n}\n}\n"
}

func diagnosisCases() []diagnosisCase {
	return []diagnosisCase{
		{
			name:    "syntax error",
			files:   map[string]string{"terraform/main.tf": "\noutput \"x\" { value = }\n"},
			summary: "Invalid expression", where: "terraform/main.tf:2:22",
		}, {
			name:    "missing key at the top",
			files:   map[string]string{"terraform/main.tf": convention + "output \"x\" { value = local.db.size }\n"},
			summary: "Unsupported attribute", where: "terraform/main.tf:6:28",
			source: "infra/variables.yml:1:1", remedy: "add `database:` at the top level of infra/variables.yml",
		}, {
			name:    "missing key of the environment",
			files:   map[string]string{"terraform/main.tf": "variable \"environment\" {}\nlocals {\n  config = yamldecode(file(\"${path.module}/source-variables.yml\"))\n  e = local.config.environments[var.environment]\n}\noutput \"x\" { value = local.e.size }\n"},
			summary: "Unsupported attribute", where: "terraform/main.tf:6:29",
			source: "infra/variables.yml:4:3", remedy: "add `size:` under `environments.staging` in infra/variables.yml",
		}, {
			name:    "missing index",
			files:   map[string]string{"terraform/main.tf": "locals { config = yamldecode(file(\"${path.module}/source-variables.yml\")) }\noutput \"x\" { value = local.config[\"cache\"] }\n"},
			summary: "Invalid index", source: "infra/variables.yml:1:1", where: "terraform/main.tf:2:34",
			remedy: "add `cache:` at the top level of infra/variables.yml",
		}, {
			name:    "index out of a list",
			files:   map[string]string{"terraform/main.tf": "variable \"config\" { type = any }\noutput \"x\" { value = var.config.list[4] }\n"},
			summary: "Invalid index", source: "infra/variables.yml:2:1", where: "terraform/main.tf:2:37",
			remedy: "add an element to `list` in infra/variables.yml (number 4 is used, counted from 0)",
		}, {
			name: "precondition",
			files: map[string]string{"terraform/main.tf": strings.Replace(convention, "local.config.database", "1", 1) + `
resource "terraform_data" "a" {
  lifecycle {
    precondition {
      condition     = local.env_config.max_instances > 2
      error_message = "Use more than 2 instances."
    }
  }
}
`},
			summary: "Use more than 2 instances.", detail: "Resource precondition failed: Use more than 2 instances.", where: "terraform/main.tf:12:23",
			source: "infra/variables.yml:6:5", exact: true,
			remedy: "change `environments.staging.max_instances` (is 2) in infra/variables.yml",
		}, {
			name: "precondition through lookup",
			files: map[string]string{"terraform/main.tf": ruled(`environments = lookup(local.config, "environments", {})
 e = local.environments[var.environment]`, ``, `local.e.max_instances > 2`)},
			summary: "Mend it.", where: "terraform/main.tf:11:23", source: "infra/variables.yml:6:5", exact: true,
			remedy: "change `environments.staging.max_instances` (is 2)",
		}, {
			name: "precondition with a default",
			files: map[string]string{"terraform/main.tf": ruled(`environments = local.config.environments
 e = local.environments[var.environment]`, ``, `try(local.e.size, "tiny") == "big"`)},
			summary: "Mend it.", where: "terraform/main.tf:11:23", source: "infra/variables.yml:4:3", exact: false,
			remedy: "set `environments.staging.size` in infra/variables.yml so that this holds",
		}, {
			name: "precondition on a merged object",
			files: map[string]string{"terraform/main.tf": ruled(`environments = {}
 e = merge({ max_instances = 9 }, local.config, local.config.environments[var.environment], { other = 1 })`, ``, `local.e.max_instances > 2`)},
			summary: "Mend it.", where: "terraform/main.tf:11:23", source: "infra/variables.yml:6:5", exact: true,
			remedy: "change `environments.staging.max_instances` (is 2)",
		}, {
			name: "precondition on one of many elements",
			files: map[string]string{"terraform/main.tf": ruled(`environments = local.config.environments
 e = 0`, `for_each = local.environments`, `each.value.region != "us"`)},
			summary: "Mend it.", where: "terraform/main.tf:11:23", source: "infra/variables.yml:3:1", exact: true,
			remedy: "change `environments`",
		}, {
			name: "precondition on an element that is named",
			files: map[string]string{"terraform/main.tf": ruled(`environments = local.config.environments
 e = 0`, `for_each = { production = local.environments.production }`, `each.key == "x" || each.value.region != "us"`)},
			summary: "Mend it.", where: "terraform/main.tf:11:23", source: "infra/variables.yml:8:5", exact: true,
			remedy: "change `environments.production.region`",
		}, {
			name: "precondition that leads nowhere",
			files: map[string]string{"terraform/main.tf": ruled(`environments = 0
 e = length("abc")`, ``, `local.e > 99`)},
			summary: "Mend it.", where: "terraform/main.tf:11:23", source: "", exact: false,
			remedy: "ask the manager's maintainers about this rule (terraform/main.tf:11:23)",
		}, {
			name: "check that reads nothing of the customer",
			files: map[string]string{"terraform/main.tf": `resource "terraform_data" "a" { input = "x" }
resource "terraform_data" "b" {
  input = "y"
  lifecycle {
    precondition {
      condition     = terraform_data.a.input == "y"
      error_message = "No answer."
    }
  }
}
`},
			summary: "No answer.", where: "terraform/main.tf:6:23", remedy: "ask the manager's maintainers about this rule (terraform/main.tf:6:23)",
		}, {
			name: "postcondition on an argument of the customer's",
			files: map[string]string{"terraform/main.tf": `variable "config" {}
resource "terraform_data" "b" {
  input = var.config.environments.staging.max_instances
  lifecycle {
    postcondition {
      condition     = self.input > 5
      error_message = "More."
    }
  }
}
`},
			summary: "More.", where: "terraform/main.tf:6:23", source: "infra/variables.yml:6:5", exact: true,
			remedy: "change `environments.staging.max_instances`",
		}, {
			name: "precondition on another resource",
			files: map[string]string{"terraform/main.tf": `variable "region" {}
resource "terraform_data" "a" {
  count = 1
  input = { where = var.region }
}
output "o" {
  value = 1
  precondition {
    condition     = terraform_data.a[0].input.where == "us"
    error_message = "Elsewhere."
  }
}
`},
			summary: "Elsewhere.", where: "terraform/main.tf:9:21", source: "infra/variables.yml:5:5", exact: true,
			remedy: "change `environments.staging.region`",
		}, {
			name:    "validation of a default of the manager",
			files:   map[string]string{"terraform/main.tf": "variable \"size\" {\n  default = 1\n  validation {\n    condition = var.size > 5\n    error_message = \"More.\"\n  }\n}\n"},
			summary: "More.", where: "terraform/main.tf:3:3", remedy: "ask the manager's maintainers about this rule (terraform/main.tf:3:3)",
		}, {
			name: "variable of a module, named like one of the customer's",
			files: map[string]string{
				"terraform/main.tf": "module \"m\" {\n  source = \"./m\"\n  region = []\n}\n",
				"terraform/m/m.tf":  "variable \"region\" { type = string }\n",
			},
			summary: "Invalid value for input variable", where: "terraform/m/m.tf:1:1",
		}, {
			name: "variable of a module that gets a value of the customer's",
			files: map[string]string{
				"terraform/main.tf": "variable \"list\" {}\nmodule \"m\" {\n  source = \"./m\"\n  region = var.list\n}\n",
				"terraform/m/m.tf":  "variable \"region\" { type = string }\n",
			},
			summary: "Invalid value for input variable", where: "terraform/m/m.tf:1:1", source: "infra/variables.yml:2:1", exact: true,
			remedy: "change `list` in infra/variables.yml",
		}, {
			name: "rule of a module on a constant, named like one of the customer's",
			files: map[string]string{
				"terraform/main.tf": "module \"m\" {\n  source = \"./m\"\n  region = \"x\"\n}\n",
				"terraform/m/m.tf":  "variable \"region\" {\n  validation {\n    condition = var.region != \"x\"\n    error_message = \"Set var.region to a region.\"\n  }\n}\n",
			},
			summary: "Set var.region to a region.", where: "terraform/m/m.tf:2:3", remedy: "ask the manager's maintainers about this rule (terraform/m/m.tf:2:3)",
		}, {
			name:    "typed variable of another type",
			files:   map[string]string{"terraform/main.tf": "variable \"region\" { type = object({ a = number }) }\n"},
			summary: "Invalid value for input variable", where: "terraform/main.tf:1:1", source: "infra/variables.yml:5:5", exact: true,
			remedy: "change `environments.staging.region` in infra/variables.yml",
		}, {
			name:    "validation of a variable",
			files:   map[string]string{"terraform/main.tf": "variable \"max_instances\" {\n  type = number\n  validation {\n    condition = var.max_instances > 5\n    error_message = \"Use more than 5.\"\n  }\n}\n"},
			summary: "Use more than 5.", where: "terraform/main.tf:3:3", source: "infra/variables.yml:6:5", exact: true,
			remedy: "change `environments.staging.max_instances`",
		}, {
			name:    "required variable",
			files:   map[string]string{"terraform/main.tf": "variable \"name\" {}\n\nvariable \"database\" {}\n"},
			summary: `variable "database" has no value`, where: "terraform/main.tf:3", source: "infra/variables.yml:4:3",
			remedy: "add `database:` at the top level of infra/variables.yml or under `environments.staging`",
		}, {
			name: "inside of a module",
			files: map[string]string{
				"terraform/main.tf":    convention[:strings.Index(convention, "  db")] + "}\nmodule \"app\" {\n  source = \"../modules/app\"\n  settings = local.env_config\n}\n",
				"modules/app/main.tf":  "variable \"settings\" {}\noutput \"x\" { value = var.settings.size }\n",
				"modules/other/bad.tf": "not read",
			},
			summary: "Unsupported attribute", where: "modules/app/main.tf:2:34",
			source: "infra/variables.yml:4:3", remedy: "add `size:` under `environments.staging` in infra/variables.yml",
		},
	}
}

func TestDiagnostics(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		for _, c := range diagnosisCases() {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, c.files)
				planned, err := testEngine(t, tool).Plan(t.Context(), job)
				var failed *pipeline.FailedError
				if !errors.As(err, &failed) {
					t.Fatalf("got %v, want a FailedError\n%s", err, job.Log)
				}
				if len(planned.Plan.Diagnostics) == 0 || len(failed.Diagnostics) == 0 {
					t.Fatalf("no diagnostics: %v", err)
				}
				d := planned.Plan.Diagnostics[0]
				if d.Summary != c.summary || c.detail != "" && d.Detail != c.detail {
					t.Errorf("summary %q, detail %q", d.Summary, d.Detail)
				}
				if d.Where.String() != c.where {
					t.Errorf("where %s, want %s", d.Where, c.where)
				}
				if d.Source.String() != c.source || d.Exact != c.exact {
					t.Errorf("source %s exact %v, want %s %v", d.Source, d.Exact, c.source, c.exact)
				}
				if !strings.Contains(d.Remedy, c.remedy) {
					t.Errorf("remedy %q, want %q", d.Remedy, c.remedy)
				}
			})
		}
	})
}

func TestPlanStartsThreeProcesses(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		r, recorded := newRecorder(t, tool)
		engine := testEngine(t, recorded)
		if _, err := engine.Locate(t.Context(), pipeline.ToolRule{Name: tool.Name}); err != nil {
			t.Fatal(err)
		}
		if commands, _ := r.Calls(t); strings.Join(commands, " ") != "version" {
			t.Errorf("to find the tool: %q", commands)
		}
		r.Forget(t)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": demoRoot})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if commands, _ := r.Calls(t); strings.Join(commands, " ") != "init plan show" {
			t.Errorf("for a plan: %q", commands)
		}
		r.Forget(t)
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatal(err)
		}
		if commands, _ := r.Calls(t); strings.Join(commands, " ") != "init apply" {
			t.Errorf("for an apply: %q", commands)
		}
	})
}

func TestProviderThatCannotBeInstalled(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		config := filepath.Join(t.TempDir(), "cli.tfrc")
		terraformtest.WriteFile(t, config, "provider_installation {\n  filesystem_mirror { path = \""+t.TempDir()+"\" }\n}\n")
		engine := testEngine(t, tool, func(o *Options) { o.Environ = append(o.Environ, "TF_CLI_CONFIG_FILE="+config) })
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{
			"terraform/main.tf": "terraform {\n  required_providers {\n    none = { source = \"example.test/nobody/none\" }\n  }\n}\n",
		})
		_, err := engine.Plan(t.Context(), job)
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Operator, "provider mirror") || failed.Next != pipeline.ProviderNext || failed.Diagnostics[0].Remedy != pipeline.ProviderNext {
			t.Errorf("got %v", err)
		}
	})
}

func TestApplyFailsHalfWay(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": `
variable "password" {
  sensitive = true
  default   = "open-sesame-1"
}
resource "terraform_data" "good" {
  input = var.password
}
resource "terraform_data" "bad" {
  input = terraform_data.good.id
  provisioner "local-exec" {
    command = "echo '::error::open-sesame-1'; false"
  }
}
`})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) {
			t.Fatalf("got %v", err)
		}
		want := []pipeline.AppliedResource{
			{Address: "terraform_data.good", Action: pipeline.ActionCreate},
			{Address: "terraform_data.bad", Action: pipeline.ActionCreate, Failed: true},
		}
		if len(applied.Done) != 2 || applied.Done[0] != want[0] || applied.Done[1] != want[1] || !applied.Started {
			t.Errorf("applied %+v", applied)
		}
		if len(applied.Diagnostics) != 1 || strings.Contains(applied.Diagnostics[0].Detail, "open-sesame") {
			t.Errorf("diagnostics %+v", applied.Diagnostics)
		}
		if !strings.Contains(err.Error(), "fresh plan") || !strings.Contains(err.Error(), "1 change was made and 1 failed") {
			t.Errorf("error %v", err)
		}
		if log := job.Log.(*terraformtest.LogBuffer).String(); strings.Contains(log, "open-sesame") || strings.Contains(log, "\n::") || !strings.Contains(log, "Output: ::error::(sensitive value)") {
			t.Errorf("log:\n%s", log)
		}
		again, err := engine.Plan(t.Context(), job)
		if err != nil || again.Plan.Counts.Replace != 1 || again.Plan.Changes[0].Reason != "replace_because_tainted" {
			t.Errorf("the plan after: %+v %v", again.Plan, err)
		}
	})
}

// slowRoot takes long to plan or to apply, until a file appears, or the test is over and
// its directory gone.
func slowRoot(started, wait string) string {
	return `
resource "terraform_data" "first" {}
resource "terraform_data" "slow" {
  input = terraform_data.first.id
  provisioner "local-exec" {
    command = "touch ` + started + `; while test -e ` + started + ` && ! test -e ` + wait + `; do sleep 0.05; done"
  }
}
resource "terraform_data" "last" { input = terraform_data.slow.id }
`
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ready() {
			return
		}
	}
	t.Fatalf("%s did not happen", what)
}

func TestCancelledApply(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		started, never := filepath.Join(t.TempDir(), "started"), filepath.Join(t.TempDir(), "never")
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": slowRoot(started, never)})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for !isFile(started) && ctx.Err() == nil {
				time.Sleep(5 * time.Millisecond)
			}
			cancel()
		}()
		applied, err := engine.Apply(ctx, job, terraformtest.Stored(planned))
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if !applied.Started || len(applied.Done) != 2 || applied.Done[0].Address != "terraform_data.first" {
			t.Errorf("applied %+v", applied)
		}
		state, err := os.ReadFile(job.Backend.Path())
		if err != nil || !strings.Contains(string(state), `"first"`) {
			t.Errorf("state: %s %v", state, err)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(job.Backend.Path()), ".*lock.info")); err != nil || len(left) > 0 {
			t.Errorf("the lock is still there: %v %v", left, err)
		}
	})
}

func TestCancelledPlan(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		r, recorded := newRecorder(t, tool)
		engine := testEngine(t, recorded)
		dir := t.TempDir()
		started := filepath.Join(dir, "started")
		// A state lock that is held makes the plan wait.
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": slowRoot(started, filepath.Join(dir, "go"))})
		job.Customer.Manager.Limits.LockTimeout = time.Minute
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		holder := make(chan error, 1)
		go func() {
			_, err := engine.Apply(context.WithoutCancel(t.Context()), job, terraformtest.Stored(planned))
			holder <- err
		}()
		waitFor(t, "the apply", func() bool { return isFile(started) })

		other := job
		other.Dir = filepath.Join(t.TempDir(), "other")
		other.Customer.Manager.Limits.LockTimeout = 0
		_, err = engine.Plan(t.Context(), other)
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Next, "holds the lock of this state since") {
			t.Errorf("while the state is locked: %v", err)
		}

		other.Customer.Manager.Limits.LockTimeout = time.Minute
		r.Forget(t)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := engine.Plan(ctx, other); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled: %v", err)
		}
		if _, signals := r.Calls(t); signals != 1 {
			t.Errorf("%d signals", signals)
		}
		terraformtest.WriteFile(t, filepath.Join(dir, "go"), "")
		if err := <-holder; err != nil {
			t.Error(err)
		}
	})
}

func TestPlanTimeout(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		dir := t.TempDir()
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": slowRoot(filepath.Join(dir, "started"), filepath.Join(dir, "never"))})
		engine := testEngine(t, tool)
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		job.Customer.Manager.Limits.ApplyTimeout = 2 * time.Second
		_, err = engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(failed.Operator, "limits.apply_timeout") || failed.Next != pipeline.ProviderNext {
			t.Errorf("got %v", err)
		}
	})
}

func TestStateThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		engine := testEngine(t, tool)
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": "resource \"terraform_data\" \"a\" {}\n"})
		planned, err := engine.Plan(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned)); err != nil {
			t.Fatal(err)
		}
		// A directory in the place of the backup keeps the tool from writing.
		if err := os.MkdirAll(filepath.Join(job.Backend.Path()+".backup", "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		terraformtest.WriteFile(t, filepath.Join(job.ManagerDir, "terraform", "more.tf"), "resource \"terraform_data\" \"b\" {}\n")
		if planned, err = engine.Plan(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		applied, err := engine.Apply(t.Context(), job, terraformtest.Stored(planned))
		var failed *pipeline.FailedError
		if !errors.As(err, &failed) || !strings.Contains(failed.Message, keptText) || !applied.Started {
			t.Fatalf("got %v", err)
		}
		if err := os.RemoveAll(job.Backend.Path() + ".backup"); err != nil {
			t.Fatal(err)
		}
		again := job
		again.Dir = filepath.Join(t.TempDir(), "recover")
		lost, err := statefile.Version(applied.ErroredState)
		if err != nil {
			t.Fatal(err)
		}
		kept := pipeline.KeptState{File: applied.ErroredState, Planned: planned.Evidence.State()}
		pushed, err := engine.PushState(t.Context(), again, kept)
		if err != nil || pushed.Lineage != lost.Lineage || pushed.Serial < lost.Serial {
			t.Fatalf("pushed %+v, want %+v: %v", pushed, lost, err)
		}
		if content, err := os.ReadFile(job.Backend.Path()); err != nil || !strings.Contains(string(content), `"name": "b"`) {
			t.Errorf("the state is %s: %v", content, err)
		}
		if second, err := engine.PushState(t.Context(), again, kept); err != nil || second != pushed {
			t.Errorf("the second time: %+v, want %+v: %v", second, pushed, err)
		}
		for text, reason := range map[string]string{
			fmt.Sprintf(`{"version": 4, "serial": 90, "lineage": %q}`, lost.Lineage): "has moved on",
			`{"version": 4, "serial": 1, "lineage": "other"}`:                        "holds another state",
		} {
			terraformtest.WriteFile(t, job.Backend.Path(), text)
			_, err := engine.PushState(t.Context(), again, kept)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || !strings.Contains(refused.Message, reason) {
				t.Errorf("over %s: %v", text, err)
			}
			if content, err := os.ReadFile(job.Backend.Path()); err != nil || string(content) != text {
				t.Errorf("it was changed: %s %v", content, err)
			}
		}
	})
}

func TestUnwritableRunDirectory(t *testing.T) {
	t.Parallel()
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, terraformtest.DefaultVariables, map[string]string{"terraform/main.tf": ""})
	file := filepath.Join(t.TempDir(), "file")
	terraformtest.WriteFile(t, file, "")
	job.Dir = filepath.Join(file, "run")
	tool := terraformtest.Tool{Name: "terraform", Path: terraformtest.FakeBinary(t, filepath.Join(t.TempDir(), "terraform"), "1.11.0")}
	_, err := testEngine(t, tool).Plan(t.Context(), job)
	if err == nil || !strings.Contains(err.Error(), "run directory for acme/staging") {
		t.Errorf("got %v", err)
	}
}

func TestCloudBlock(t *testing.T) {
	t.Parallel()
	terraformtest.WithTools(t, func(t *testing.T, tool terraformtest.Tool) {
		job := terraformtest.NewJob(t, tool, terraformtest.DefaultVariables, map[string]string{
			"terraform/main.tf": "terraform {\n  cloud {\n    organization = \"x\"\n  }\n}\n",
		})
		_, err := testEngine(t, tool).Plan(t.Context(), job)
		var usage *pipeline.UsageError
		if !errors.As(err, &usage) || !strings.Contains(usage.Message, "terraform/main.tf:2") {
			t.Errorf("got %v", err)
		}
	})
}
