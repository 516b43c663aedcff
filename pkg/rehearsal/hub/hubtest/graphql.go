package hubtest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// SchemaVersion is the release of the npm package @octokit/graphql-schema whose file
// schema.graphql queries and their answers are checked against.
const SchemaVersion = "15.26.1"

// EnvSchema is the path of the GraphQL schema, when it is not in the cache.
const EnvSchema = "METAPIPE_GRAPHQL_SCHEMA"

//go:embed properties.graphql
var laterSDL string

// loadSchema reads GitHub's GraphQL schema at the first query.
var loadSchema = sync.OnceValues(func() (*ast.Schema, error) {
	file, err := locate(os.Getenv, EnvSchema, "graphql-schema", SchemaVersion, "schema.graphql")
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's GraphQL schema: %w", err)
	}
	document, err := parser.ParseSchemas(validator.Prelude, &ast.Source{Name: file, Input: string(text)}, &ast.Source{Name: "properties.graphql", Input: laterSDL})
	if err != nil {
		return nil, fmt.Errorf("read GitHub's GraphQL schema: %w", err)
	}
	for _, d := range document.Definitions {
		d.Fields = withoutTwins(d.Fields)
	}
	schema, err := validator.ValidateSchemaDocument(document)
	if err != nil {
		return nil, fmt.Errorf("load GitHub's GraphQL schema: %w", err)
	}
	return schema, nil
})

// withoutTwins: GitHub's file has two fields of EnterpriseOwnerInfo twice, in the same form.
func withoutTwins(list ast.FieldList) ast.FieldList {
	var kept ast.FieldList
	for _, f := range list {
		if twin := kept.ForName(f.Name); twin == nil || twin.Type.String() != f.Type.String() || len(twin.Arguments) != len(f.Arguments) {
			kept = append(kept, f)
		}
	}
	return kept
}

func isGraphQL(r *http.Request) bool {
	return r.Method == http.MethodPost && (r.URL.Path == "/graphql" || r.URL.Path == "/api/graphql")
}

// checkQuery holds a query and its answer against GitHub's schema. A bad query is allowed
// when none of it is answered, as by the original.
func checkQuery(_ *http.Request, body []byte, rec *httptest.ResponseRecorder) error {
	schema, err := loadSchema()
	if err != nil {
		return err
	}
	if rec.Code != http.StatusOK || faulty(rec) {
		return nil // refused before anyone has read the query, or cut on purpose
	}
	var answer struct {
		Data   map[string]any `json:"data"`
		Errors []struct {
			Message *string `json:"message"`
		} `json:"errors"`
	}
	decoder := json.NewDecoder(bytes.NewReader(rec.Body.Bytes()))
	decoder.UseNumber()
	if err := decoder.Decode(&answer); err != nil {
		return fmt.Errorf("response: %w", err)
	}
	for _, e := range answer.Errors {
		if e.Message == nil {
			return errors.New("response: an error without a message")
		}
	}
	if answer.Data == nil {
		if len(answer.Errors) == 0 {
			return errors.New("response: neither data nor errors")
		}
		return nil
	}
	operation, err := parseQuery(schema, body)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	if err := checkObject(schema, operation.SelectionSet, answer.Data, nil); err != nil {
		return fmt.Errorf("response: %w", err)
	}
	return nil
}

func parseQuery(schema *ast.Schema, body []byte) (*ast.OperationDefinition, error) {
	var in struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	document, problems := gqlparser.LoadQueryWithRules(schema, in.Query, rules.NewDefaultRules())
	if len(problems) > 0 {
		return nil, problems
	}
	_, err := validator.VariableValues(schema, document.Operations[0], in.Variables)
	return document.Operations[0], err
}

// checkObject: an answer has all fields that were asked for, and no others.
func checkObject(schema *ast.Schema, set ast.SelectionSet, values map[string]any, path []string) error {
	asked := map[string]bool{}
	for _, one := range selected(schema, set, values["__typename"]) {
		f := one.Field
		asked[f.Alias] = true
		value, there := values[f.Alias]
		at := append(path[:len(path):len(path)], f.Alias)
		if !there && one.optional {
			continue
		}
		if !there {
			return fmt.Errorf("%s is missing", strings.Join(at, "."))
		}
		if err := checkValue(schema, f, f.Definition.Type, value, at); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !asked[name] {
			return fmt.Errorf("%s was not asked for", strings.Join(append(path, name), "."))
		}
	}
	return nil
}

// selection is a field that was asked for. It is optional where it was asked of one type of an
// interface, and the answer does not name its type.
type selection struct {
	*ast.Field
	optional bool
}

func selected(schema *ast.Schema, set ast.SelectionSet, typename any) []selection {
	var list []selection
	for _, one := range set {
		var inside ast.SelectionSet
		var parent *ast.Definition
		var condition string
		switch s := one.(type) {
		case *ast.Field:
			list = append(list, selection{s, false})
			continue
		case *ast.FragmentSpread:
			inside, parent, condition = s.Definition.SelectionSet, s.ObjectDefinition, s.Definition.TypeCondition
		case *ast.InlineFragment:
			inside, parent, condition = s.SelectionSet, s.ObjectDefinition, s.TypeCondition
		}
		narrows := condition != "" && parent.IsAbstractType() && schema.Types[condition].Kind == ast.Object
		if narrows && typename != nil && typename != condition {
			continue
		}
		for _, f := range selected(schema, inside, typename) {
			f.optional = f.optional || narrows && typename == nil
			list = append(list, f)
		}
	}
	return list
}

func checkValue(schema *ast.Schema, f *ast.Field, t *ast.Type, value any, path []string) error {
	wrong := fmt.Errorf("%s: %v is no %s", strings.Join(path, "."), value, t)
	if value == nil {
		if t.NonNull {
			return wrong
		}
		return nil
	}
	if t.Elem != nil {
		list, isList := value.([]any)
		if !isList {
			return wrong
		}
		for i, one := range list {
			if err := checkValue(schema, f, t.Elem, one, append(path[:len(path):len(path)], fmt.Sprint(i))); err != nil {
				return err
			}
		}
		return nil
	}
	definition := schema.Types[t.NamedType]
	switch values, isObject := value.(map[string]any); {
	case definition.IsCompositeType() && isObject:
		return checkObject(schema, f.SelectionSet, values, path)
	case definition.IsCompositeType() || !isLeaf(definition, value):
		return wrong
	}
	return nil
}

// isLeaf reports whether a value has the form of a scalar or is one of an enum. Of the
// scalars that GitHub adds to those of GraphQL, the form is not known.
func isLeaf(d *ast.Definition, value any) bool {
	text, isText := value.(string)
	number, isNumber := value.(json.Number)
	_, isBool := value.(bool)
	switch d.Name {
	case "Int":
		n, err := number.Int64()
		return isNumber && err == nil && n >= math.MinInt32 && n <= math.MaxInt32
	case "String", "ID", "DateTime", "URI":
		return isText
	case "Boolean":
		return isBool
	}
	return d.Kind != ast.Enum || isText && d.EnumValues.ForName(text) != nil
}
