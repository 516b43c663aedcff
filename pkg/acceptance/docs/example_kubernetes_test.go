package docs

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
)

// TestKubernetesExample plays examples/manager-kubernetes on a cluster whose Deployments get
// available.
func TestKubernetesExample(t *testing.T) {
	t.Parallel()
	c := kubernetestest.New(t)
	c.RunDeployments(t)
	manager := twoRepos(t, "examples/manager-kubernetes")
	cmd := exec.CommandContext(t.Context(), "metapipe", "rehearse", "--manager-dir", "manager", "--customer-dir", "shop-platform",
		"--proposal", "shop-platform/.rehearsal/variables.yml", "--approve", "yes")
	cmd.Dir, cmd.Env = filepath.Dir(manager), append(os.Environ(), "EXAMPLE_KUBECONFIG="+c.Kubeconfig(kubernetestest.AdminToken),
		"PATH="+os.Getenv("PATH")+":"+filepath.Dir(kubernetestest.Tool(t, "kubectl")))
	raw, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	out := regexp.MustCompile(` +`).ReplaceAllString(string(raw), " ")
	for _, want := range []string{
		"Deployment.apps example-customer-production/web: created",
		"production/app waits for approval",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the rehearsal does not say %q", want)
		}
	}
	if strings.Contains(out, kubernetestest.AdminToken) {
		t.Error("the rehearsal shows the token")
	}
	made := c.Do(t, http.MethodGet, "/api/v1/namespaces/example-customer-production/configmaps/web", "")
	if got := fmt.Sprint(made["data"]); !strings.Contains(got, "shop-platform in eu-west-1 (production)") {
		t.Errorf("the ConfigMap holds %s", got)
	}
	if t.Failed() {
		t.Log(string(raw))
	}
}
