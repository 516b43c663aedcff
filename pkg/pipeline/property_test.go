package pipeline_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestPropertyForms: each JSON form of a value, and no form is taken for another one.
func TestPropertyForms(t *testing.T) {
	t.Parallel()
	long, many := `"`+strings.Repeat("x", 1025)+`"`, `["a"`+strings.Repeat(`,"a"`, 200)+`]`
	other := pipeline.Property{Form: pipeline.PropertyOther}
	for raw, want := range map[string]pipeline.Property{
		`null`:                       {},
		`"x"`:                        {Form: pipeline.PropertyText, Text: "x"},
		`""`:                         {Form: pipeline.PropertyText},
		`"false"`:                    {Form: pipeline.PropertyText, Text: "false"},
		`[]`:                         {Form: pipeline.PropertyList, List: []string{}},
		`["terraform","ansible"]`:    {Form: pipeline.PropertyList, List: []string{"terraform", "ansible"}},
		`[ "terraform" , "ansible"]`: {Form: pipeline.PropertyList, List: []string{"terraform", "ansible"}},
		`[null]`:                     other,
		`["a",null]`:                 other,
		`["a",1]`:                    other,
		`[["a"]]`:                    other,
		`true`:                       other,
		`false`:                      other,
		`0`:                          other,
		`{}`:                         other,
		`{"value":"x"}`:              other,
		long:                         other,
		many:                         other,
	} {
		properties, err := pipeline.ParseProperties(json.RawMessage(`{"p":` + raw + `}`))
		if err != nil || !properties.Known() {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if diff := cmp.Diff(want, properties.Get("P")); diff != "" {
			t.Errorf("%.40s: %s", raw, diff)
		}
	}
}

// TestPropertiesUnknown: what is no object, or names a property twice, is unknown and not
// empty; an answer without the key has none.
func TestPropertiesUnknown(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{`null`, `[]`, `"none"`, `7`, `{`, `{"a":"x","a":"y"}`, `{"a":"x","A":"y"}`, `{"A":null,"a":["x"]}`} {
		properties, err := pipeline.ParseProperties(json.RawMessage(raw))
		if !errors.Is(err, pipeline.ErrUnknownProperties) || properties.Known() {
			t.Errorf("%s: %+v, %v", raw, properties, err)
		}
	}
	for _, raw := range []string{``, `{}`} {
		properties, err := pipeline.ParseProperties(json.RawMessage(raw))
		if err != nil || !properties.Known() || properties.Get("a").Form != pipeline.PropertyUnset {
			t.Errorf("%q: %+v, %v", raw, properties, err)
		}
	}
	if (pipeline.Properties{}).Known() {
		t.Error("properties that were never read are known")
	}
}

// FuzzProperties: any bytes are properties with names that differ, or unknown.
func FuzzProperties(f *testing.F) {
	for _, seed := range []string{``, `null`, `{}`, `{"a":["b"],"c":null}`, `{"a":{"b":[{"c":1}]}}`, `{"a":"x","A":"y"}`, `[1]`, `{"a":[null]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		properties, err := pipeline.ParseProperties(raw)
		if properties.Known() == (err != nil) {
			t.Errorf("known %v, %v", properties.Known(), err)
		}
		if p := properties.Get("a"); p.Form != pipeline.PropertyText && p.Text != "" || p.Form != pipeline.PropertyList && p.List != nil {
			t.Errorf("%+v", p)
		}
	})
}
