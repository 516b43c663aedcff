package kubernetes

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/kubernetes/kubernetestest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// hostile are values that mean something to YAML, JSON, templates or shells.
var hostile = []string{
	"{{ config.other }}", "{{ customer }}", "{{ \"{{\" }}", "}}{{", "\n---\nkind: Secret\n", "a: b", "- x", "*anchor", "&anchor x", "!!binary eA==", "<<: *x",
	`{"kind":"Secret"}`, `"`, `\`, "'", "$(id)", "`id`", "%{ if true }", "${x}", "yes", "0x1F", "1e3", "null", "~", "{{ .Values.x }}", "\t", "#", "\u2028", "{{", "{% x %}",
}

// TestValuesStayData: what a customer writes reaches the cluster as it is, whatever it looks like.
func TestValuesStayData(t *testing.T) {
	t.Parallel()
	var manifest, variables strings.Builder
	manifest.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values, annotations: \"{{ config.map }}\"}\ndata:\n  literal: 'a {{ \"{{\" }} b'\n")
	values := map[string]any{"other": "must-not-appear", "map": map[string]any{"metapipe.example/x": "{{ customer }}", "note": "x: y"}, "environments": map[string]any{"staging": map[string]any{}}}
	for i, value := range hostile {
		fmt.Fprintf(&manifest, "  whole%d: \"{{ config.v%d }}\"\n  inside%d: \"<{{ config.v%d }}>\"\n", i, i, i, i)
		values[fmt.Sprintf("v%d", i)] = value
	}
	raw, err := json.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	variables.Write(raw)
	b := newBench(t, toolName, manifest.String())
	b.Job.Variables = terraformtest.ParseDocument(t, variables.String())
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if err != nil {
		t.Fatal(err)
	}
	if planned.Plan.Counts != (pipeline.Counts{Create: 1}) {
		t.Errorf("planned %+v", planned.Plan.Counts)
	}
	made := b.Do(t, http.MethodGet, "/api/v1/namespaces/"+b.namespace+"/configmaps/values", "")
	for i, want := range hostile {
		if got := textAt(made, "data", fmt.Sprintf("whole%d", i)); got != want {
			t.Errorf("%q became %q", want, got)
		}
		if got := textAt(made, "data", fmt.Sprintf("inside%d", i)); got != "<"+want+">" {
			t.Errorf("inside of text, %q became %q", want, got)
		}
	}
	if got := textAt(made, "data", "literal"); got != "a {{ b" {
		t.Errorf("the literal is %q", got)
	}
	if got := textAt(made, "metadata", "annotations", "metapipe.example/x"); got != "{{ customer }}" {
		t.Errorf("the value in the map is %q", got)
	}
}

func planError(t *testing.T, b bench) (string, *pipeline.FailedError) {
	t.Helper()
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		t.Fatalf("it plans %+v", planned.Plan)
	}
	if len(planned.Artifacts) > 0 {
		t.Error("a plan that failed has artifacts")
	}
	var failed *pipeline.FailedError
	errors.As(err, &failed)
	return err.Error(), failed
}

// TestForeignPlaces: a manifest cannot reach what belongs to others.
func TestForeignPlaces(t *testing.T) {
	t.Parallel()
	c := kubernetestest.Start(t)
	foreign := c.Namespace(t, "foreign")
	for name, test := range map[string]struct{ manifest, want string }{
		"namespace":            {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: " + foreign + "}\n", "may not use"},
		"system namespace":     {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: kube-system}\n", "may not use"},
		"a namespace":          {"apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-public}\n", "may not use"},
		"kind of the cluster":  {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: metapipe-test-all}\nrules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n", "lies in no namespace"},
		"namespace of a value": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: \"{{ config.name }}\"}\n", "only the manager may say"},
		"name of a value":      {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"x-{{ config.name }}\"}\n", "only the manager may say"},
		"kind of a value":      {"apiVersion: v1\nkind: \"{{ config.name }}\"\nmetadata: {name: x}\n", "only the manager may say"},
		"metadata of a value":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: \"{{ config.meta }}\"\n", "only the manager may say"},
		"object of a value":    {"\"{{ config.meta }}\"\n", "only the manager may say"},
		"key of a value":       {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {\"{{ config.name }}\": x}\n", "keys are plain text"},
		"list":                 {"apiVersion: v1\nkind: List\nmetadata: {name: x}\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: y, namespace: kube-system}}]\n", "list of objects"},
		"owner label":          {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: \"{{ config.labels }}\"}\n", "which metapipe sets"},
		"inventory":            {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: metapipe.acme.staging}\n", "name of the inventory"},
		"twice":                {configMaps("x", "x"), "is there twice"},
		"unknown placeholder":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {x: \"{{ secrets.TOKEN }}\"}\n", "app/manifests/all.yaml:4"},
		"environment variable": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {x: \"{{ env.PATH }}\"}\n", "is no placeholder"},
		"an alias bomb":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, toolName, test.manifest)
			b.Job.Variables = terraformtest.ParseDocument(t, "name: "+foreign+"\nmeta: {name: x, namespace: "+foreign+"}\nlabels: {applyset.kubernetes.io/part-of: other}\nenvironments: {staging: {}}\n")
			if said, _ := planError(t, b); !strings.Contains(said, test.want) {
				t.Errorf("it says %q, not %q", said, test.want)
			}
			if b.state(t) != "" {
				t.Error("it has written something")
			}
		})
	}
}

// TestObjectsOfOthers: what belongs to another target is refused, and what nobody claims is said.
func TestObjectsOfOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("shared"))
	configs := "/api/v1/namespaces/" + b.namespace + "/configmaps"
	b.Do(t, http.MethodPost, configs, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shared"},"data":{"y":"2"}}`)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil || planned.Plan.Counts != (pipeline.Counts{Update: 1}) || len(planned.Plan.Diagnostics) != 1 || !strings.Contains(planned.Plan.Diagnostics[0].Summary, "takes them over") {
		t.Fatalf("planned %+v: %v", planned.Plan, err)
	}
	b.Do(t, http.MethodPatch, configs+"/shared", `{"metadata":{"labels":{"applyset.kubernetes.io/part-of":"applyset-of-another-v1"}}}`)
	if said, _ := planError(t, b); !strings.Contains(said, "belongs to another target") {
		t.Errorf("it says %q", said)
	}
}

