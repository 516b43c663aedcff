package render_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/render"
)

func customerJobs() map[string]render.CustomerJob {
	manager := pipeline.Slug{Owner: "provider", Name: "infra"}
	const run = "https://github.com/provider/infra/actions/runs/5"
	return map[string]render.CustomerJob{
		"applied": {Manager: manager, Result: intake.TriggerResult{Request: "0d5e6f7a-0000-4000-8000-000000000000", Outcome: pipeline.OutcomeApplied, RunURL: run, Description: "Applied: 2 of 2",
			Targets: []intake.TargetStatus{{Name: "production", State: pipeline.StatusSuccess, Description: "No changes"}, {Name: "staging", State: pipeline.StatusSuccess, Description: "Applied: 1 added"}},
			Outputs: map[string]map[string]string{"staging": {"url": `"https://staging.example.com"`, "odd|name": "\"a\\nb|`c`\u202e<b>\""}, "production": {}}},
			LeftOut: []render.LeftOut{{Target: "staging", Name: "certificates", Bytes: 1500055}}},
		"stacks": {Manager: manager, Result: intake.TriggerResult{Request: "0d5e6f7a-0000-4000-8000-000000000000", Outcome: pipeline.OutcomeApplied, RunURL: run, Description: "Applied to staging/network, staging/hosts: 2 added",
			Targets: []intake.TargetStatus{{Name: "staging/hosts", State: pipeline.StatusSuccess, Description: "Applied: 1 added"}, {Name: "staging/network", State: pipeline.StatusSuccess, Description: "Applied: 1 added"}},
			Outputs: map[string]map[string]string{"staging/hosts": {"id": `"i-1"`}, "staging/network": {"id": `"vpc-1"`}}},
			LeftOut: []render.LeftOut{{Target: "staging/hosts", Name: "certificates", Bytes: 1500055}}},
		"planned": {Manager: manager, Pull: "https://github.com/acme/shop/pull/7", Result: intake.TriggerResult{Request: "0d5e6f7a-0000-4000-8000-000000000000", RunURL: run, Description: "Planned: 1 to add",
			Targets: []intake.TargetStatus{{Name: "staging", State: pipeline.StatusSuccess, Description: "Plan: 1 to add"}}}},
		"failed": {Manager: manager, Err: &pipeline.FailedError{Message: "request 0d5e6f7a: 1 of 2 failed"}, Result: intake.TriggerResult{Request: "0d5e6f7a-0000-4000-8000-000000000000", RunURL: run, Description: "1 of 2 failed",
			Targets: []intake.TargetStatus{{Name: "staging", State: pipeline.StatusFailure, Description: "Apply failed: ![x](https://evil.example)"}, {Name: "production", State: pipeline.StatusPending, Description: "Waiting"}}}},
		"waiting": {Manager: manager, Err: &pipeline.WaitingError{Stage: "approved", Message: "request 0d5e6f7a has not ended after 1h", Next: "ask a reviewer to approve it"}, Result: intake.TriggerResult{RunURL: run}},
		"rejected": {Manager: manager, Pull: "https://github.com/acme/shop/pull/7", Err: &pipeline.RejectedError{Message: "variables.yml has problems"}, Result: intake.TriggerResult{Outcome: pipeline.OutcomeRejected,
			Problems: pipeline.Problems{{Position: pipeline.Position{File: "infra/variables.yml", Line: 12, Column: 5}, Rule: "schema", Message: "size is 700, and at most 500 are possible", Remedy: "write at most 500"},
				{Position: pipeline.Position{File: "infra/variables.yml", Line: 20}, Rule: "near-miss", Warning: true, Message: "regoin is not known", Remedy: "write region"}}}},
		"skipped": {Manager: manager, Result: intake.TriggerResult{Skipped: "Nothing to do: no change under infra/", Outcome: pipeline.OutcomeNoChanges}},
		"unsent":  {Manager: manager, Err: errors.New("--path is \"infra/\", which is not clean")},
	}
}

func TestCustomerSummary(t *testing.T) {
	t.Parallel()
	for name, job := range customerJobs() {
		text := render.Renderer{}.Customer(job)
		golden(t, filepath.Join("testdata", "customer-"+name+".job.md"), text)
		if strings.Contains(text, "asked GitHub") || strings.Contains(text, " ![x]") || strings.ContainsRune(text, '\u202e') {
			t.Errorf("%s:\n%s", name, text)
		}
		if job.Result.RunURL != "" && !strings.Contains(text, "opens only for people who may read `provider/infra`") {
			t.Errorf("%s: the run's link does not say who can open it:\n%s", name, text)
		}
	}
}

// TestCustomerSummaryFits: nothing that a request can hold makes the summary larger than
// GitHub takes.
func TestCustomerSummaryFits(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("<|`\u202e\n", 100_000)
	job := customerJobs()["applied"]
	outputs := map[string]string{}
	for i := range 5000 {
		outputs[strings.Repeat("x", i%50)+long[:i]] = long
		job.LeftOut = append(job.LeftOut, render.LeftOut{Target: "staging", Name: long[:i]})
	}
	job.Result.Outputs, job.Result.Description, job.Result.Skipped = map[string]map[string]string{"staging": outputs}, long[:140], ""
	job.Err = errors.New(long)
	for range 5000 {
		job.Result.Problems = append(job.Result.Problems, pipeline.Problem{Message: long[:3000], Remedy: long[:3000]})
	}
	if n := len(render.Renderer{}.Customer(job)); n > 1<<20 {
		t.Errorf("%d bytes", n)
	}
}

// TestContentSummary: the look at the files, whether it found nothing, much, or could not
// see all; names of files are text.
func TestContentSummary(t *testing.T) {
	t.Parallel()
	found := pipeline.Problems{
		{Position: pipeline.Position{File: "infra/net.tf"}, Rule: "content-forbidden", Message: "a repository of the type both may not have this", Remedy: "remove it", Warning: true},
		{Position: pipeline.Position{File: "infra/`x`|<img>\u202e](https://evil.example)"}, Rule: "content-link", Message: "this is a symbolic link", Remedy: "remove it", Warning: true},
	}
	for name, c := range map[string]*pipeline.ContentResult{
		"fits":     {Type: "both"},
		"findings": {Type: "both", Problems: found, More: 7},
		"unknown":  {Type: "both", Problems: found[:1], Unknown: "cannot read app/x", Assumed: "this run has no secrets"},
	} {
		text := render.Renderer{}.Customer(render.CustomerJob{Result: intake.TriggerResult{Skipped: "Nothing to do: no change under infra/", Outcome: pipeline.OutcomeNoChanges, Content: c}})
		golden(t, filepath.Join("testdata", "content-"+name+".job.md"), text)
		if strings.ContainsRune(text, '\u202e') {
			t.Errorf("%s:\n%s", name, text)
		}
	}
	many := &pipeline.ContentResult{Type: "both"}
	for range 5000 {
		many.Problems = append(many.Problems, pipeline.Problem{Position: pipeline.Position{File: strings.Repeat("<|`\n", 1000)}, Message: strings.Repeat("<|`\n", 1000)})
	}
	if n := len(render.Renderer{}.Customer(render.CustomerJob{Result: intake.TriggerResult{Content: many}})); n > render.DefaultSummaryBytes {
		t.Errorf("%d bytes", n)
	}
}
