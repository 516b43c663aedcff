package drift

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

const appManifests = `apiVersion: v1
kind: Namespace
metadata: {name: "{{ customer }}-{{ environment }}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {name: "{{ config.name }}"}
---
apiVersion: v1
kind: Secret
metadata: {name: access}
stringData: {token: "open-sesame {{ config.name }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.org/web:1"}]}
`

const copyManifests = `apiVersion: v1
kind: Secret
metadata: {name: copy}
stringData: {token: "{{ app.token }}", name: "{{ app.name }}"}
`

// TestManifestsDrift plays two stacks of Kubernetes, one of which needs the other: from the pull
// request to the apply that waits, the outputs between them, drift with the name of who made
// it, and a destroy.
func TestManifestsDrift(t *testing.T) {
	t.Parallel()
	c := kubernetestest.New(t)
	rule := `tool: kubernetes, kubernetes: {kubeconfig: CLUSTER_CONFIG, namespace: "{{ customer }}-{{ environment }}", wait: 3s}`
	w := fixture.New(t, map[string]string{
		"metapipe.yml":            "environments: [{name: staging, branches: [main]}]\nstacks:\n  - {name: app, root: app, " + rule + "}\n  - {name: copy, root: copy, needs: [app], " + rule + "}\n",
		"app/manifests/all.yaml":  appManifests,
		"app/outputs.yml":         "name: {object: ConfigMap/settings, path: data.name}\ntoken: {object: Secret/access, path: data.token}\n",
		"copy/manifests/all.yaml": copyManifests,
	})
	w.Setenv("PATH="+filepath.Dir(kubernetestest.Tool(t, "kubectl"))+":/usr/bin:/bin", "CLUSTER_CONFIG="+c.Kubeconfig(kubernetestest.AdminToken))
	variables := func(name string) map[string]string {
		return map[string]string{"infra/variables.yml": "name: " + name + "\nenvironments:\n  staging: {}\n"}
	}
	pull, _ := w.Pull(w.Customer, "first", variables("shop"))
	looked := w.Accept(pull)
	looked.Do(0, "plan", "staging/app").Want(t, "outcome=planned")
	looked.Do(0, "plan", "staging/copy").Want(t, "outcome=deferred")
	looked.Report("--final")
	comments := string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t))
	for _, want := range []string{"ConfigMap shop-staging/settings", "Deployment.apps shop-staging/web", "data.name", "cannot be tried out yet"} {
		if !strings.Contains(comments, want) {
			t.Errorf("the pull request does not say %q", want)
		}
	}
	if status, _ := c.Try(t, http.MethodGet, "/api/v1/namespaces/shop-staging", ""); status != http.StatusNotFound {
		t.Error("the plan of a pull request has written something")
	}
	r := w.Accept(w.Push("main", variables("shop")))
	planned := r.Planned("staging/app")
	waiting := r.Do(5, "apply", "staging/app", "--receipt", planned.Outputs["receipt"])
	waiting.Want(t, "outcome=applied")
	waiting.Says(t, "still waiting: 1 of the objects of shop/staging/app are not ready")
	c.RunDeployments(t)
	r.Do(0, "apply", "staging/app", "--receipt", planned.Outputs["receipt"]).Want(t, "outcome=applied") // the job runs again
	next := r.Planned("staging/copy")
	r.Do(0, "apply", "staging/copy", "--receipt", next.Outputs["receipt"]).Want(t, "outcome=applied")
	r.Report("--final").Want(t, "outcome=success")
	for _, line := range strings.Split(w.DriftJob().Do(0, "state", "list").Log, "\n") {
		if strings.Contains(line, "LOST") || strings.Contains(line, "staging") && !strings.Contains(line, "inventory") {
			t.Errorf("the list of states says %q", line)
		}
	}
	const secrets = "/api/v1/namespaces/shop-staging/secrets/"
	if data, _ := c.Do(t, http.MethodGet, secrets+"copy", "")["data"].(map[string]any); data["token"] != "b3Blbi1zZXNhbWUgc2hvcA==" || data["name"] != "c2hvcA==" {
		t.Errorf("the other stack got %v", data)
	}
	if all := string(fixture.Must(json.Marshal(w.Customer.Snapshot()))(t)) + string(fixture.Must(json.Marshal(w.Manager.Snapshot()))(t)); strings.Contains(all, "open-sesame") || strings.Contains(all, "b3Blbi1zZXNhbWU") {
		t.Error("a repository shows the secret")
	}
	look := func(exit int) map[string][]pipeline.DriftKind {
		t.Helper()
		kinds := map[string][]pipeline.DriftKind{}
		for _, result := range fixture.ScanOf(t, w.DriftJob().Do(exit, "drift", "--environment", "staging", "--issues", "10", "--json")).Results {
			kinds[string(result.Target.Stack)] = result.Kinds
		}
		return kinds
	}
	if kinds := look(0); len(kinds) != 2 || len(kinds["app"])+len(kinds["copy"]) > 0 {
		t.Errorf("after the apply: %v", kinds)
	}
	c.Do(t, http.MethodPatch, "/api/v1/namespaces/shop-staging/configmaps/settings?fieldManager=kubectl-edit", `{"data":{"name":"by hand"}}`)
	if kinds := look(6); len(kinds["app"]) != 1 || kinds["app"][0] != pipeline.DriftReal || len(kinds["copy"]) > 0 {
		t.Errorf("after an edit: %v", kinds)
	}
	issues := w.Customer.Snapshot().Issues
	if len(issues) != 1 || !strings.Contains(issues[0].Body, "ConfigMap shop-staging/settings") {
		t.Errorf("the issues are %+v", issues)
	}
	// The field belongs to someone else now: a plan says to whom, and does not take it.
	refused := w.Accept(w.Push("main", variables("boutique")))
	refused.Do(1, "plan", "staging/app").Says(t, `conflict with "kubectl-edit"`)
}