// TestForgedInventory: an inventory that lists what is not the target's deletes none of it.
func TestForgedInventory(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("own"))
	foreign := b.Cluster.Namespace(t, "foreign")
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if err != nil {
		t.Fatal(err)
	}
	b.Do(t, http.MethodPost, "/api/v1/namespaces/"+foreign+"/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"theirs"}}`)
	configs := "/api/v1/namespaces/" + b.namespace + "/configmaps"
	b.Do(t, http.MethodPost, configs, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"by-hand"}}`)
	inventory := func(objects string) {
		data, err := json.Marshal(map[string]any{"data": map[string]string{inventoryAt: `{"version":1,"target":"acme/staging","serial":1,"objects":[` + objects + `]}`}})
		if err != nil {
			t.Fatal(err)
		}
		b.Do(t, http.MethodPatch, configs+"/metapipe.acme.staging", string(data))
	}
	inventory(`{"apiVersion":"v1","kind":"ConfigMap","namespace":"` + b.namespace + `","name":"own"},{"apiVersion":"v1","kind":"ConfigMap","namespace":"` + foreign + `","name":"theirs"},
		{"apiVersion":"v1","kind":"ConfigMap","namespace":"` + b.namespace + `","name":"by-hand"},{"apiVersion":"v1","kind":"Namespace","name":"kube-system"},
		{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","name":"cluster-admin"}`)
	for _, destroy := range []bool{false, true} {
		b.Job.Destroy = destroy
		planned, err := b.Engine.Plan(t.Context(), b.Job)
		if want := map[bool]int{true: 1}[destroy]; err != nil || planned.Plan.Counts != (pipeline.Counts{Delete: want}) {
			t.Errorf("destroy %v: planned %+v: %v", destroy, planned.Plan, err)
		}
	}
	b.Job.Destroy = false
	inventory(`{"apiVersion":"v1 --all","kind":"ConfigMap","name":"x"}`)
	planned, err = b.Engine.Plan(t.Context(), b.Job)
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonStateLost {
		t.Errorf("a damaged inventory is %v: %+v", err, planned.Plan)
	}
}

