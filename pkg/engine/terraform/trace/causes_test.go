package trace

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const causesRoot = `locals {
  config = yamldecode(file("${path.module}/source-variables.yml"))
  env    = local.config.environments[var.environment]
  zones  = [for i in range(local.env.count) : "${local.env.region}${i}"]
  fixed  = "always"
}
variable "note" { sensitive = true }
module "net" {
  source = "../modules/net"
  area   = local.env.region
  zones  = toset(local.zones)
}
resource "x_box" "a" {
  input = [local.env.region, local.config.name]
}
resource "x_box" "b" {
  trigger = x_box.a.id
}
resource "x_box" "c" {
  input = var.note
}
resource "x_box" "d" {
  input = local.fixed
}
resource "x_box" "e" {
  count = local.env.count
}
resource "x_box" "f" {
  rule { port = local.env.count }
}
resource "x_box" "g" {
  input = module.net.area
}`

const causesModule = `variable "area" {}
variable "zones" {}
resource "x_net" "n" {
  for_each = var.zones
  area     = var.area
}
output "area" { value = upper(var.area) }`

// TestCauses: a change is explained by the customer's own change of the file.
func TestCauses(t *testing.T) {
	t.Parallel()
	file := "name: shop\nnote: %s\nenvironments:\n  staging:\n    region: %s\n    count: %d\n"
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, fmt.Sprintf(file, "new-note", "north", 1), nil)
	job.Applied = terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, fmt.Sprintf(file, "old-note", "south", 2), nil).Variables
	tree := t.TempDir()
	terraformtest.WriteFile(t, filepath.Join(tree, "terraform", "main.tf"), causesRoot)
	terraformtest.WriteFile(t, filepath.Join(tree, "modules", "net", "main.tf"), causesModule)
	forced := func(path string) []pipeline.AttributeChange {
		return []pipeline.AttributeChange{{Path: path, ForcesReplacement: true, Before: pipeline.Value{Text: "1"}, After: pipeline.Value{Text: "2"}}}
	}
	replaced := func(address, path string) pipeline.ResourceChange {
		return pipeline.ResourceChange{Address: address, Action: pipeline.ActionReplace, Attributes: forced(path)}
	}
	plan := &pipeline.Plan{Changes: []pipeline.ResourceChange{
		replaced("x_box.a", "input[0]"), replaced("x_box.b", "trigger"), replaced("x_box.c", "input"), replaced("x_box.d", "input"),
		{Address: "x_box.e[1]", Action: pipeline.ActionDelete}, replaced("x_box.f", "rule[0].port"), replaced("x_box.g", "input"),
		{Address: `module.net.x_net.n["south.[1]"]`, Action: pipeline.ActionDelete}, replaced(`module.net.x_net.n["north0"]`, "area"),
	}}
	NewTracer(Input{Job: job, Tree: tree, Tool: "terraform"}).Explain(plan, &redact.Filter{})
	region, count := `environments.staging.region:5 "south"→"north"`, `environments.staging.count:6 2→1`
	for i, want := range []string{region, region, "note:2 *→*", "local.fixed:5", count, count, region, count + " " + region, region} {
		var got []string
		for _, c := range plan.Changes[i].Causes {
			text := func(v pipeline.Value) string {
				if v.Sensitive {
					return "*"
				}
				return v.Text
			}
			if c.Path == "" {
				got = append(got, fmt.Sprintf("%s:%d", c.Local, c.Where.Line))
				continue
			}
			got = append(got, fmt.Sprintf("%s:%d %s→%s", c.Path, c.Where.Line, text(c.Before), text(c.After)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", plan.Changes[i].Address, strings.Join(got, " "), want)
		}
	}

	// Without what was applied last only the code is named.
	job.Applied, job.Compared = nil, pipeline.ComparedNothing
	plan.Changes[0].Causes = nil
	NewTracer(Input{Job: job, Tree: tree, Tool: "terraform"}).Explain(plan, &redact.Filter{})
	if c := plan.Changes[0].Causes; len(c) != 1 || c[0].Local != "local.env" {
		t.Errorf("without an apply: %+v", c)
	}
	if plan.Compared != pipeline.ComparedNothing {
		t.Errorf("compared %q", plan.Compared)
	}

	// A destroy comes from the request, whatever the variables say.
	job.Destroy = true
	plan.Changes[0].Causes = nil
	NewTracer(Input{Job: job, Tree: tree, Tool: "terraform"}).Explain(plan, &redact.Filter{})
	if c := plan.Changes[0].Causes; len(c) != 0 {
		t.Errorf("of a destroy: %+v", c)
	}
}

// undecoded is a document that cannot be decoded, in one of three ways.
type undecoded struct {
	pipeline.Document
	err   error
	whole string
}

func (u undecoded) Effective(pipeline.Environment) (pipeline.EffectiveConfig, error) {
	return pipeline.EffectiveConfig{Whole: []byte(u.whole)}, u.err
}

// TestUndecodedVariables: variables that cannot be decoded, those of the last apply or
// those of now, do not pass for variables without an edit.
func TestUndecodedVariables(t *testing.T) {
	t.Parallel()
	good := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, "environments:\n  staging:\n    size: 1\n", nil)
	for name, bad := range map[string]undecoded{
		"environment": {err: errors.New("staging is not listed here")}, "json": {whole: `{"a":`}, "empty": {}, "list": {whole: "[1]"},
	} {
		for side, change := range map[string]func(*pipeline.Job){
			"applied": func(j *pipeline.Job) { j.Applied = bad }, "now": func(j *pipeline.Job) { j.Applied, j.Variables = j.Variables, bad },
		} {
			t.Run(name+"/"+side, func(t *testing.T) {
				t.Parallel()
				job := good
				job.Compared = pipeline.ComparedApplied
				change(&job)
				var log strings.Builder
				var plan pipeline.Plan
				NewTracer(Input{Job: job, Tree: t.TempDir(), Tool: "terraform", Log: redact.NewLog(&log).Print}).Explain(&plan, &redact.Filter{})
				if plan.Compared != pipeline.ComparedUnreadable || !strings.Contains(log.String(), "read the variables") {
					t.Errorf("compared %q; the log says %q", plan.Compared, log.String())
				}
			})
		}
	}
}
