package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/workflow"
)

// TestValidateForCustomer: a customer sees the manager's errors, not its warnings.
func TestValidateForCustomer(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]int{"": 2, "/checkout": 1} {
		v := &validation{o: validateOptions{customerDir: dir}}
		v.add(pipeline.Problem{Rule: "a", Warning: true}, pipeline.Problem{Rule: "b"})
		v.forCustomer()
		if got := v.result.Problems; len(got) != want || got[len(got)-1].Rule != "b" {
			t.Errorf("customer-dir %q: %v", dir, got)
		}
	}
}

// TestValidateWhatIsNotThere: secrets that no workflow passes, and regions that nothing restricts, are warnings.
func TestValidateWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"metapipe.yml":                        "environments: [{name: staging}]\nstacks:\n  - {name: hosts, root: hosts, tool: ansible, ansible: {ssh_key: HOSTS_KEY, vault_password: VAULT}}\n",
		"hosts/site.yml":                      "[]\n",
		"compliance.yml":                      "regions: true\n",
		"sync.yml":                            "sources: [{name: billing, type: http, url: \"https://billing.example.com\", token_env: BILLING_KEY, key: repository, fields: {tier: {from: plan}}}]\n",
		".github/workflows/infra-target.yml":  "jobs:\n  plan:\n    steps:\n      - run: metapipe plan\n        env: {VAULT: \"${{ secrets.VAULT }}\"}\n",
		".github/workflows/external-sync.yml": "jobs:\n  sync:\n    steps:\n      - run: metapipe sync\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := &validation{step: &step{app: &App{Now: time.Now, Err: io.Discard, Out: io.Discard}}, o: validateOptions{managerDir: dir}}
	v.config, _ = config.Load(dir)
	v.fleetFiles()
	v.add(workflow.CheckVariables(os.DirFS(dir), v.neededVariables())...)
	var found []string
	for _, p := range v.result.Problems {
		if !p.Warning {
			t.Errorf("an error: %v", p)
		}
		found = append(found, p.String())
	}
	all := strings.Join(found, "\n")
	for _, want := range []string{"compliance.yml: unused-regions", "metapipe.yml:3:", "stack hosts needs the environment variable HOSTS_KEY", "source billing needs the environment variable BILLING_KEY", "which is not set in .github/workflows/external-sync.yml"} {
		if !strings.Contains(all, want) {
			t.Errorf("it does not say %q:\n%s", want, all)
		}
	}
	if len(found) != 3 {
		t.Errorf("found:\n%s", all)
	}
}
