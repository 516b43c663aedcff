package drift

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
)

// TestDriftSchemaKnowsEveryKey compares the keys of the schema with the fields of
// the scan: it can be neither behind nor ahead.
func TestDriftSchemaKnowsEveryKey(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	fixture.Check(t, json.Unmarshal(fixture.Must(os.ReadFile(filepath.Join(fixture.RepoRoot, filepath.FromSlash(fixture.DriftSchemaFile))))(t), &schema))
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
