package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestClusterKindWithNamespace: a kind without namespaces stays one, also where its manifest
// names a namespace that the same plan makes.
func TestClusterKindWithNamespace(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, "")
	made := b.namespace + "-made"
	b.rewrite(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+made+"}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: of-"+made+", namespace: "+made+"}\nrules: []\n"+
		"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: "+made+"}\n")
	rule := &b.Job.Customer.Manager.Tool.Kubernetes
	rule.Namespaces = []pipeline.Template{pipeline.Template(made)}
	if said, failed := planError(t, b); failed == nil || !strings.Contains(said, "ClusterRole.rbac.authorization.k8s.io of-"+made) || !strings.Contains(said, "lies in no namespace") {
		t.Errorf("without cluster_kinds, it says %s", said)
	}
	rule.ClusterKinds = []string{"ClusterRole.rbac.authorization.k8s.io"}
	planned, applied := b.applied(t)
	if planned.Plan.Counts != (pipeline.Counts{Create: 3}) || applied.State.Resources != 3 || !strings.Contains(b.state(t), "of-"+made) {
		t.Errorf("planned %+v, applied %+v, and the inventory is %s", planned.Plan.Counts, applied, b.state(t))
	}
	if next, err := b.Engine.Plan(t.Context(), b.Job); err != nil || next.Plan.HasChanges() {
		t.Errorf("the plan after: %+v: %v", next.Plan, err)
	}
	b.rewrite(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+made+"}\n") // nothing in this cluster ends a namespace
	b.applied(t)
	if status, _ := b.Try(t, http.MethodGet, "/apis/rbac.authorization.k8s.io/v1/clusterroles/of-"+made, ""); status != http.StatusNotFound {
		t.Errorf("when the manifests do not hold it, the ClusterRole has status %d", status)
	}
}

// TestScopeOfDefinitions: what Crossplane makes of a definition lies where its version says.
func TestScopeOfDefinitions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version, scope string
		namespaced     bool
	}{{"v1", "", false}, {"v1", "LegacyCluster", false}, {"v2", "LegacyCluster", false}, {"v2", "Cluster", false}, {"v2", "", true}, {"v1", "Namespaced", true}, {"v2", "Namespaced", true}} {
		spec := map[string]any{"group": "example.org", "names": map[string]any{"kind": "XDatabase"}, "claimNames": map[string]any{"kind": "Database"}}
		if test.scope != "" {
			spec["scope"] = test.scope
		}
		d := &object{ref: ref{APIVersion: "apiextensions.crossplane.io/" + test.version, Kind: "CompositeResourceDefinition", Name: "x"}, manifest: map[string]any{"spec": spec}}
		w := &workspace{objects: []*object{d}}
		for kind, want := range map[string]bool{"XDatabase": test.namespaced, "Database": true} {
			if got, err := w.namespaced(&object{ref: ref{APIVersion: "example.org/v1", Kind: kind}}); err != nil || got != want {
				t.Errorf("%s of a definition of %s with scope %q: namespaced is %v (%v)", kind, test.version, test.scope, got, err)
			}
		}
	}
}

// TestScopeChangesAtApply: what the server has put elsewhere than planned is an error, and is not lost.
func TestScopeChangesAtApply(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, "")
	group := b.namespace + ".example.org"
	define(t, b.Cluster, group, "Widget", "widgets")
	b.rewrite(t, "apiVersion: "+group+"/v1\nkind: Widget\nmetadata: {name: one}\nspec: {size: 1}\n")
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets." + group
	crd := b.Do(t, http.MethodGet, path, "")
	b.Do(t, http.MethodDelete, path, "")
	for status := http.StatusOK; status != http.StatusNotFound; time.Sleep(50 * time.Millisecond) {
		status, _ = b.Try(t, http.MethodGet, path, "")
	}
	schema := jsonText(t, at(crd, "spec", "versions"))
	b.Do(t, http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", fmt.Sprintf(
		`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"widgets.%[1]s"},"spec":{"group":%[1]q,"scope":"Cluster","names":{"kind":"Widget","plural":"widgets","singular":"widget"},"versions":%[2]s}}`, group, schema))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, raw, err := b.Call(t.Context(), http.MethodGet, "/apis/"+group+"/v1", "")
		if err == nil && strings.Contains(string(raw), `"namespaced":false`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the kind is not there: %s %v", raw, err)
		}
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	if err == nil || !strings.Contains(err.Error(), "the server has put it in no namespace") || applied.State == nil || applied.State.Resources != 1 {
		t.Fatalf("applied %+v: %v", applied, err)
	}
	b.Job.Destroy = true
	b.Job.Customer.Manager.Tool.Kubernetes.ClusterKinds = []string{"Widget." + group}
	b.applied(t)
	if status, _ := b.Try(t, http.MethodGet, "/apis/"+group+"/v1/widgets/one", ""); status != http.StatusNotFound {
		t.Errorf("after the destroy, it has status %d", status)
	}
}

// TestOneNameInTwoNamespaces: kubectl prints both alike, and they are still told apart.
func TestOneNameInTwoNamespaces(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, "")
	other := b.Namespace(t, "other")
	b.rewrite(t, configMaps("same")+"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: same, namespace: "+other+"}\n")
	b.Job.Customer.Manager.Tool.Kubernetes.Namespaces = []pipeline.Template{pipeline.Template(other)}
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	var denied atomic.Int64
	b.Webhook(t, b.namespace, func(r kubernetestest.Review) string {
		if r.Name != "same" {
			return ""
		}
		denied.Add(1)
		return "no"
	})
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	if err == nil || denied.Load() == 0 || !strings.Contains(err.Error(), "ConfigMap "+b.namespace+"/same") {
		t.Errorf("it says %v", err)
	}
	want := []pipeline.AppliedResource{{Address: "ConfigMap " + b.namespace + "/same", Action: pipeline.ActionCreate, Failed: true}, {Address: "ConfigMap " + other + "/same", Action: pipeline.ActionCreate}}
	if len(applied.Done) != 2 || applied.Done[0] != want[0] || applied.Done[1] != want[1] {
		t.Errorf("done is %+v", applied.Done)
	}
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
