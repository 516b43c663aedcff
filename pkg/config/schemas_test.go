package config

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// TestSchemasAndDecoderKnowTheSameKeys walks both and compares every map.
func TestSchemasAndDecoderKnowTheSameKeys(t *testing.T) {
	t.Parallel()
	d, c, s := &decoder{}, &complianceDecoder{}, &syncDecoder{}
	limits := d.limitFields(&pipeline.Limits{})
	for _, c := range []struct {
		schema string
		path   []string
		known  fields
	}{
		{managerSchema, nil, d.managerFields(&pipeline.Manager{})},
		{managerSchema, []string{"properties", "state"}, d.stateFields(&pipeline.State{})},
		{managerSchema, []string{"properties", "state", "properties", "backend"}, d.backendFields(&pipeline.Backend{})},
		{managerSchema, []string{"properties", "tool"}, d.toolFields(&pipeline.ToolRule{})},
		{managerSchema, []string{"$defs", "environment"}, d.environmentFields(&pipeline.EnvironmentRule{})},
		{managerSchema, []string{"$defs", "stack"}, d.stackFields(&pipeline.StackRule{}, value{}, nil, nil)},
		{managerSchema, []string{"$defs", "limits"}, limits},
		{managerSchema, []string{"properties", "drift"}, d.driftFields(&pipeline.DriftRules{})},
		{managerSchema, []string{"$defs", "ignoreRule"}, d.ignoreFields(&pipeline.IgnoreRule{})},
		{managerSchema, []string{"$defs", "propertyDefinition"}, d.definitionFields(&pipeline.WantedProperty{})},
		{customerSchema, []string{"properties", "drift"}, d.driftFields(&pipeline.DriftRules{})},
		{customerSchema, nil, d.customerFields(&overlay{}, pipeline.Manager{})},
		{customerSchema, []string{"properties", "limits"}, limits},
		{complianceSchema, nil, c.fields(&compliance.Rules{})},
		{complianceSchema, []string{"properties", "severities"}, c.severities(&compliance.Rules{})},
		{complianceSchema, []string{"$defs", "property"}, c.propertyRuleFields(&compliance.PropertyRule{})},
		{complianceSchema, []string{"$defs", "test"}, c.testFields(&compliance.Test{})},
		{complianceSchema, []string{"$defs", "condition"}, c.conditionFields(&compliance.Condition{})},
		{complianceSchema, []string{"$defs", "exception"}, c.exceptionFields(&compliance.Exception{})},
		{syncSchema, nil, s.fields(&sourcesync.Config{})},
		{syncSchema, []string{"$defs", "source"}, s.sourceFields(&sourcesync.SourceConfig{})},
		{syncSchema, []string{"$defs", "field"}, s.fieldFields(&sourcesync.Field{})},
		{syncSchema, []string{"$defs", "rule"}, s.ruleFields(&sourcesync.PropertyRule{})},
	} {
		// JSON is YAML too, and this reader keeps the order of keys.
		root, problems := strictyaml.Parse("schema", []byte(c.schema), strictyaml.Options{Bytes: 1 << 20, Depth: 32, Nodes: 5000})
		if root == nil {
			t.Fatal(problems)
		}
		object := root.At(c.path...)
		if object == nil {
			t.Fatalf("the schema has no %v", c.path)
		}
		if closed := object.Get("additionalProperties"); closed == nil || closed.Text != "false" {
			t.Errorf("%v is open for unknown keys", c.path)
		}
		var keys []string
		for _, e := range object.Get("properties").Entries {
			keys = append(keys, e.Key)
		}
		slices.Sort(keys)
		if diff := cmp.Diff(slices.Sorted(maps.Keys(c.known)), keys); diff != "" {
			t.Errorf("%v: decoder (-) and schema (+) know different keys:\n%s", c.path, diff)
		}
	}
}

// TestSchemasAcceptWhatLoadAccepts validates every good tree with the schemas.
func TestSchemasAcceptWhatLoadAccepts(t *testing.T) {
	t.Parallel()
	manager, customer := compile(t, managerSchema), compile(t, customerSchema)
	trees := []string{"../../examples/manager"}
	for _, archive := range list(t, "testdata/good/*.txtar") {
		trees = append(trees, extract(t, archive))
	}
	for _, dir := range trees {
		validateFile(t, manager, filepath.Join(dir, ManagerFile))
		files, err := filepath.Glob(filepath.Join(dir, CustomersDir, "*.yml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			validateFile(t, customer, file)
		}
	}
}

func compile(t *testing.T, schema string) *strictyaml.Schema {
	t.Helper()
	s, err := strictyaml.Compile("schema", []byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validateFile(t *testing.T, schema *strictyaml.Schema, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	node, problems := parseFile(file, raw, "")
	if node == nil {
		t.Fatal(problems)
	}
	for _, p := range schema.Validate(file, node) {
		t.Error(p)
	}
}
