package kubernetes

import (
	"encoding/json"
	"strings"
	"testing"
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
