package spacelift

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

//go:embed schema.graphql
var sdl string

// schema is read at the first query.
var schema = sync.OnceValues(func() (*ast.Schema, error) {
	return gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: sdl})
})

// object is a JSON object on its way out.
type object = map[string]any

// problem is one element of `errors` in an answer.
type problem struct {
	Message    string `json:"message"`
	Path       []any  `json:"path,omitempty"`
	Extensions object `json:"extensions"`
}

func wrong(format string, args ...any) *problem {
	return &problem{Message: fmt.Sprintf(format, args...), Extensions: object{}}
}

// unauthorized stands for "not allowed" and for "no such id", which Spacelift does not tell
// apart.
func unauthorized() *problem { return wrong("unauthorized") }

// refusal is a query that does not match the schema.
func refusal(code, message string) []problem {
	return []problem{{Message: message, Extensions: object{"code": code}}}
}

// resolver answers a field that depends on its arguments, or says why not.
type resolver func(q *query, args map[string]any) (any, *problem)

// query is one request on its way through the fields.
type query struct {
	s      *Server
	bearer string
	sent   struct {
		Query         string          `json:"query"`
		OperationName string          `json:"operationName"`
		Variables     json.RawMessage `json:"variables"`
	}
	schema    *ast.Schema
	operation *ast.OperationDefinition // nil until it is parsed
	variables map[string]any
	problems  []problem
}

// parse checks a body against the schema.
func (q *query) parse(body []byte) []problem {
	if err := json.Unmarshal(body, &q.sent); err != nil {
		return refusal("GRAPHQL_PARSE_FAILED", "json body could not be decoded: "+err.Error())
	}
	var variables map[string]any
	if len(q.sent.Variables) > 0 {
		if err := json.Unmarshal(q.sent.Variables, &variables); err != nil {
			return refusal("GRAPHQL_PARSE_FAILED", "variables could not be decoded: "+err.Error())
		}
	}
	var err error
	if q.schema, err = schema(); err != nil {
		return refusal("INTERNAL_SERVER_ERROR", err.Error())
	}
	document, list := gqlparser.LoadQueryWithRules(q.schema, q.sent.Query, rules.NewDefaultRules())
	if len(list) > 0 {
		var out []problem
		for _, e := range list {
			out = append(out, refusal("GRAPHQL_VALIDATION_FAILED", e.Message)...)
		}
		return out
	}
	operation := document.Operations.ForName(q.sent.OperationName)
	if operation == nil {
		return refusal("GRAPHQL_VALIDATION_FAILED", "operation "+q.sent.OperationName+" not found")
	}
	if operation.Operation == ast.Subscription {
		return refusal("GRAPHQL_VALIDATION_FAILED", "subscriptions are not supported")
	}
	q.operation = operation
	if q.variables, err = validator.VariableValues(q.schema, operation, variables); err != nil {
		return refusal("GRAPHQL_VALIDATION_FAILED", err.Error())
	}
	return nil
}

// operations are the names of the fields that the query begins with.
func (q *query) operations() []string {
	if q.operation == nil {
		return nil
	}
	var names []string
	for _, f := range q.collect(q.operation.SelectionSet, nil) {
		names = append(names, f.Name)
	}
	return names
}

func (q *query) operationName() string {
	if names := q.operations(); len(names) > 0 {
		return names[0]
	}
	return ""
}

func (q *query) kind() string {
	if q.operation == nil {
		return ""
	}
	return string(q.operation.Operation)
}

// execute answers the query. Fields of a mutation are done in their order.
func (q *query) execute() object {
	root := queryFields
	if q.operation.Operation == ast.Mutation {
		root = mutationFields
	}
	out := object{"data": nil}
	if data := q.object(q.operation.SelectionSet, root, nil); data != nil {
		out["data"] = data
	}
	if len(q.problems) > 0 {
		out["errors"] = q.problems
	}
	return out
}

