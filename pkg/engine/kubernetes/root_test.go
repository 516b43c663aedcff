package kubernetes

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestCheckRoot: what no target could be planned with is found with its line before that.
func TestCheckRoot(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata:\n"
	for name, test := range map[string]struct {
		manifest, want string
		line           int
	}{
		"nothing":                    {head + "  a: \"{{ config.a | default 3 }} {{ network.id }} {{ metapipe.source_repo }} {{ stack }}\"\n  b: '{{ \"{{\" }}'\n", "", 0},
		"another word":               {head + "  a: \"{{ conf.size }}\"\n", "names conf, which is no stack that this one needs", 5},
		"a stack that is not needed": {head + "  a: \"{{ other.id }}\"\n", "list other in needs", 5},
		"no value of metapipe":       {head + "  a: \"{{ metapipe.foo }}\"\n", "{{ metapipe.foo }} is no placeholder", 5},
		"a default without value":    {head + "  a: \"{{ config.a | default }}\"\n", "`{{ config.KEY | default VALUE }}`", 5},
		"another filter":             {head + "  a: \"{{ config.a | upper }}\"\n", "the only filter is default", 5},
		"no quotes":                  {head + "  a: {{ config.a }}\n", "write the placeholder in quotes", 5},
		"no kind":                    {"apiVersion: v1\nmetadata: {name: x}\n", "has no kind", 1},
		"no name":                    {"apiVersion: v1\nkind: Secret\nmetadata: {}\n", "has no metadata.name", 1},
		"a list":                     {"apiVersion: v1\nkind: List\nmetadata: {name: x}\nitems: []\n", "is a list of objects", 1},
		"twice":                      {head + "  a: b\n---\n" + head + "  a: c\n", "ConfigMap x is there twice, first at app/manifests/x.yaml:1", 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			terraformtest.WriteFile(t, filepath.Join(dir, "metapipe.yml"), "stacks: [{name: network, root: net}, {name: other, root: other}, {name: app, root: app, needs: [network]}]\n")
			terraformtest.WriteFile(t, filepath.Join(dir, "app", "manifests", "x.yaml"), test.manifest)
			problems, _ := (&Engine{}).CheckRoot(dir, "app", toolName)
			switch {
			case test.want == "" && len(problems) > 0:
				t.Errorf("it finds %+v", problems)
			case test.want != "" && (len(problems) != 1 || problems[0].Position.Line != test.line || !strings.Contains(problems[0].Message+problems[0].Remedy, test.want)):
				t.Errorf("it finds %+v, and not %q in line %d", problems, test.want, test.line)
			}
		})
	}
}

// TestCheckRender: validate finds what keeps composed resources from being predicted, with file and line.
func TestCheckRender(t *testing.T) {
	t.Parallel()
	const good = "render.crossplane.io/runtime: Development, render.crossplane.io/runtime-development-target: \"127.0.0.1:9443\""
	for name, test := range map[string]struct {
		annotations, compositions, want string
		at                              string
	}{
		"nothing":     {good, compositions, "", ""},
		"docker":      {"x: y", compositions, "would run in Docker", "app/functions.yaml:1:1"},
		"elsewhere":   {strings.Replace(good, "127.0.0.1", "10.0.0.1", 1), compositions, "is no address of this machine", "app/functions.yaml:1:1"},
		"no function": {good, strings.Replace(compositions, "{name: function-test}", "{name: other}", 1), `needs the function "other"`, "app/compositions.yaml:1"},
		"credentials": {good, strings.Replace(compositions, "      functionRef", "      credentials: [{name: x, source: Secret}]\n      functionRef", 1), "credentials of the cluster", "app/compositions.yaml:1"},
		"no YAML":     {good, "a: [", "it is no YAML", "app/compositions.yaml:1"},
		"empty":       {good, "", "the file holds no object", "app/compositions.yaml:1"},
	} {
		dir := t.TempDir()
		for file, content := range map[string]string{
			"metapipe.yml":         "stacks:\n  - {name: app, root: app, tool: crossplane, kubernetes: {namespace: x, render: {compositions: [compositions.yaml], functions: functions.yaml}}}\n",
			"app/manifests/x.yaml": configMaps("x"), "app/compositions.yaml": strings.ReplaceAll(test.compositions, "GROUP", "example.org"),
			"app/functions.yaml": "apiVersion: pkg.crossplane.io/v1\nkind: Function\nmetadata: {name: function-test, annotations: {" + test.annotations + "}}\nspec: {package: x}\n",
		} {
			terraformtest.WriteFile(t, filepath.Join(dir, filepath.FromSlash(file)), content)
		}
		problems, _ := (&Engine{}).CheckRoot(dir, "app", crossplaneName)
		if len(problems) > 1 || len(problems) == 0 != (test.want == "") || len(problems) == 1 && (!strings.Contains(problems[0].Message, test.want) || problems[0].Position.String() != test.at) {
			t.Errorf("%s: it finds %+v", name, problems)
		}
	}
}

