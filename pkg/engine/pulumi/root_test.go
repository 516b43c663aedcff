package pulumi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestCheckRoot: what no target could be planned with, and what has no effect, is found with its line.
func TestCheckRoot(t *testing.T) {
	t.Parallel()
	const project = "name: app\nruntime: yaml\n"
	for name, c := range map[string]struct {
		files  map[string]string
		want   []string // the one-line forms of the problems hold these, in their order
		parsed bool
	}{
		"whole":           {map[string]string{"Pulumi.yaml": project, "Pulumi.staging.yaml": "config:\n  aws:region: eu-west-1\n"}, nil, true},
		"empty settings":  {map[string]string{"Pulumi.yaml": project, "Pulumi.staging.yaml": ""}, nil, true},
		"backend":         {map[string]string{"Pulumi.yaml": project + "backend:\n  url: s3://other\n"}, []string{"app/Pulumi.yaml:4: pulumi-settings: backend has no effect"}, true},
		"salt":            {map[string]string{"Pulumi.yaml": project, "Pulumi.staging.yaml": "config: {}\nencryptionsalt: v1:x\nsecretsprovider: awskms://x\n"}, []string{"app/Pulumi.staging.yaml:2: pulumi-settings: it has the key \"encryptionsalt\"", ":3: pulumi-settings: it has the key \"secretsprovider\""}, false},
		"no YAML":         {map[string]string{"Pulumi.yaml": project, "Pulumi.staging.yaml": "config: {\n"}, []string{"Pulumi.staging.yaml:1: pulumi-settings: it is no YAML"}, false},
		"of one customer": {map[string]string{"Pulumi.yaml": project, "Pulumi.shop.staging.yaml": "config: {}\n"}, []string{"it has no effect"}, true},
		"no project":      {map[string]string{"README.md": ""}, []string{"no-project"}, false},
		"key of config":   {map[string]string{"Pulumi.yaml": project + "config:\n  \"a b\": {type: string}\n"}, []string{"app/Pulumi.yaml:4: pulumi-input"}, false},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "app"), 0o700); err != nil {
			t.Fatal(err)
		}
		for file, content := range c.files {
			if err := os.WriteFile(filepath.Join(dir, "app", file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		problems, parsed := (&Engine{}).CheckRoot(dir, "app", toolName)
		if len(problems) != len(c.want) {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(problems[i].String(), want) {
				t.Errorf("%s: %v, want %s", name, problems[i], want)
			}
		}
		if parsed != c.parsed {
			t.Errorf("%s: parsed is %v", name, parsed)
		}
	}
}

// TestCheckStacks: a project with another name than its stack, and settings of an environment that there is not, are
// found before a plan is.
func TestCheckStacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "app"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"Pulumi.yaml": "runtime: yaml\nname: application\n", "Pulumi.staging.yaml": "", "Pulumi.stagin.yaml": "", "Pulumi.qa.yaml": "", "Pulumi.shop.staging.yaml": ""} {
		if err := os.WriteFile(filepath.Join(dir, "app", file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := pipeline.Manager{Environments: []pipeline.EnvironmentRule{{Name: "staging"}}, Stacks: []pipeline.StackRule{{Name: "app", Root: "app"}, {Name: "other", Root: "other"}}}
	var got []string
	for _, p := range (&Engine{}).CheckStacks(dir, "app", m) {
		got = append(got, p.String())
	}
	want := []string{
		`app/Pulumi.yaml:2: pulumi-settings: the project has the name "application", and its stack in metapipe.yml the name app → write name: app`,
		`app/Pulumi.qa.yaml:1: pulumi-settings: it has no effect: metapipe.yml has no environment "qa" → rename it to that of an environment, or remove it`,
		`app/Pulumi.stagin.yaml:1: pulumi-settings: it has no effect: metapipe.yml has no environment "stagin" → did you mean Pulumi.staging.yaml?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	m.Stacks[0].Name = "application"
	if problems := (&Engine{}).CheckStacks(dir, "app", m); problems.Err() != nil {
		t.Error(problems)
	}
}
