package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestRootsOfOtherTools: a root module of a tool that metapipe cannot read is said not to be
// checked, and keeps no other one from it.
func TestRootsOfOtherTools(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"terraform/main.tf", "hosts/main.tf"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("variable \"size\" {\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := &validation{step: &step{app: &App{}}, o: validateOptions{managerDir: dir}}
	roots := []rootModule{{dir: "hosts", tool: "chef"}, {dir: "terraform", tool: "terraform"}}
	if err := v.tree(t.Context(), roots); err != nil {
		t.Fatal(err)
	}
	if v.parse(roots) {
		t.Error("all of the code is known")
	}
	var rules []string
	for _, p := range v.result.Problems {
		rules = append(rules, p.Rule)
	}
	if got := strings.Join(rules, " "); got != "unread-root terraform-syntax" {
		t.Errorf("%q: %v", got, v.result.Problems)
	}
	if p := v.result.Problems[0]; !p.Warning || p.Position.File != "hosts" || !strings.Contains(p.Message, `no engine for the tool "chef"`) {
		t.Errorf("%+v", p)
	}
	if names := newRules(dir).ofStack(pipeline.Customer{Root: "hosts", Manager: pipeline.Manager{Tool: pipeline.ToolRule{Name: "chef"}}}, ""); names != nil {
		t.Errorf("variables of an unknown tool: %v", names)
	}
}
