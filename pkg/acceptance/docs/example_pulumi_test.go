package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/pulumi/pulumitest"
)

// TestPulumiExample plays examples/manager-pulumi: Terraform builds a network, and a program
// reads its outputs, of which one is a secret.
func TestPulumiExample(t *testing.T) {
	t.Parallel()
	_, path := pulumitest.Tool(t)
	manager, temp := twoRepos(t, "examples/manager-pulumi"), t.TempDir()
	dir := filepath.Dir(manager)
	cmd := exec.CommandContext(t.Context(), "metapipe", "rehearse", "--manager-dir", "manager", "--customer-dir", "shop-platform",
		"--proposal", "shop-platform/.rehearsal/variables.yml", "--approve", "yes", "--out", "out")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+temp, "PATH="+path)
	raw, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	out := regexp.MustCompile(` +`).ReplaceAllString(string(raw), " ")
	for _, want := range []string{
		"production/web waits for approval of a bound plan",
		"metapipetest:index:File::page: create done",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the rehearsal does not say %q", want)
		}
	}
	place := filepath.Join(temp, "metapipe-example", "example-customer", "production")
	if got := fixture.ReadOptional(t, filepath.Join(place, "index.html")); !strings.Contains(got, "10.0.0.10 in eu-west-1 (production)") {
		t.Errorf("the page is %q", got)
	}
	const secret = "password-of-shop-platform-production"
	if got := fixture.ReadOptional(t, filepath.Join(place, "access")); !strings.Contains(got, secret) {
		t.Errorf("the secret of the other stack is %q", got)
	}
	if strings.Contains(string(raw), secret) {
		t.Error("the log holds a secret")
	}
	if t.Failed() {
		t.Log(string(raw))
	}
}