// TestCheckPlace: validate finds what no target of the stack may have, and says nothing of what a
// target might have.
func TestCheckPlace(t *testing.T) {
	t.Parallel()
	object := func(kind, metadata string) string {
		return "apiVersion: " + kind[:strings.LastIndex(kind, "/")] + "\nkind: " + kind[strings.LastIndex(kind, "/")+1:] + "\nmetadata:\n  " + metadata + "\n"
	}
	const crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: zones.example.org}\nspec:\n  group: example.org\n  names: {kind: Zone, plural: zones}\n"
	xrd := func(version string) string {
		return "apiVersion: apiextensions.crossplane.io/" + version + "\nkind: CompositeResourceDefinition\nmetadata: {name: zones.example.org}\nspec:\n  group: example.org\n  names: {kind: Zone, plural: zones}\n  claimNames: {kind: ZoneClaim, plural: zoneclaims}\n"
	}
	const listed = "list it in kubernetes.namespaces of the stack in metapipe.yml"
	for name, test := range map[string]struct {
		manifest, want string
		line           int
	}{
		"none":                                 {object("v1/ConfigMap", "name: x"), "", 0},
		"of a target":                          {object("v1/ConfigMap", "name: x\n  namespace: shop-staging"), "", 0},
		"with a placeholder":                   {object("v1/ConfigMap", "name: x\n  namespace: \"{{ customer }}\""), "", 0},
		"listed":                               {object("v1/ConfigMap", "name: x\n  namespace: monitoring"), "", 0},
		"as an alias":                          {object("v1/ConfigMap", "name: &place monitoring\n  namespace: *place"), "", 0},
		"a foreign one as an alias":            {object("v1/ConfigMap", "name: &monitoring kube\n  namespace: *monitoring"), "ConfigMap kube/kube lies in a namespace", 5},
		"below a prefix":                       {object("v1/ConfigMap", "name: x\n  namespace: opsall"), "", 0},
		"foreign":                              {object("v1/ConfigMap", "name: x\n  namespace: kube"), "ConfigMap kube/x lies in a namespace that the stack app may not use → write another namespace, or " + listed, 5},
		"inside of a word":                     {object("v1/ConfigMap", "name: x\n  namespace: xops"), listed, 5},
		"no customer":                          {object("v1/ConfigMap", "name: x\n  namespace: \"-live\""), listed, 5},
		"a namespace":                          {object("v1/Namespace", "name: shop-live"), "", 0},
		"a foreign namespace":                  {object("v1/Namespace", "name: kube"), "Namespace kube is a namespace that the stack app may not use", 4},
		"a kind that is listed":                {object("rbac.authorization.k8s.io/v1/ClusterRole", "name: x"), "", 0},
		"a kind that is not":                   {object("rbac.authorization.k8s.io/v1/ClusterRoleBinding", "name: x"), "list ClusterRoleBinding.rbac.authorization.k8s.io in kubernetes.cluster_kinds of the stack", 1},
		"which names a namespace":              {object("v1/PersistentVolume", "name: x\n  namespace: monitoring"), "lies in no namespace", 1},
		"another group":                        {object("example.org/v1/Node", "name: x"), "", 0},
		"a kind of Crossplane":                 {object("apiextensions.crossplane.io/v1/Composition", "name: x"), "list Composition.apiextensions.crossplane.io in kubernetes.cluster_kinds of the stack", 1},
		"a kind that the manifests define":     {object("example.org/v1/Zone", "name: x") + "---\n" + crd + "  scope: Cluster\n", "list Zone.example.org in kubernetes.cluster_kinds of the stack", 1},
		"one with namespaces":                  {object("example.org/v1/Zone", "name: x") + "---\n" + crd + "  scope: Namespaced\n", "", 0},
		"one of a scope that is filled in":     {object("example.org/v1/Zone", "name: x") + "---\n" + crd + "  scope: \"{{ stack }}\"\n", "", 0},
		"a composite resource of Crossplane 1": {object("example.org/v1/Zone", "name: x") + "---\n" + xrd("v1"), "Zone.example.org x lies in no namespace", 1},
		"its claim":                            {object("example.org/v1/ZoneClaim", "name: x") + "---\n" + xrd("v1"), "", 0},
		"a composite resource of Crossplane 2": {object("example.org/v1/Zone", "name: x") + "---\n" + xrd("v2"), "", 0},
		"a kind that the stack predicts with":  {object("example.org/v1/Region", "name: x"), "list Region.example.org in kubernetes.cluster_kinds of the stack", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			terraformtest.WriteFile(t, filepath.Join(dir, "metapipe.yml"), "stacks: [{name: other, root: other, kubernetes: {namespace: other}}, {name: app, root: ./app, kubernetes: "+
				"{namespace: \"{{ customer }}-{{ environment }}\", namespaces: [monitoring, \"ops*\"], cluster_kinds: [ClusterRole.rbac.authorization.k8s.io, CustomResourceDefinition.apiextensions.k8s.io, CompositeResourceDefinition.apiextensions.crossplane.io], render: {definitions: [regions.yaml]}}}]\n")
			terraformtest.WriteFile(t, filepath.Join(dir, "app", "regions.yaml"), strings.NewReplacer("Zone", "Region", "zone", "region").Replace(crd)+"  scope: Cluster\n")
			terraformtest.WriteFile(t, filepath.Join(dir, "app", "manifests", "x.yaml"), test.manifest)
			problems, _ := (&Engine{}).CheckRoot(dir, "app", toolName)
			switch {
			case test.want == "" && len(problems) > 0:
				t.Errorf("it finds %+v", problems)
			case test.want != "" && (len(problems) != 1 || problems[0].Position.Line != test.line || problems[0].Rule != rulePlace):
				t.Errorf("it finds %+v, and not one problem in line %d", problems, test.line)
			case test.want != "" && !strings.Contains(problems[0].Message+" → "+problems[0].Remedy, test.want):
				t.Errorf("it says %+v, and not %q", problems[0], test.want)
			}
		})
	}
}

