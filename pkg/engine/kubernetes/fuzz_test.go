package kubernetes

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/redact"
)

// FuzzAnswer: what kubectl prints, and what stands in an inventory, is read into objects that
// have a kind and a name, or is an error.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}]}`, `{"kind":"List","apiVersion":"v1","items":[1]}`,
		`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"eA=="}}`, `{"version":1,"target":"a","serial":1,"objects":[{"apiVersion":"v1","kind":"ConfigMap","name":"x"}]}`,
		"Error from server (NotFound): x\nerror: y\nPlease review the fields above\n* a\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := parseObjects([]byte(text))
		for _, o := range objects {
			if r := refOf(o); err != nil || r.Kind == "" || r.Name == "" {
				t.Fatalf("%q: read as %v: %v", text, o, err)
			}
			isReady(o, true)
			composedOf(o)
			digest(o)
			(output{path: text}).value(o)
		}
		if i, err := parseInventory(text); err == nil {
			for _, e := range i.Objects {
				if !namePattern().MatchString(e.Name) || strings.ContainsAny(e.APIVersion+e.Kind, " \n\"") {
					t.Fatalf("%q: lists %v", text, e)
				}
			}
		}
		for _, line := range said(text) {
			if line == "" {
				t.Fatalf("%q: an empty error", text)
			}
		}
	})
}

// FuzzFill: whatever a value is, the manifest stays the document that the manager wrote.
func FuzzFill(f *testing.F) {
	for _, value := range hostile {
		f.Add(value)
	}
	documents, err := decode("x.yaml", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {whole: \"{{ config.v }}\", inside: \"<{{ config.v }}|{{ customer }}>\"}\n"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		v := &values{own: map[string]string{"customer": "acme"}, config: map[string]any{"v": value}}
		o, err := v.object("x.yaml", documents[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(o.manifest) != 4 || textAt(o.manifest, "data", "whole") != value || textAt(o.manifest, "data", "inside") != "<"+value+"|acme>" {
			raw, _ := json.Marshal(o.manifest)
			t.Fatalf("%q became %s", value, raw)
		}
	})
}

// FuzzRendered: what crossplane render prints is read into objects that the server could know, with names that hide
// nothing, or is an error.
func FuzzRendered(f *testing.F) {
	of := ref{APIVersion: "example.org/v1", Kind: "XNetwork", Namespace: "acme", Name: "main"}
	const self = "---\napiVersion: example.org/v1\nkind: XNetwork\nmetadata: {name: main, namespace: acme}\n"
	annotated := "metadata: {annotations: {crossplane.io/composition-resource-name: a}, "
	for _, seed := range append([]string{"", self, self + "---\napiVersion: v1\nkind: ConfigMap\n" + annotated + "generateName: main-}\n", self + "---\napiVersion: v1\nkind: ConfigMap\n" + annotated + "name: x}\n",
		self + "---\napiVersion: render.crossplane.io/v1beta1\nkind: Result\nseverity: SEVERITY_WARNING\nstep: a\nmessage: \"\\e[31mred\"\n"}, hostileRenders(self)...) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, err := parseRendered([]byte(text), of)
		if err != nil {
			return
		}
		for _, o := range out.composed {
			if name := o.String(); !isKind(o.ref) || !namePattern().MatchString(o.Name) || redact.Clean(name) != name || redact.Clean(o.resource) != o.resource || strings.ContainsAny(name, "\n<`") {
				t.Fatalf("%q: composed of %+v", text, o)
			}
		}
		for _, warning := range out.warnings {
			if redact.Clean(warning) != warning {
				t.Fatalf("%q: warns %q", text, warning)
			}
		}
	})
}

// hostileRenders are outputs behind that of a composite resource that are refused.
func hostileRenders(self string) []string {
	const head = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {annotations: {crossplane.io/composition-resource-name: a}, name: x}\n"
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [", i, i) + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", ") + "]\n"
	}
	return []string{
		self + head + bomb,
		self + head + "loop: &loop [*loop]\n",
		self + head + "deep: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n",
		self + head + "x: 1\nx: 2\n",
		self + head + "x: !!binary aGk=\n",
		self + head + "<<: {x: 1}\n",
		self + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: foreign}\n",
		self + strings.Replace(head, "name: x", "name: \"x\\n# heading\"", 1),
		self + strings.Replace(head, "ConfigMap", "\"C\\e[31m\"", 1),
		self + strings.Replace(head, "name: x", "name: x, namespace: ../y", 1),
		self + strings.Replace(head, "v1", "\"v1\\u202e\"", 1),
		self + strings.Replace(head, "name: x}", "generateName: ---}", 1),
		self + "---\n- a list\n",
		self + "---\nkind: [",
		strings.Replace(self, "main", "other", 1),
		head,
	}
}

func TestHostileRenders(t *testing.T) {
	t.Parallel()
	of := ref{APIVersion: "example.org/v1", Kind: "XNetwork", Namespace: "acme", Name: "main"}
	const self = "---\napiVersion: example.org/v1\nkind: XNetwork\nmetadata: {name: main, namespace: acme}\n"
	if out, err := parseRendered([]byte(self), of); err != nil || len(out.composed) > 0 {
		t.Fatalf("what is composed of nothing: %+v: %v", out, err)
	}
	for _, text := range append(hostileRenders(self), "", self+strings.Repeat("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {annotations: {crossplane.io/composition-resource-name: a}, name: x}\n", maxDocuments), self+strings.Repeat("# x\n", maxManifest/4)) {
		if out, err := parseRendered([]byte(text), of); err == nil {
			t.Errorf("%.200q is read as %+v", text, out)
		}
	}
}
