package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/metapipe/metapipe/pkg/pipeline/drift"
)

const DriftSchemaFile = "pkg/report/schema/drift.schema.json"

var driftSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	f, err := os.Open(filepath.Join(RepoRoot, filepath.FromSlash(DriftSchemaFile)))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("drift.schema.json", text); err != nil {
		return nil, err
	}
	return c.Compile("drift.schema.json")
})

// WantDriftSchema holds what drift --json printed against the schema.
func WantDriftSchema(t testing.TB, raw []byte) {
	t.Helper()
	schema, err := driftSchema()
	Check(t, err)
	var value any
	Check(t, json.Unmarshal(raw, &value))
	if err := schema.Validate(value); err != nil {
		t.Errorf("drift --json is not what %s says: %v\n%s", DriftSchemaFile, err, raw)
	}
}

// TestDriftSchemaKnowsEveryKey compares the keys of the schema with the fields of
// the scan: it can be neither behind nor ahead.
func TestDriftSchemaKnowsEveryKey(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	Check(t, json.Unmarshal(Must(os.ReadFile(filepath.Join(RepoRoot, filepath.FromSlash(DriftSchemaFile))))(t), &schema))
	compareKeys(t, "scan", schema, reflect.TypeFor[drift.Scan](), schema["$defs"].(map[string]any))
}

func compareKeys(t *testing.T, where string, schema map[string]any, of reflect.Type, defs map[string]any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch {
	case of.Kind() == reflect.Slice:
		items, ok := schema["items"].(map[string]any)
		if !ok {
			t.Errorf("%s: the schema has no items", where)
			return
		}
		compareKeys(t, where+"[]", items, of.Elem(), defs)
	case of.Kind() == reflect.Struct && schema["format"] != "date-time":
		properties, _ := schema["properties"].(map[string]any)
		known := map[string]bool{}
		for _, field := range reflect.VisibleFields(of) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			known[name] = true
			if property, ok := properties[name].(map[string]any); ok {
				compareKeys(t, where+"."+name, property, field.Type, defs)
			} else {
				t.Errorf("%s: the schema does not know %q", where, name)
			}
		}
		for name := range properties {
			if !known[name] {
				t.Errorf("%s: there is no %q, which the schema has", where, name)
			}
		}
	}
}
