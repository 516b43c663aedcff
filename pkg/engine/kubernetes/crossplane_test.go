package kubernetes

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// define makes the kind of a composite resource as Crossplane does for a definition of it:
// what it is composed of stands in spec.crossplane, and its status has conditions.
func define(t *testing.T, c *kubernetestest.Cluster, group, kind, plural string) {
	t.Helper()
	crd := fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%[3]s.%[1]s"},"spec":{"group":%[1]q,"scope":"Namespaced",
		"names":{"kind":%[2]q,"plural":%[3]q,"singular":%[4]q,"categories":["composite"]},
		"versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},"schema":{"openAPIV3Schema":{"type":"object","properties":{
		"spec":{"type":"object","properties":{"size":{"type":"integer","maximum":5},"crossplane":{"type":"object","properties":{
			"resourceRefs":{"type":"array","x-kubernetes-list-type":"atomic","items":{"type":"object","properties":{"apiVersion":{"type":"string"},"kind":{"type":"string"},"name":{"type":"string"}}}}}}}},
		"status":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}}}]}}`, group, kind, plural, strings.ToLower(kind))
	c.Do(t, http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, _, err := c.Call(t.Context(), http.MethodGet, "/apis/"+group+"/v1/"+plural, "")
		if err == nil && status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the kind %s is not there: %v", kind, err)
		}
	}
}

// compose is a controller that composes each XNetwork of an XSubnet, and that of a ConfigMap. Both
// get ready some time later, the inner one first.
func compose(t *testing.T, c *kubernetestest.Cluster, group string) {
	t.Helper()
	call := func(method, path, body string) { _, _, _ = c.Call(t.Context(), method, path, body) } // it is tried again
	conditions := func(ready string) string {
		return fmt.Sprintf(`{"conditions":[{"type":"Synced","status":"True","reason":"ReconcileSuccess"},{"type":"Ready","status":%q,"reason":"Available","message":"as composed"}]}`, ready)
	}
	of := func(o map[string]any, place, composedPath, apiVersion, kind, name, spec string) {
		call(http.MethodPost, composedPath, fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q}%s}`, apiVersion, kind, name, spec))
		if len(composedOf(o)) == 0 {
			call(http.MethodPatch, place, fmt.Sprintf(`{"spec":{"crossplane":{"resourceRefs":[{"apiVersion":%q,"kind":%q,"name":%q}]}}}`, apiVersion, kind, name))
		}
	}
	base := func(o map[string]any) string { return "/namespaces/" + textAt(o, "metadata", "namespace") }
	c.Controller(t, "/apis/"+group+"/v1/xnetworks", func(o map[string]any, place string) string {
		of(o, place, "/apis/"+group+"/v1"+base(o)+"/xsubnets", group+"/v1", "XSubnet", textAt(o, "metadata", "name")+"-a", `,"spec":{"size":1}`)
		_, inner, _ := c.Call(t.Context(), http.MethodGet, "/apis/"+group+"/v1"+base(o)+"/xsubnets/"+textAt(o, "metadata", "name")+"-a", "")
		if strings.Contains(string(inner), `"type":"Ready"`) {
			return conditions("True")
		}
		return conditions("False")
	})
	c.Controller(t, "/apis/"+group+"/v1/xsubnets", func(o map[string]any, place string) string {
		of(o, place, "/api/v1"+base(o)+"/configmaps", "v1", "ConfigMap", textAt(o, "metadata", "name")+"-range", `,"data":{"cidr":"10.0.0.0/24"}`)
		return conditions("True")
	})
}