// TestClusterKinds holds the kinds that validate knows against those of the API server.
func TestClusterKinds(t *testing.T) {
	t.Parallel()
	b := newBench(t, toolName, configMaps("x"))
	groups := map[string]string{"/api/v1": ""}
	all, _ := b.Do(t, http.MethodGet, "/apis", "")["groups"].([]any)
	for _, group := range all {
		if name := textAt(group, "name"); isOfKubernetes(name) {
			groups["/apis/"+textAt(group, "preferredVersion", "groupVersion")] = name
		}
	}
	found := 0
	for path, group := range groups {
		resources, _ := b.Do(t, http.MethodGet, path, "")["resources"].([]any)
		for _, resource := range resources {
			verbs, _ := at(resource, "verbs").([]any)
			if strings.Contains(textAt(resource, "name"), "/") || !slices.Contains(verbs, any("patch")) || textAt(resource, "kind") == "Namespace" {
				continue // a part of an object, a review that is only created, or what has a rule of its own
			}
			kind := ref{APIVersion: group + "/v1", Kind: textAt(resource, "kind")}.kind()
			if group == "" {
				kind = textAt(resource, "kind")
			}
			namespaced, known := at(resource, "namespaced").(bool)
			if found++; !known || namespaced == isClusterKind(kind) {
				t.Errorf("%s: namespaced is %v, and isClusterKind says %v", kind, namespaced, isClusterKind(kind))
			}
		}
	}
	if found < 50 {
		t.Errorf("the API server lists %d kinds only", found)
	}
}

// isOfKubernetes reports a group that no definition of another test has made.
func isOfKubernetes(group string) bool {
	return strings.HasSuffix(group, ".k8s.io") || slices.Contains([]string{"apps", "autoscaling", "batch", "policy"}, group)
}