// collect is what is selected of self, in its order: fields that are asked for twice once,
// with all that is selected of them, and without those that a directive leaves out.
func (q *query) collect(set ast.SelectionSet, self object) []*ast.Field {
	var list []*ast.Field
	byAlias := map[string]int{}
	var walk func(ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, one := range set {
			switch s := one.(type) {
			case *ast.Field:
				if !q.included(s.Directives) {
					continue
				}
				i, known := byAlias[s.Alias]
				if !known {
					byAlias[s.Alias] = len(list)
					list = append(list, s)
					continue
				}
				merged := *list[i]
				merged.SelectionSet = append(merged.SelectionSet[:len(merged.SelectionSet):len(merged.SelectionSet)], s.SelectionSet...)
				list[i] = &merged
			case *ast.FragmentSpread:
				if q.included(s.Directives) && q.isA(self, s.Definition.TypeCondition) {
					walk(s.Definition.SelectionSet)
				}
			case *ast.InlineFragment:
				if q.included(s.Directives) && q.isA(self, s.TypeCondition) {
					walk(s.SelectionSet)
				}
			}
		}
	}
	walk(set)
	return list
}

// included reads @skip and @include.
func (q *query) included(list ast.DirectiveList) bool {
	for name, leaves := range map[string]bool{"skip": true, "include": false} {
		if d := list.ForName(name); d != nil {
			if value, isBool := d.ArgumentMap(q.variables)["if"].(bool); isBool && value == leaves {
				return false
			}
		}
	}
	return true
}

// isA reports whether a fragment on a type is about self. Only members of a union name
// their type.
func (q *query) isA(self object, condition string) bool {
	name, isOne := self["__typename"].(string)
	return !isOne || condition == "" || condition == name || q.schema.Types[condition].IsAbstractType()
}

// object answers a selection of the fields of self; nil where one that cannot be null is.
func (q *query) object(set ast.SelectionSet, self object, path []any) object {
	out, whole := object{}, true
	for _, f := range q.collect(set, self) {
		here := append(path[:len(path):len(path)], f.Alias)
		if f.Name == "__typename" && self[f.Name] == nil {
			out[f.Alias] = f.ObjectDefinition.Name
			continue
		}
		if strings.HasPrefix(f.Name, "__") && self[f.Name] == nil {
			q.fail(here, wrong("introspection is not supported"))
		}
		value, good := q.complete(f, f.Definition.Type, self[f.Name], here)
		out[f.Alias] = value
		whole = whole && good
	}
	if !whole {
		return nil
	}
	return out
}

func (q *query) fail(path []any, p *problem) {
	p.Path = path
	q.problems = append(q.problems, *p)
}

// arguments are those of a field with its variables and defaults.
func (q *query) arguments(f *ast.Field) (args map[string]any, p *problem) {
	defer func() {
		// The parser gives up on literals such as a number that no integer holds.
		if e := recover(); e != nil {
			args, p = nil, wrong("invalid argument: %v", e)
		}
	}()
	return f.ArgumentMap(q.variables), nil
}

// complete answers what is selected of a value of a type; false where there is none and has
// to be one: https://spec.graphql.org/October2021/#sec-Handling-Field-Errors
func (q *query) complete(f *ast.Field, t *ast.Type, value any, path []any) (any, bool) {
	before := len(q.problems)
	if resolve, asks := value.(resolver); asks {
		args, p := q.arguments(f)
		value = nil
		if p == nil {
			value, p = resolve(q, args)
		}
		if p != nil {
			value = nil
			q.fail(path, p)
		}
	}
	list, isList := value.([]any)
	self, isObject := value.(object)
	switch {
	case t.Elem != nil && isList:
		out, whole := make([]any, len(list)), true
		for i, one := range list {
			var good bool
			out[i], good = q.complete(f, t.Elem, one, append(path[:len(path):len(path)], i))
			whole = whole && good
		}
		if whole {
			return out, true
		}
		value = nil
	case len(f.SelectionSet) > 0 && isObject:
		if out := q.object(f.SelectionSet, self, path); out != nil {
			return out, true
		}
		value = nil
	}
	if value == nil && t.NonNull {
		if len(q.problems) == before {
			q.fail(path, wrong("must not be null"))
		}
		return nil, false
	}
	return value, true
}
