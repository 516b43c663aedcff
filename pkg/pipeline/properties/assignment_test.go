package properties_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

var definitions = []pipeline.PropertyDefinition{
	{Name: "tools", Type: pipeline.PropertyMultiSelect, Allowed: []string{"terraform", "network", "a,b", "it's"}},
	{Name: "tier", Type: pipeline.PropertySingleSelect, Allowed: []string{"free", "paid"}},
	{Name: "approval", Type: pipeline.PropertyTrueFalse},
	{Name: "runbook", Type: pipeline.PropertyURL},
	{Name: "team", Type: pipeline.PropertyString},
	{Name: "class", Type: pipeline.PropertyString, Required: true, Default: pipeline.Property{Form: pipeline.PropertyText, Text: "b"}},
	{Name: "later", Type: "number"},
}

// TestAssignments: what is typed becomes the value of the type of the property, or an error.
func TestAssignments(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"tools=terraform,network": `["terraform","network"]`, "tools=": `[]`, `tools=["a,b","it's"]`: `["a,b","it's"]`, "tools=it's": `["it's"]`, "tools=[]": `[]`,
		"TIER=paid": `"paid"`, "approval=false": `"false"`, "runbook=https://x/?a=b": `"https://x/?a=b"`, "team=null": `"null"`, "team= a = b ": `" a = b "`, "team=[x]": `"[x]"`,
		"tools=a,b": "", "tools=,": "", "tools=[1]": "", "tools=[null]": "", `tools={"a":1}`: "", "tools=terraform,terraform": "", "tools=[": "",
		"tier=": "", "tier=gold": "", "tier=Paid": "", "approval=yes": "", "runbook=x": "", "runbook=ftp://x": "", "team=": "", `team=a"b`: "", "team=a\nb": "", "team=ü": "",
		"later=1": "", "team": "", "=x": "", "te am=x": "", strings.Repeat("x", 76) + "=x": "", "nothing=x": "",
	} {
		a, err := properties.ParseAssignment(typed)
		var value pipeline.Property
		if err == nil {
			d, found := pipeline.DefinitionNamed(definitions, a.Name)
			if !found && want != "" {
				t.Errorf("%s is not found", a.Name)
			}
			value, err = a.Value(d)
		}
		got, _ := json.Marshal(value)
		if (err != nil) != (want == "") || err == nil && string(got) != want {
			t.Errorf("%q: %s, %v, want %s", typed, got, err, want)
		}
	}
	for name, good := range map[string]bool{"team": true, "class": false} {
		d, _ := pipeline.DefinitionNamed(definitions, name)
		if value, err := (properties.Assignment{Name: name, Unset: true}).Value(d); (err == nil) != good || value.Form != pipeline.PropertyUnset {
			t.Errorf("unset %s: %+v, %v", name, value, err)
		}
	}
}

// FuzzParseAssignment: an accepted value is one that the definition allows, and is read back as it
// is written.
func FuzzParseAssignment(f *testing.F) {
	for _, typed := range []string{"tools=terraform,network", `tools=["a,b"]`, "tier=paid", "approval=true", "runbook=https://x", "team=x=y", "class=", "later=x"} {
		f.Add(typed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		a, err := properties.ParseAssignment(typed)
		if err != nil {
			return
		}
		for _, d := range definitions {
			value, err := a.Value(d)
			if err != nil {
				continue
			}
			raw, err := json.Marshal(value)
			var again pipeline.Property
			if err != nil || json.Unmarshal(raw, &again) != nil || again.Form != value.Form || d.Check(again) != nil || value.Form == pipeline.PropertyOther {
				t.Errorf("%q is %s for %s", typed, raw, d.Name)
			}
		}
	})
}
