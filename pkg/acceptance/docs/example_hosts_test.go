package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/ansible/ansibletest"
)

// TestHostsExample plays examples/manager-hosts: Terraform says which hosts there are, and
// Ansible sets them up for a customer that chooses it with a property.
func TestHostsExample(t *testing.T) {
	t.Parallel()
	ansibletest.Tool(t)
	manager, temp := twoRepos(t, "examples/manager-hosts"), t.TempDir()
	dir := filepath.Dir(manager)
	cmd := exec.CommandContext(t.Context(), "metapipe", "rehearse", "--manager-dir", "manager", "--customer-dir", "shop-platform",
		"--proposal", "shop-platform/.rehearsal/variables.yml", "--approve", "yes", "--out", "out")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+temp)
	raw, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	out := regexp.MustCompile(` +`).ReplaceAllString(string(raw), " ")
	for _, want := range []string{
		"✓ Merge success: Applied to production/network: 1 output changed",
		"sets the custom property infrastructure_tools network, hosts",
		"✓ A property success: Applied to staging/hosts, production/hosts: 6 added",
		"production/hosts waits for approval of a predicted plan: 4 to add",
		"shop-platform-production-2: page: changed",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the rehearsal does not say %q", want)
		}
	}
	page := filepath.Join(temp, "metapipe-example", "example-customer", "shop-platform-production-2", "index.html")
	if got := fixture.ReadOptional(t, page); !strings.Contains(got, "shop-platform-production-2 in eu-west-1 (production)") {
		t.Errorf("the host got %q", got)
	}
	summary := fixture.ReadOptional(t, filepath.Join(dir, "out", "manager", "summaries", "run-5-production-hosts-apply-report.md"))
	for _, want := range []string{"This plan is predicted, not exact.", "`ansible ", "shop-platform-production-1: page"} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary does not say %q:\n%s", want, summary)
		}
	}
	if t.Failed() {
		t.Log(string(raw))
	}
}