// checkTree: the tree that an apply hands on is what the cluster holds.
func checkTree(t *testing.T, b bench, group string, got pipeline.Composition) {
	t.Helper()
	want := pipeline.Composition{Objects: []pipeline.ComposedObject{
		{Address: "XNetwork." + group + " " + b.namespace + "/main", State: pipeline.ComposedReady, Detail: "Synced True (ReconcileSuccess), Ready True (Available: as composed)"},
		{Address: "XSubnet." + group + " " + b.namespace + "/main-a", Depth: 1, State: pipeline.ComposedReady, Detail: "Synced True (ReconcileSuccess), Ready True (Available: as composed)"},
		{Address: "ConfigMap " + b.namespace + "/main-a-range", Depth: 2, State: pipeline.ComposedReady, Detail: "no conditions"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the tree is %+v", got)
	}
}

const compositeManifest = `apiVersion: GROUP/v1
kind: XNetwork
metadata: {name: main}
spec: {size: "{{ config.max_instances }}"}
`

// TestComposites: a stack of Crossplane waits for composite resources, and shows what they are
// composed of.
func TestComposites(t *testing.T) {
	t.Parallel()
	b := newBench(t, crossplaneName, "")
	group := b.namespace + ".example.org"
	define(t, b.Cluster, group, "XNetwork", "xnetworks")
	define(t, b.Cluster, group, "XSubnet", "xsubnets")
	b.rewrite(t, strings.ReplaceAll(compositeManifest, "GROUP", group))
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "app", "outputs.yml"), "state: {object: XNetwork."+group+"/main, path: \"status.conditions[1].message\"}\n")
	b.Job.Customer.Manager.Tool.Kubernetes.Wait = 500 * time.Millisecond
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil || planned.Plan.Counts != (pipeline.Counts{Create: 1}) || planned.Plan.Exactness != pipeline.ExactnessExact || planned.Plan.Tool.Name != crossplaneName {
		t.Fatalf("planned %+v: %v", planned.Plan, err)
	}
	applied, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	var waiting *pipeline.WaitingError
	if len(applied.Composed.Objects) != 1 || applied.Composed.Objects[0].State != pipeline.ComposedNotReady {
		t.Errorf("without a controller, the tree is %+v", applied.Composed)
	}
	if !errors.As(err, &waiting) || !strings.Contains(err.Error(), "XNetwork."+group+" "+b.namespace+"/main: Synced is not true") || len(applied.Done) != 1 {
		t.Fatalf("without a controller, applied %+v: %v", applied, err)
	}
	compose(t, b.Cluster, group)
	b.Job.Customer.Manager.Tool.Kubernetes.Wait = time.Minute
	b.rewrite(t, strings.ReplaceAll(compositeManifest, "GROUP", group)+configMaps("more"))
	_, applied = b.applied(t)
	if len(applied.Outputs) != 1 || applied.Outputs[0].Value != `"as composed"` {
		t.Errorf("the outputs are %+v", applied.Outputs)
	}
	checkTree(t, b, group, applied.Composed)
	log := b.Job.Log.(*terraformtest.LogBuffer).String()
	for _, want := range []string{
		"XNetwork." + group + " " + b.namespace + "/main: Synced True (ReconcileSuccess), Ready True (Available: as composed)",
		"└ XSubnet." + group + " " + b.namespace + "/main-a: Synced True",
		"└ ConfigMap " + b.namespace + "/main-a-range: no conditions",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
	// What Crossplane writes into it is no drift.
	if next, err := b.Engine.Plan(t.Context(), b.Job); err != nil || next.Plan.HasChanges() {
		t.Errorf("the plan after: %+v: %v", next.Plan, err)
	}
	b.Job.Variables = terraformtest.ParseDocument(t, "name: demo\nmax_instances: 9\nenvironments:\n  staging: {}\n")
	said, failed := planError(t, b)
	if failed == nil || len(failed.Diagnostics) != 1 || failed.Diagnostics[0].Source.Line != 2 || !strings.Contains(said, "spec.size") {
		t.Errorf("a value that the definition does not allow: %s", said)
	}
}

// TestTreeHidesSecrets: a controller that writes the value of a Secret into a condition or a name shows it nowhere, and
// what an object names that is not there is said.
func TestTreeHidesSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t, crossplaneName, "")
	group := b.namespace + ".example.org"
	define(t, b.Cluster, group, "XNetwork", "xnetworks")
	b.rewrite(t, strings.ReplaceAll(compositeManifest, "GROUP", group))
	b.Job.Customer.Manager.Tool.Kubernetes.Wait = time.Minute
	base := "/api/v1/namespaces/" + b.namespace
	b.Controller(t, "/apis/"+group+"/v1/xnetworks", func(o map[string]any, place string) string {
		_, _, _ = b.Call(t.Context(), http.MethodPost, base+"/secrets", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"main-login","annotations":{"crossplane.io/composition-resource-name":"open-sesame-9"}},"stringData":{"password":"open-sesame-9"}}`)
		_, _, _ = b.Call(t.Context(), http.MethodPatch, place, `{"spec":{"crossplane":{"resourceRefs":[{"apiVersion":"v1","kind":"Secret","name":"main-login"},{"apiVersion":"v1","kind":"ConfigMap","name":"gone"},{"apiVersion":"no.such.group/v1","kind":"Thing","name":"none"}]}}}`)
		if len(composedOf(o)) < 3 {
			return `{"conditions":[{"type":"Synced","status":"True"},{"type":"Ready","status":"False","reason":"Creating"}]}`
		}
		return `{"conditions":[{"type":"Synced","status":"True","reason":"Ok","message":"logged in with open-sesame-9 \u001b[31mred"},{"type":"Ready","status":"True","reason":"Available"}]}`
	})
	_, applied := b.applied(t)
	text := fmt.Sprintf("%+v %s", applied.Composed, b.Job.Log.(*terraformtest.LogBuffer).String())
	if strings.Contains(text, "open-sesame") || strings.Contains(text, "\x1b") {
		t.Errorf("the tree shows a secret or a control character: %q", text)
	}
	states := map[pipeline.ComposedState]int{}
	for _, o := range applied.Composed.Objects {
		states[o.State]++
	}
	if !reflect.DeepEqual(states, map[pipeline.ComposedState]int{pipeline.ComposedReady: 2, pipeline.ComposedMissing: 2}) {
		t.Errorf("the tree is %+v", applied.Composed)
	}
}
