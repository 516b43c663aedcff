package trace

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// A configuration that refers to itself ends the search soon.
func TestTracerEndsInCycles(t *testing.T) {
	t.Parallel()
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, terraformtest.DefaultVariables, nil)
	tree := t.TempDir()
	terraformtest.WriteFile(t, filepath.Join(tree, "terraform", "main.tf"), `locals {
  a = merge(local.a, local.a, local.b, try(local.b, 1), { (local.a.x) = 1, x = local.b.x })
  b = merge(local.b, lookup(local.a, local.b.x, local.a), local.a, local.a)
}`)
	tracer := NewTracer(Input{Job: job, Tree: tree, Tool: "terraform"})
	begin := time.Now()
	if at, ok := tracer.text(tracer.scope("terraform"), "local.b.x.y"); ok {
		t.Errorf("found %s", at)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTracerFollowsExpressions(t *testing.T) {
	t.Parallel()
	job := terraformtest.NewJob(t, terraformtest.Tool{Name: "terraform"}, terraformtest.DefaultVariables, nil)
	tree := t.TempDir()
	terraformtest.WriteFile(t, filepath.Join(tree, "terraform", "main.tf"), `locals {
  config  = yamldecode(file("${path.module}/source-variables.yml"))
  env     = var.environment
  own     = lookup(try(local.config.environments, {}), local.env, {})
  merged  = merge(local.config, { size = 3 }, local.own)
  written = { "size" = local.merged.max_instances, (local.env) = local.config.name }
  unclear = merge(local.config, timestamp())
  count   = tonumber(coalesce(local.own["max_instances"], 1))
  second  = try(local.own.absent, local.config.name)
  absent  = coalesce(local.own.absent, local.own.missing)
  part    = element(local.config.parts, 1)
  bracket = local.config["environments"]["staging"]["region"]
}`)
	tracer := NewTracer(Input{Job: job, Tree: tree, Tool: "terraform"})
	for in, want := range map[string]string{
		"local.own.region":       "environments.staging.region",
		"local.merged.region":    "environments.staging.region",
		"local.merged.name":      "name",
		"local.merged.size":      "environments.staging.size",
		"local.written.size":     "environments.staging.max_instances",
		"local.written.staging":  "name",
		"local.count":            "environments.staging.max_instances",
		"local.second":           "name",
		"local.absent":           "environments.staging.absent",
		"local.part":             "parts.1",
		"local.bracket":          "environments.staging.region",
		"local.unclear.name":     "-",
		"local.written.nothing":  "-",
		"local.own[*].something": "-",
		"local":                  "-",
		"each.value.x":           "-",
	} {
		got := "-"
		if at, ok := tracer.text(tracer.scope("terraform"), in); ok {
			got = at.String()
		}
		if got != want {
			t.Errorf("%s → %s, want %s", in, got, want)
		}
	}
}
