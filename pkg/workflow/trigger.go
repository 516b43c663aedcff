package workflow

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// RulePermission is a job that lacks a permission which its command needs.
const RulePermission = "workflow-permission"

// CheckTrigger looks at the workflow of a customer that runs `metapipe trigger`: its file
// name, which the manager checks, and whether its jobs may ask for an ID token, which
// signs the request. It reports found as false where no workflow runs that. root is the
// top of the customer's checkout.
func CheckTrigger(root fs.FS) (problems pipeline.Problems, found bool) {
	texts := workflowTexts(root)
	name, found := runs(texts, "trigger")
	if !found {
		return nil, false
	}
	if name != intake.TriggerWorkflow {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: name}, Rule: RuleFileName,
			Message: "the manager accepts requests of " + intake.TriggerWorkflow + " only, and rejects those of this file", Remedy: "git mv " + name + " " + intake.TriggerWorkflow})
	}
	return append(problems, unsigned(name, texts[name])...), true
}

// unsigned warns of each job that runs trigger and may not ask for an ID token. A manager
// may trust a customer without one, so it is no error.
func unsigned(name, text string) (problems pipeline.Problems) {
	var document struct {
		Permissions yaml.Node `yaml:"permissions"`
		Jobs        map[string]struct {
			Permissions yaml.Node `yaml:"permissions"`
			Steps       []struct {
				Run string `yaml:"run"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil // GitHub says so, and runs nothing
	}
	trigger := commandPattern("trigger")()
	for _, id := range slices.Sorted(maps.Keys(document.Jobs)) {
		job := document.Jobs[id]
		permissions := job.Permissions
		if permissions.IsZero() { // those of a job replace those of the workflow
			permissions = document.Permissions
		}
		sends := false
		for _, step := range job.Steps {
			sends = sends || trigger.MatchString(joinedLines(step.Run))
		}
		if !sends || grantsIDToken(&permissions) {
			continue
		}
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: name, Line: permissions.Line}, Rule: RulePermission, Warning: true,
			Message: fmt.Sprintf("the job %q has no permission for an ID token, so its requests are not signed and the manager rejects them", id),
			Remedy:  "add `id-token: write` to the permissions of the job"})
	}
	return problems
}

// grantsIDToken reads `permissions`. Without the key a job never gets an ID token.
// Source: https://docs.github.com/actions/reference/security/oidc
func grantsIDToken(permissions *yaml.Node) bool {
	if permissions.Kind == yaml.ScalarNode {
		return permissions.Value == "write-all"
	}
	token := get(permissions, "id-token")
	return token != nil && token.Value == "write"
}
