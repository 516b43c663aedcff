package statefile

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
)

func TestStateSecrets(t *testing.T) {
	t.Parallel()
	in := `{"version":4,"outputs":{"o":{"value":"output-secret","sensitive":true},"p":{"value":"public"}},"resources":[
 {"module":"module.m","mode":"managed","type":"a","name":"b","instances":[
  {"index_key":"k","attributes":{"marked":"by-the-plan","list":["x","in-a-list"],"plain":"plainly"},
   "sensitive_attributes":[[{"type":"get_attr","value":"list"},{"type":"index","value":{"value":1,"type":"number"}}]]}]},
 {"mode":"data","type":"a","name":"b","instances":[{"attributes":{"deep":{"x":"all-of-it"}},"sensitive_attributes":[[{"type":"get_attr","value":"deep"},{"type":"index","value":7}]]}]}]}`
	set := redact.Secrets{}
	r := stateReader{Reader: jsonvalue.NewReader(strings.NewReader(in)), secrets: set, marks: map[string]any{`module.m.a.b["k"]`: map[string]any{"marked": true}}}
	if err := r.Object(r.section); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"output-secret", "by-the-plan", "in-a-list", "all-of-it"} {
		if _, ok := set[want]; !ok {
			t.Errorf("%q is not known", want)
		}
	}
	if len(set) != 4 {
		t.Errorf("known: %v", set)
	}
}

// TestStateSecretsInAnyLetterCase: the tools take names of members in any letter case.
func TestStateSecretsInAnyLetterCase(t *testing.T) {
	t.Parallel()
	set := redact.Secrets{}
	in := `{"Outputs":{"o":{"Value":"output-secret","SENSITIVE":true}},"RESOURCES":[{"Mode":"managed","Type":"a","Name":"b","Instances":[{"Attributes":{"x":"of-a-resource"},"Sensitive_Attributes":[[{"value":"x"}]]}]}]}`
	if err := AddSecrets(strings.NewReader(in), set, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"output-secret", "of-a-resource"} {
		if _, ok := set[want]; !ok {
			t.Errorf("%q is not known", want)
		}
	}
}

func FuzzStateSecrets(f *testing.F) {
	f.Add([]byte(`{"outputs":{"o":{"value":"secret","sensitive":true}},"resources":[{"mode":"data","instances":[{"index_key":0,"attributes":{"a":["b"]},"sensitive_attributes":[[{"value":"a"},{"value":{"value":0}}]]}]}]}`))
	f.Fuzz(func(_ *testing.T, in []byte) {
		r := stateReader{Reader: jsonvalue.NewReader(strings.NewReader(string(in))), secrets: redact.Secrets{}}
		if err := r.Object(r.section); err != nil {
			return
		}
		redact.NewFilter(r.secrets)
	})
}
