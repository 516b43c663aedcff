package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// WorkflowText is the part of a workflow file that these tests read.
type WorkflowText struct {
	RunName string `yaml:"run-name"`
	Jobs    map[string]struct {
		Uses        string
		Permissions map[string]string
	}
}

func ReadWorkflow(t *testing.T, name string) WorkflowText {
	t.Helper()
	var text WorkflowText
	Check(t, yaml.Unmarshal(Must(os.ReadFile(filepath.Join(Root(t), "workflows", filepath.FromSlash(name))))(t), &text))
	return text
}

// Levels of a permission, from none to all.
var Levels = map[string]int{"": 0, "none": 0, "read": 1, "write": 2}

// tokenRights are the permissions of a run's own token: what the jobs of the
// workflow ask for, all together, since act has one token for all of them.
func tokenRights(t *testing.T, name string) map[string]string {
	t.Helper()
	rights := map[string]string{}
	for _, job := range ReadWorkflow(t, name).Jobs {
		for right, level := range job.Permissions {
			right = strings.ReplaceAll(right, "-", "_")
			if right != "id_token" && Levels[level] > Levels[rights[right]] {
				rights[right] = level
			}
		}
	}
	return rights
}

// TestCalledJobsMayDoWhatTheyAskFor holds the permissions of a called workflow against
// those of the jobs that call it: GitHub starts no run in which a called job asks for
// more (its page "Reusing workflow configurations").
func TestCalledJobsMayDoWhatTheyAskFor(t *testing.T) {
	t.Parallel()
	calls := 0
	for _, caller := range Must(filepath.Glob(filepath.Join(Root(t), "workflows", "manager", "*.yml")))(t) {
		for name, job := range ReadWorkflow(t, "manager/"+filepath.Base(caller)).Jobs {
			called, ok := strings.CutPrefix(job.Uses, "./.github/workflows/")
			if !ok {
				continue
			}
			calls++
			for inner, asks := range ReadWorkflow(t, "manager/"+called).Jobs {
				for right, level := range asks.Permissions {
					if Levels[level] > Levels[job.Permissions[right]] {
						t.Errorf("%s: the job %s gives %q for %s, and %s in %s asks for %q", filepath.Base(caller), name, job.Permissions[right], right, inner, called, level)
					}
				}
			}
		}
	}
	if calls == 0 {
		t.Error("no workflow calls another one")
	}
}

var (
	expression = regexp.MustCompile(`\$\{\{([^}]*)\}\}`)
	literal    = regexp.MustCompile(`^'[^']*'$`)
)

// runName is the title that GitHub gives to a run of the manager's workflow: paths and
// literals with || between them are all that the file uses.
func runName(t *testing.T, event json.RawMessage) string {
	t.Helper()
	var content map[string]any
	Check(t, json.Unmarshal(event, &content))
	contexts := map[string]any{"github": map[string]any{"event": content}, "inputs": content["inputs"]}
	return strings.TrimSpace(expression.ReplaceAllStringFunc(ReadWorkflow(t, "manager/infra-deploy.yml").RunName, func(text string) string {
		for choice := range strings.SplitSeq(expression.FindStringSubmatch(text)[1], "||") {
			choice = strings.TrimSpace(choice)
			if literal.MatchString(choice) {
				return strings.Trim(choice, "'")
			}
			var at any = contexts
			for key := range strings.SplitSeq(choice, ".") {
				inner, _ := at.(map[string]any)
				at = inner[key]
			}
			if at != nil && at != "" {
				return fmt.Sprint(at)
			}
		}
		return ""
	}))
}
