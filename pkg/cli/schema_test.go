package cli

import (
	"bytes"
	"encoding"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

var update = flag.Bool("update", false, "write the schemas of --json anew")

// outputs are the types that the commands print with --json, by the names of their
// schemas. drift has a schema of its own in pkg/render.
var outputs = map[string]reflect.Type{
	"bootstrap-state":   reflect.TypeFor[bootstrapResult](),
	"compliance":        reflect.TypeFor[compliance.Report](),
	"customer-rename":   reflect.TypeFor[registry.RenameResult](),
	"doctor":            reflect.TypeFor[doctor.Report](),
	"drift-list":        reflect.TypeFor[scans.Listing](),
	"ledger":            reflect.TypeFor[[]ledger.AuditReport](),
	"offboard":          reflect.TypeFor[change.Report](),
	"onboard":           reflect.TypeFor[change.Report](),
	"plan":              reflect.TypeFor[pipeline.TargetReport](),
	"properties-schema": reflect.TypeFor[change.Report](),
	"properties-set":    reflect.TypeFor[change.Report](),
	"properties-show":   reflect.TypeFor[[]properties.CustomerProperties](),
	"rekey":             reflect.TypeFor[recovery.RekeyResult](),
	"report":            reflect.TypeFor[pipeline.Report](),
	"state-list":        reflect.TypeFor[[]targetState](),
	"state-log":         reflect.TypeFor[[]record.KeptLog](),
	"state-reindex":     reflect.TypeFor[recovery.ReindexResult](),
	"state-restore":     reflect.TypeFor[restoreResult](),
	"spacelift-sync":    reflect.TypeFor[provision.Report](),
	"state-show":        reflect.TypeFor[targetState](),
	"status":            reflect.TypeFor[fleetstatus.Fleet](),
	"sweep":             reflect.TypeFor[sweep.Result](),
	"sync":              reflect.TypeFor[sourcesync.Report](),
	"unlock":            reflect.TypeFor[unlockResult](),
	"validate":          reflect.TypeFor[validateResult](),
	"version":           reflect.TypeFor[versionResult](),
}

// TestOutputSchemas holds pkg/cli/schema against the types that are printed.
func TestOutputSchemas(t *testing.T) {
	t.Parallel()
	for name, of := range outputs {
		g := &schemaMaker{defs: map[string]any{}}
		root := g.of(of)
		root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		root["$id"] = SchemaID(name)
		root["title"] = "metapipe " + strings.ReplaceAll(name, "-", " ") + " --json"
		if len(g.defs) > 0 {
			root["$defs"] = g.defs
		}
		want, err := json.MarshalIndent(root, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		file := filepath.Join("schema", name+".schema.json")
		if *update {
			if err := os.WriteFile(file, want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the command prints (%v); run: make golden", file, err)
		}
	}
	// Every command with --json has one: a new command cannot leave it out.
	shared := map[string]string{"drift-summary": "drift"} // it prints what drift prints
	for _, cmd := range commands(NewRoot(&App{})) {
		name := strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), "metapipe "), " ", "-")
		if other := shared[name]; other != "" {
			name = other
		}
		if _, has := Schemas()[name]; cmd.Flags().Lookup("json") != nil && !has {
			t.Errorf("`%s --json` has no schema: add its type to outputs as %q", cmd.CommandPath(), name)
		}
	}
	files, err := filepath.Glob("schema/*.json")
	if err != nil || len(files) != len(outputs) {
		t.Errorf("%d schemas for %d outputs (%v)", len(files), len(outputs), err)
	}
}

// schemaMaker describes types as encoding/json writes them.
type schemaMaker struct{ defs map[string]any }

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

func (g *schemaMaker) of(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[pipeline.Seconds]():
		return map[string]any{"type": "number"}
	case reflect.TypeFor[json.RawMessage](), reflect.TypeFor[any]():
		return map[string]any{}
	}
	if t.Implements(marshaler) {
		return map[string]any{} // what it writes is its own affair
	}
	if t.Implements(textMarshaler) {
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.Struct:
		return g.named(t)
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": []string{"array", "null"}, "items": g.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": g.of(t.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64, reflect.Float32:
		return map[string]any{"type": "number"}
	}
	return map[string]any{"type": "integer"}
}

// named describes a struct once, under $defs.
func (g *schemaMaker) named(t reflect.Type) map[string]any {
	name := t.Name()
	if name == "" {
		return g.object(t)
	}
	if _, known := g.defs[name]; !known {
		g.defs[name] = nil // it may hold itself
		g.defs[name] = g.object(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

func (g *schemaMaker) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	g.fields(t, properties, &required)
	slices.Sort(required)
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}

func (g *schemaMaker) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "":
			g.fields(f.Type, properties, required)
			continue
		case name == "":
			name = f.Name
		}
		schema := g.of(f.Type)
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if f.Type.Kind() == reflect.Pointer && !optional {
			schema = map[string]any{"anyOf": []any{schema, map[string]any{"type": "null"}}}
		}
		properties[name] = schema
		if !optional {
			*required = append(*required, name)
		}
	}
}

// valid holds one output against its schema.
func valid(t *testing.T, name string, raw []byte) {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schemas()[name]))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(SchemaID(name), document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(SchemaID(name))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s prints no JSON: %v\n%s", name, err, raw)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v\n%s", name, err, raw)
	}
}

// TestRealOutputsFitTheirSchemas runs the commands that need no GitHub and no tool.
func TestRealOutputsFitTheirSchemas(t *testing.T) {
	t.Parallel()
	lost := filepath.Join(t.TempDir(), "copy.tfstate")
	if err := os.WriteFile(lost, []byte(`{"version":4,"serial":3,"lineage":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const key = "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	dir := managerTree(t)
	store := filepath.Join(t.TempDir(), "store")
	if err := os.MkdirAll(filepath.Join(store, "blog", "staging"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{"terraform.tfstate": `{"version":4,"serial":3,"lineage":"x"}`, ".terraform.tfstate.lock.info": `{"ID":"7","Operation":"OperationTypeApply","Who":"me@here","Created":"2030-01-02T03:04:05Z"}`} {
		if err := os.WriteFile(filepath.Join(store, "blog", "staging", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for args, name := range map[string]string{
		"state restore --customer shop --environment live --json --file " + lost: "state-restore",
		"version --json":                          "version",
		"validate --json":                         "validate",
		"validate --json --manager-dir customers": "validate",
		"state list --json":                       "state-list",
		"state show --customer blog --environment staging --json":      "state-show",
		"ledger --customer blog --json":                                "ledger",
		"ledger --json":                                                "ledger",
		"drift list --shards 2":                                        "drift-list",
		"unlock --customer shop --environment live --lock-id 1 --json": "unlock",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			var out, complaints bytes.Buffer
			app := testApp(&out, &complaints, "GITHUB_ACTIONS=false", key, "METAPIPE_STORE="+store)
			app.Dir, app.Now = dir, time.Now
			if code := Main(t.Context(), strings.Fields(args), app); code != ExitDone && code != ExitFindings {
				t.Fatalf("exit code %d: %s", code, &complaints)
			}
			valid(t, name, out.Bytes())
		})
	}
}
