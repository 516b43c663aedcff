package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestConcurrencyGroupsKeepTargetsApart: a group of the shipped workflows that names a
// customer and an environment is one target's. Two targets with one group would wait
// for each other, and cancel each other's queue.
func TestConcurrencyGroupsKeepTargetsApart(t *testing.T) {
	t.Parallel()
	found := 0
	for _, file := range fixture.Must(filepath.Glob(filepath.Join(fixture.Root(t), "workflows", "manager", "*.yml")))(t) {
		var document any
		fixture.Check(t, yaml.Unmarshal(fixture.Must(os.ReadFile(file))(t), &document))
		for _, group := range groups(document) {
			// The unnamed stack adds nothing, and a named one a part of its own.
			template := pipeline.Template(strings.NewReplacer("${{ inputs.customer }}", pipeline.PlaceholderCustomer, "${{ inputs.environment }}", pipeline.PlaceholderEnvironment,
				"${{ inputs.stack && format('/{0}', inputs.stack) }}", "/"+pipeline.PlaceholderStack).Replace(group))
			if !template.Holds(pipeline.PlaceholderCustomer) && !template.Holds(pipeline.PlaceholderEnvironment) {
				continue
			}
			found++
			if err := template.Check(pipeline.PlaceholderCustomer, pipeline.PlaceholderEnvironment, pipeline.PlaceholderStack); err != nil {
				t.Errorf("%s: the group %s", filepath.Base(file), err)
			}
			if !template.Holds(pipeline.PlaceholderCustomer) || !template.Holds(pipeline.PlaceholderEnvironment) || !template.Holds(pipeline.PlaceholderStack) {
				t.Errorf("%s: the group %q is of several targets", filepath.Base(file), group)
			}
		}
	}
	if found == 0 {
		t.Error("no workflow has a concurrency group of a target")
	}
}

// groups are all concurrency groups in a workflow.
func groups(node any) (found []string) {
	switch n := node.(type) {
	case map[string]any:
		for key, value := range n {
			concurrency, _ := value.(map[string]any)
			if group, ok := concurrency["group"].(string); ok && key == "concurrency" {
				found = append(found, group)
			}
			if group, ok := value.(string); ok && key == "concurrency" {
				found = append(found, group)
			}
			found = append(found, groups(value)...)
		}
	case []any:
		for _, item := range n {
			found = append(found, groups(item)...)
		}
	}
	return found
}
