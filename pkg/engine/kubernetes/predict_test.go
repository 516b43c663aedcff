package kubernetes

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
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

const compositions = `apiVersion: apiextensions.crossplane.io/v1
kind: Composition
metadata: {name: network}
spec:
  compositeTypeRef: {apiVersion: GROUP/v1, kind: XNetwork}
  mode: Pipeline
  pipeline:
    - step: compose
      functionRef: {name: function-test}
      input:
        apiVersion: test.example.org/v1
        kind: Input
        limit: 4
        resources:
          - name: subnet-a
            base: {apiVersion: GROUP/v1, kind: XSubnet, spec: {size: 1}}
            patches: [{from: spec.size, to: spec.size}]
          - name: assets
            base: {apiVersion: s3.example.org/v1, kind: Bucket, metadata: {name: fixed}, spec: {text: "{{ .not.ours }}"}}
          - name: login
            base: {apiVersion: v1, kind: Secret, metadata: {name: main-login}, data: {password: b3Blbi1zZXNhbWUtMw==}}
        results:
          - {severity: warning, message: "open-sesame-3 is weak \u001b[31mred"}
          - {severity: normal, message: ordinary}
---
apiVersion: apiextensions.crossplane.io/v1
kind: Composition
metadata: {name: subnet}
spec:
  compositeTypeRef: {apiVersion: GROUP/v1, kind: XSubnet}
  mode: Pipeline
  pipeline:
    - step: compose
      functionRef: {name: function-test}
      input:
        apiVersion: test.example.org/v1
        kind: Input
        resources:
          - name: range
            base: {apiVersion: v1, kind: ConfigMap, data: {cidr: 10.0.0.0/24}}
`

const functionsFile = `apiVersion: pkg.crossplane.io/v1
kind: Function
metadata:
  name: function-test
  annotations: {render.crossplane.io/runtime: Development, render.crossplane.io/runtime-development-target: "ADDRESS"}
spec: {package: xpkg.example.org/function-test:v1}
`

const claimDefinition = `apiVersion: apiextensions.crossplane.io/v1
kind: CompositeResourceDefinition
metadata: {name: xnetworks.GROUP}
spec:
  group: GROUP
  names: {kind: XNetwork, plural: xnetworks}
  claimNames: {kind: Network, plural: networks}
  versions:
    - name: v1
      served: true
      referenceable: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer, default: 3}}}}}}
`

// predicting is a bench whose plans predict with the real CLI and a real function.
func predicting(t *testing.T) (b bench, group string) {
	t.Helper()
	cli, address := kubernetestest.Crossplane(t), kubernetestest.Function(t)
	b = newBench(t, crossplaneName, "")
	group = b.namespace + ".example.org"
	for plural, kind := range map[string]string{"xnetworks": "XNetwork", "xsubnets": "XSubnet", "networks": "Network"} {
		define(t, b.Cluster, group, kind, plural)
	}
	b.rewrite(t, strings.ReplaceAll(compositeManifest, "GROUP", group))
	for name, content := range map[string]string{"compositions.yaml": compositions, "functions.yaml": functionsFile, "definitions.yaml": claimDefinition} {
		b.file(t, name, strings.NewReplacer("GROUP", group, "ADDRESS", address).Replace(content))
	}
	b.Job.Customer.Manager.Tool.Kubernetes.Render = pipeline.RenderRule{Version: ">= 2.1, < 3", Compositions: []string{"compositions.yaml"}, Functions: "functions.yaml", Definitions: []string{"definitions.yaml"}}
	o := b.Engine.(*Engine).options
	o.Environ = append(o.Environ, "PATH="+filepath.Dir(cli), "DOCKER_HOST=tcp://127.0.0.1:1")
	b.Engine = New(o)
	return b, group
}

func (b bench) file(t *testing.T, name, content string) {
	t.Helper()
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "app", name), content)
}