// TestKubeconfig: a kubeconfig runs nothing that the manager does not list, and is never taken on
// trust.
func TestKubeconfig(t *testing.T) {
	t.Parallel()
	c := kubernetestest.Start(t)
	whole := c.Kubeconfig(kubernetestest.AdminToken)
	ran := filepath.Join(t.TempDir(), "ran")
	plugin := "users: [{name: test, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /usr/bin/touch, args: [" + ran + "]}}}]"
	user := "users: [{name: test, user: {token: " + kubernetestest.AdminToken + "}}]"
	for name, test := range map[string]struct{ config, want string }{
		"exec":               {strings.Replace(whole, user, plugin, 1), "runs the program \"/usr/bin/touch\""},
		"auth provider":      {strings.Replace(whole, user, "users: [{name: test, user: {auth-provider: {name: gcp, config: {cmd-path: /usr/bin/touch}}}}]", 1), "has \"auth-provider\" in its user"},
		"no verification":    {strings.Replace(whole, "certificate-authority-data: ", "insecure-skip-tls-verify: true, x: ", 1), "which metapipe does not pass on"},
		"plain http":         {strings.Replace(whole, "https://", "http://", 1), "not reached by https"},
		"a relative file":    {strings.Replace(whole, user, "users: [{name: test, user: {tokenFile: token}}]", 1), "relative to"},
		"a relative path":    {"kubeconfig.yaml", "neither the content of one nor an absolute path"},
		"base64":             {base64.StdEncoding.EncodeToString([]byte(whole)), "is base64"},
		"no such file":       {"/nonexistent/kubeconfig", "cannot be read"},
		"no YAML":            {"{" + kubernetestest.AdminToken, "is no kubeconfig"},
		"another context":    {strings.Replace(whole, "current-context: test", "current-context: other", 1), "has no context \"other\""},
		"nothing":            {"", "is not set"},
		"unknown user field": {strings.Replace(whole, "user: {token:", "user: {tokenCommand: x, token:", 1), "tokenCommand"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, toolName, demoManifest)
			b.Engine = New(Options{Environ: []string{kubeconfigVariable + "=" + test.config}, BinaryPath: b.Engine.(*Engine).options.BinaryPath})
			_, err := b.Engine.Plan(t.Context(), b.Job)
			var usage *pipeline.UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), kubernetestest.AdminToken) {
				t.Errorf("it says %v, not %q", err, test.want)
			}
			if commands, _ := b.Calls(t); len(commands) > 0 && commands[0] != "" {
				t.Errorf("it ran %q", commands)
			}
		})
	}
	t.Run("an exec that is listed", func(t *testing.T) {
		t.Parallel()
		program := filepath.Join(t.TempDir(), "credentials")
		writeProgram(t, program, "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\""+kubernetestest.AdminToken+"\"}}'\n")
		b := newBench(t, toolName, demoManifest)
		config := strings.Replace(whole, user, "users: [{name: test, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: "+program+", interactiveMode: Never}}}]", 1)
		b.Engine = New(Options{Environ: []string{kubeconfigVariable + "=" + config, "PATH=/usr/bin:/bin"}, BinaryPath: b.Engine.(*Engine).options.BinaryPath})
		b.Job.Customer.Manager.Tool.Kubernetes.Exec = []string{program}
		if planned, err := b.Engine.Plan(t.Context(), b.Job); err != nil || planned.Plan.Counts.Create != 2 {
			t.Errorf("planned %+v: %v", planned.Plan.Counts, err)
		}
	})
}

// TestSecretsOfDiff: a Secret that changes shows that it does, and nothing of what it holds.
func TestSecretsOfDiff(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, secretManifest)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer("open-sesame-1", "new-secret-8", "b3Blbi1zZXNhbWUtMg==", "bmV3LXNlY3JldC05").Replace(secretManifest)
	changed += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: copy}\ndata: {url: \"https://user:new-secret-8@db/\", encoded: bmV3LXNlY3JldC05}\n"
	terraformtest.WriteFile(t, filepath.Join(b.Job.ManagerDir, "app", "manifests", "all.yaml"), changed)
	planned, err = b.Engine.Plan(t.Context(), b.Job)
	if err != nil || planned.Plan.Counts != (pipeline.Counts{Create: 1, Update: 1}) {
		t.Fatalf("planned %+v: %v", planned.Plan, err)
	}
	raw, err := json.Marshal(planned.Plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"open-sesame", "b3Blbi1zZXNhbWU", "new-secret", "bmV3LXNlY3JldC"} {
		if strings.Contains(string(raw)+b.Job.Log.(*terraformtest.LogBuffer).String(), secret) {
			t.Errorf("%s shows in %s\n%s", secret, raw, b.Job.Log)
		}
	}
	if !strings.Contains(string(raw), `"path":"data.password"`) {
		t.Errorf("it does not say what changes: %s", raw)
	}
}

func writeProgram(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
}
