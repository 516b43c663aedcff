package act

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// tokenRights are the permissions of a run's own token: what the jobs of the
// workflow ask for, all together, since act has one token for all of them.
func tokenRights(t *testing.T, name string) map[string]string {
	t.Helper()
	rights := map[string]string{}
	for _, job := range fixture.ReadWorkflow(t, name).Jobs {
		for right, level := range job.Permissions {
			right = strings.ReplaceAll(right, "-", "_")
			if right != "id_token" && fixture.Levels[level] > fixture.Levels[rights[right]] {
				rights[right] = level
			}
		}
	}
	return rights
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
	fixture.Check(t, json.Unmarshal(event, &content))
	contexts := map[string]any{"github": map[string]any{"event": content}, "inputs": content["inputs"]}
	return strings.TrimSpace(expression.ReplaceAllStringFunc(fixture.ReadWorkflow(t, "manager/infra-deploy.yml").RunName, func(text string) string {
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