// TestPrediction: a plan shows what a composite resource would be composed of, down the tree, with nothing of a secret in
// it. It stays exact, and its fingerprint and what is applied are those of the same plan without a prediction.
func TestPrediction(t *testing.T) {
	t.Parallel()
	b, group := predicting(t)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	in := func(kind, name string) string { return kind + " " + b.namespace + "/" + name }
	want := []pipeline.ComposedObject{
		{Address: in("XNetwork."+group, "main")},
		{Address: in("Bucket.s3.example.org", "fixed"), Depth: 1, Resource: "assets"},
		{Address: in("Secret", "main-login"), Depth: 1, Resource: "login"},
		{Address: in("XSubnet."+group, "main-…"), Depth: 1, Resource: "subnet-a"},
		{Address: in("ConfigMap", "main-…"), Depth: 2, Resource: "range"},
	}
	if got := planned.Plan.Composed; got.Cut || !reflect.DeepEqual(got.Objects, want) {
		t.Errorf("predicted %+v", got)
	}
	if planned.Plan.Exactness != pipeline.ExactnessExact || planned.Plan.Counts != (pipeline.Counts{Create: 1}) || len(planned.Plan.Diagnostics) != 1 || planned.Plan.Diagnostics[0].Detail != "compose: (sensitive value) is weak red" {
		t.Errorf("planned %+v", planned.Plan)
	}
	text := fmt.Sprintf("%+v %s", planned.Plan, b.Job.Log.(*terraformtest.LogBuffer).String())
	if strings.Contains(text, "open-sesame") || strings.Contains(text, "b3Blbi1z") || strings.Contains(text, "\x1b") || !strings.Contains(text, "predicted: "+want[0].Address) {
		t.Errorf("the plan and the log are %q", text)
	}
	rule := b.Job.Customer.Manager.Tool.Kubernetes.Render
	b.Job.Customer.Manager.Tool.Kubernetes.Render = pipeline.RenderRule{}
	plain, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil || plain.Fingerprint != planned.Fingerprint || len(plain.Plan.Composed.Objects) > 0 {
		t.Errorf("without a prediction: %+v: %v", plain, err)
	}
	b.Job.Customer.Manager.Tool.Kubernetes.Render = rule
	b.Job.Customer.Manager.Tool.Kubernetes.Wait = -1
	again, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, again)); err != nil {
		t.Fatal(err)
	}
	if items, _ := b.Do(t, http.MethodGet, "/apis/"+group+"/v1/namespaces/"+b.namespace+"/xsubnets", "")["items"].([]any); len(items) > 0 {
		t.Errorf("what was predicted was applied: %v", items)
	}
}

// TestPredictionOfClaims: a claim is predicted by way of the composite resource of its definition, with the default
// values of that. A kind that no composition is for is said to be unknown.
func TestPredictionOfClaims(t *testing.T) {
	t.Parallel()
	b, group := predicting(t)
	b.rewrite(t, strings.ReplaceAll("apiVersion: GROUP/v1\nkind: Network\nmetadata: {name: shop}\nspec: {}\n---\napiVersion: GROUP/v1\nkind: XSubnet\nmetadata: {name: other}\nspec: {size: 1}\n", "GROUP", group))
	b.file(t, "compositions.yaml", strings.ReplaceAll(strings.Split(compositions, "---\n")[0], "GROUP", group))
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	got := planned.Plan.Composed.Objects
	if len(got) != 6 || got[0] != (pipeline.ComposedObject{Address: "Network." + group + " " + b.namespace + "/shop"}) || got[1] != (pipeline.ComposedObject{Address: "XNetwork." + group + " shop-…", Depth: 1}) ||
		got[4].Address != "XSubnet."+group+" shop-…" || got[4].Depth != 2 || got[5].State != pipeline.ComposedUnknown || got[5].Depth != 0 || !strings.Contains(got[5].Detail, "no composition") {
		t.Errorf("predicted %+v", got)
	}
	// The default of the definition counts, where the claim says nothing.
	b.file(t, "definitions.yaml", strings.NewReplacer("GROUP", group, "default: 3", "default: 9").Replace(claimDefinition))
	if said, failed := planError(t, b); failed == nil || !strings.Contains(said, "spec.size is 9, and this platform has at most 4") {
		t.Errorf("a default that the function refuses: %s", said)
	}
}

