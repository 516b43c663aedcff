package kubernetes

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func (b bench) applied(t *testing.T) (pipeline.Planned, pipeline.Applied) {
	t.Helper()
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Job.Log)
	}
	return planned, applied
}

func (b bench) rewrite(t *testing.T, manifest string) {
	t.Helper()
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "app", "manifests", "all.yaml"), manifest)
}

// TestPruneAndDestroy: what the manifests drop is deleted, and a destroy leaves nothing.
func TestPruneAndDestroy(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("a", "b", "c"))
	b.applied(t)
	b.rewrite(t, configMaps("b"))
	planned, applied := b.applied(t)
	if planned.Plan.Counts != (pipeline.Counts{Delete: 2}) || len(applied.Done) != 2 || applied.State.Resources != 1 || applied.State.Serial != 2 {
		t.Errorf("planned %+v, applied %+v", planned.Plan.Counts, applied)
	}
	if state := b.state(t); strings.Contains(state, "a: ") || strings.Contains(state, "c: ") || !strings.Contains(state, "b: ") {
		t.Errorf("there is %s", state)
	}
	b.Job.Destroy = true
	b.rewrite(t, "not: [a manifest\n") // a destroy does not read it
	planned, applied = b.applied(t)
	if planned.Plan.Counts != (pipeline.Counts{Delete: 1}) || !applied.State.LeftNothing() || b.state(t) != "" {
		t.Errorf("planned %+v, applied %+v, left %q", planned.Plan.Counts, applied, b.state(t))
	}
}

// TestConflict: a field that someone else has set is named, and not taken; a scan shows it.
func TestConflict(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("settings"))
	b.applied(t)
	b.Do(t, http.MethodPatch, "/api/v1/namespaces/"+b.namespace+"/configmaps/settings?fieldManager=kubectl-edit", `{"data":{"x":"by hand"}}`)
	said, failed := planError(t, b)
	if failed == nil || !strings.Contains(said, `conflict with "kubectl-edit"`) || !strings.Contains(said, ".data.x") || !strings.Contains(said, "does not take them by force") {
		t.Errorf("it says %v", said)
	}
	drift, err := b.Engine.(*Engine).NewFleet("").Plan(t.Context(), b.Job)
	if err != nil || drift.Plan.Counts != (pipeline.Counts{Update: 1}) || len(drift.Plan.Diagnostics) != 1 || !strings.Contains(drift.Plan.Diagnostics[0].Detail, "kubectl-edit has set data.x") {
		t.Errorf("the scan finds %+v: %v", drift.Plan, err)
	}
	if !strings.Contains(b.state(t), "by hand") {
		t.Error("the scan has changed it")
	}
	// Only its status moves: that is no reason to refuse.
	b.Do(t, http.MethodPatch, "/api/v1/namespaces/"+b.namespace+"/configmaps/settings?fieldManager=kubectl-edit", `{"data":{"x":"1"}}`)
	if planned, err := b.Engine.Plan(t.Context(), b.Job); err != nil || planned.Plan.HasChanges() {
		t.Errorf("when it is as it should be, it plans %+v: %v", planned.Plan, err)
	}
}

const deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: "{{ config.max_instances }}"
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.org/web:1"}]}
`

// TestNotReadyInTime: what is not ready in time is waited for, and has not failed.
func TestNotReadyInTime(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, deployment)
	b.Job.Customer.Manager.Tool.Kubernetes.Wait = 700 * time.Millisecond
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	var waiting *pipeline.WaitingError
	if !errors.As(err, &waiting) || !applied.Started || len(applied.Done) != 1 || applied.State == nil || !strings.Contains(err.Error(), "0 of 2 replicas") {
		t.Fatalf("applied %+v: %v", applied, err)
	}
	again := b
	again.Job.Dir = filepath.Join(t.TempDir(), "run")
	if next, err := again.Engine.Plan(t.Context(), again.Job); err != nil || next.Plan.HasChanges() || next.Found() != *applied.State {
		t.Errorf("the plan after: %+v: %v", next.Plan, err)
	}
	b.rewrite(t, deployment+configMaps("more"))
	b.Job.Customer.Manager.Tool.Kubernetes.Wait = time.Minute
	path := "/apis/apps/v1/namespaces/" + b.namespace + "/deployments/web/status"
	go func() {
		time.Sleep(500 * time.Millisecond)
		b.Try(t, http.MethodPatch, path, `{"status":{"observedGeneration":1,"replicas":2,"updatedReplicas":2,"readyReplicas":2,"availableReplicas":2}}`)
	}()
	b.applied(t)
	b.Do(t, http.MethodPatch, path, `{"status":{"availableReplicas":1,"conditions":[{"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"no image"}]}}`)
	b.rewrite(t, deployment)
	planned, err = b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "no image") {
		t.Errorf("a Deployment that will never be ready is %v", err)
	}
}

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: GROUP}
spec:
  group: KIND.example
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, maximum: 5}}}}}}
---
apiVersion: KIND.example/v1
kind: Widget
metadata: {name: one}
spec: {size: "{{ config.max_instances }}"}
`

// TestNamespaceAndDefinition: namespaces and kinds that the plan itself makes.
func TestNamespaceAndDefinition(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, "")
	b.namespace += "-made"
	group := b.namespace + "x"
	manifest := strings.NewReplacer("GROUP", "widgets."+group+".example", "KIND", group).Replace(definition) + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + b.namespace + "}\n" + configMaps("first")
	b.rewrite(t, manifest)
	rule := &b.Job.Customer.Manager.Tool.Kubernetes
	rule.Namespace, rule.ClusterKinds = pipeline.Template(b.namespace), []string{"CustomResourceDefinition.apiextensions.k8s.io"}
	planned, applied := b.applied(t)
	if planned.Plan.Counts != (pipeline.Counts{Create: 4}) || len(planned.Plan.Diagnostics) != 1 || !strings.Contains(planned.Plan.Diagnostics[0].Summary, "2 of the objects cannot be tried out") {
		t.Errorf("planned %+v", planned.Plan)
	}
	if len(applied.Done) != 4 || applied.Done[0].Address != "Namespace "+b.namespace || applied.State.Resources != 4 {
		t.Errorf("applied %+v", applied)
	}
	made := b.Do(t, http.MethodGet, fmt.Sprintf("/apis/%s.example/v1/namespaces/%s/widgets/one", group, b.namespace), "")
	if number(made, 0, "spec", "size") != 0 && fmt.Sprint(at(made, "spec", "size")) != "2" {
		t.Errorf("made %v", made)
	}
	if next, err := b.Engine.Plan(t.Context(), b.Job); err != nil || next.Plan.HasChanges() {
		t.Errorf("the plan after: %+v: %v", next.Plan, err)
	}
	// The plan that drops kind and object at once.
	b.rewrite(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+b.namespace+"}\n"+configMaps("first"))
	planned, applied = b.applied(t)
	if planned.Plan.Counts != (pipeline.Counts{Delete: 2}) || applied.State.Resources != 2 {
		t.Errorf("planned %+v, applied %+v", planned.Plan.Counts, applied)
	}
}

// TestDiagnostics: an error of the server leads to the line of variables.yml.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		manifest, variables string
		line                int
		want                []string
	}{
		"a value that is not valid": {deployment, "name: demo\nmax_instances: -1\nenvironments:\n  staging: {}\n", 2, []string{"spec.replicas", "change `max_instances`"}},
		"of the environment":        {deployment, "name: demo\nmax_instances: 1\nenvironments:\n  staging:\n    max_instances: -1\n", 5, []string{"spec.replicas"}},
		"a value of another type":   {deployment, "name: demo\nmax_instances: many\nenvironments:\n  staging: {}\n", 2, []string{"expected numeric"}},
		"a missing key":             {deployment, "name: demo\nenvironments:\n  staging: {}\n", 3, []string{"max_instances is not set", "app/manifests/all.yaml:5", "add `max_instances:`"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, toolName, test.manifest)
			b.Job.Variables = terraformtest.ParseDocument(t, test.variables)
			said, failed := planError(t, b)
			if failed == nil || len(failed.Diagnostics) != 1 {
				t.Fatalf("it says %s", said)
			}
			d := failed.Diagnostics[0]
			for _, want := range test.want {
				if !strings.Contains(said+failed.Next+d.Remedy, want) {
					t.Errorf("it says %q, and not %q", said+failed.Next, want)
				}
			}
			if d.Source.Line != test.line || d.Source.File != "infra/variables.yml" {
				t.Errorf("it points at %v, not at line %d (%v)", d.Source, test.line, d.Exact)
			}
		})
	}
}

// TestRightsAreMissing: what the user of the kubeconfig may not do is said, and nothing is
// taken for absent.
func TestRightsAreMissing(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("settings"))
	b.Engine = New(Options{Environ: []string{kubeconfigVariable + "=" + b.Kubeconfig("token-1-of-test")}, BinaryPath: b.Engine.(*Engine).options.BinaryPath})
	said, _ := planError(t, b)
	if !strings.Contains(said, "forbidden") || !strings.Contains(said, "may do there") {
		t.Errorf("without any right: %s", said)
	}
	if _, _, err := b.Engine.(*Engine).State(t.Context(), b.Job); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("the state of a cluster that cannot be read is %v", err)
	}
	b.Webhook(t, b.namespace, func(r kubernetestest.Review) string { return "nothing is written here" })
	b.Grant(t, 1, b.namespace, `[{"apiGroups":[""],"resources":["configmaps"],"verbs":["get","patch","create"]}]`)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatalf("with get, patch and create: %v", err)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	if err == nil || applied.Started || !strings.Contains(err.Error(), "ConfigMap metapipe.acme.staging") || b.state(t) != "" {
		t.Errorf("without the right to write the inventory: %+v: %v", applied, err)
	}
}

// TestNoNamespace: it is said what to do where the namespace does not exist.
func TestNoNamespace(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("settings"))
	b.Job.Customer.Manager.Tool.Kubernetes.Namespace = pipeline.Template(b.namespace + "-not-there")
	if said, failed := planError(t, b); failed == nil || !strings.Contains(said+failed.Operator, "add a Namespace to the manifests") {
		t.Errorf("it says %s", said)
	}
}

// TestNoCluster: a cluster that is not there is an error, and no empty one.
func TestNoCluster(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("settings"))
	config := strings.Replace(b.Kubeconfig(kubernetestest.AdminToken), b.Server, "https://127.0.0.1:1", 1)
	b.Engine = New(Options{Environ: []string{kubeconfigVariable + "=" + config}, BinaryPath: b.Engine.(*Engine).options.BinaryPath})
	if said, failed := planError(t, b); failed == nil || !strings.Contains(said, "refused") {
		t.Errorf("it says %s", said)
	}
}