// TestPredictionFails: what keeps a prediction from being made is said, with what to do, and no plan is made of it.
func TestPredictionFails(t *testing.T) {
	t.Parallel()
	b, group := predicting(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	fill := func(s string) string { return strings.ReplaceAll(s, "GROUP", group) }
	functions := func(change ...string) func(*bench) {
		return func(b *bench) {
			b.file(t, "functions.yaml", strings.NewReplacer(append(change, "ADDRESS", "127.0.0.1:9443")...).Replace(functionsFile))
		}
	}
	composition := func(change ...string) func(*bench) {
		return func(b *bench) {
			b.file(t, "compositions.yaml", fill(strings.NewReplacer(change...).Replace(compositions)))
		}
	}
	variables := b.Job.Variables
	kept := map[string]string{}
	for _, name := range []string{"functions.yaml", "compositions.yaml"} {
		content, err := os.ReadFile(filepath.Join(b.Job.ManagerDir, "app", name))
		if err != nil {
			t.Fatal(err)
		}
		kept[name] = string(content)
	}
	for name, c := range map[string]struct {
		change func(*bench)
		want   string
		usage  bool
	}{
		"docker":              {functions("Development", "Docker"), "app/functions.yaml:1:1: what Crossplane composes", true},
		"docker by default":   {functions("render.crossplane.io/runtime: Development, ", ""), "would run in Docker, which a plan does not start", true},
		"another machine":     {functions("ADDRESS", "dns:///functions.example.org:9443"), "which is no address of this machine", true},
		"no port":             {functions("ADDRESS", "127.0.0.1"), "which is no address of this machine", true},
		"not there":           {functions("ADDRESS", closed), "does not listen at " + closed, true},
		"another function":    {functions("name: function-test", "name: other"), `app/compositions.yaml:1: what Crossplane composes for acme/staging cannot be predicted: the Composition network needs the function "function-test"`, true},
		"no pipeline":         {composition("mode: Pipeline", "mode: Resources"), "is no pipeline of functions", true},
		"two compositions":    {composition("kind: XSubnet}\n  mode", "kind: XNetwork}\n  mode"), "2 of the compositions are for it, such as network and subnet", false},
		"a Composition twice": {composition("name: subnet}", "name: network}"), "the Composition network is there twice", true},
		"no Composition":      {composition("kind: Composition", "kind: Other"), "the document is no Composition", true},
		"no file":             {func(b *bench) { b.Job.Customer.Manager.Tool.Kubernetes.Render.Functions = "none.yaml" }, "app/none.yaml: what Crossplane composes for acme/staging cannot be predicted: it cannot be read", true},
		"another version":     {func(b *bench) { b.Job.Customer.Manager.Tool.Kubernetes.Render.Version = "< 2" }, `crossplane "< 2" is needed; `, true},
		"no CLI": {func(b *bench) {
			o := b.Engine.(*Engine).options
			o.Environ = append(o.Environ, "PATH=/nowhere")
			b.Engine = New(o)
		}, "crossplane \">= 2.1, < 3\" is needed, and there is none", true},
		"a value": {func(b *bench) {
			b.Job.Variables = terraformtest.ParseDocument(t, "name: demo\nmax_instances: 5\nenvironments:\n  staging: {}\n")
		}, "spec.size is 5, and this platform has at most 4 (infra/variables.yml:2:1)\n→ change `max_instances` in infra/variables.yml", false},
	} {
		one := b
		for file, content := range kept {
			one.file(t, file, content)
		}
		one.Job.Variables = variables
		c.change(&one)
		said, failed := planError(t, one)
		if !strings.Contains(said, c.want) || (failed == nil) != c.usage {
			t.Errorf("%s: it says %q", name, said)
		}
		var usage *pipeline.UsageError
		if _, err := one.Engine.Plan(t.Context(), one.Job); errors.As(err, &usage) != c.usage || c.usage && usage.Next == "" {
			t.Errorf("%s: it does not say what to do: %v", name, err)
		}
	}
	// A scan for drift asks no function.
	functions("ADDRESS", closed)(&b)
	if _, err := b.Engine.(*Engine).NewFleet("").Plan(t.Context(), b.Job); err != nil {
		t.Errorf("a scan: %v", err)
	}
}

// TestPredictionEnds: a function that never answers ends with the time of the plan.
func TestPredictionEnds(t *testing.T) {
	t.Parallel()
	b, _ := predicting(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	b.file(t, "functions.yaml", strings.ReplaceAll(functionsFile, "ADDRESS", listener.Addr().String()))
	b.Job.Customer.Manager.Limits.PlanTimeout = 6 * time.Second
	if said, _ := planError(t, b); !strings.Contains(said, "the plan took longer than its limit of 6s") {
		t.Errorf("it says %s", said)
	}
}
