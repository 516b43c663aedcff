package hub

import (
	_ "embed"
	"net/http"
	"sync"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

const graphQLPattern = "/graphql"

func (c *call) graphQL() bool { return c.route != nil && c.route.pattern == graphQLPattern }

//go:embed schema.graphql
var graphQLSDL string

// graphQLSchema is read at the first query: most runs of the program have none.
var graphQLSchema = sync.OnceValues(func() (*ast.Schema, error) {
	return gqlparser.LoadSchema(&ast.Source{Name: "schema.graphql", Input: graphQLSDL})
})

// GitHub's bounds of a query:
// https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
const (
	maxNodes     = 500_000
	maxNodesPage = 100
)

// queryProblem is one element of `errors` in an answer to a query.
type queryProblem struct {
	Type       string `json:"type,omitempty"`
	Message    string `json:"message"`
	Path       []any  `json:"path,omitempty"`
	Extensions object `json:"extensions,omitempty"`
}

// unanswered is the answer to a query of which nothing is answered. Its status is that of
// a success.
func unanswered(problems ...queryProblem) reply { return ok(object{"errors": problems}) }

// query is one query on its way through the fields.
type query struct {
	*call
	schema      *ast.Schema
	variables   map[string]any
	connections int // lists that are asked for: a hundred of them cost a point
	nodes       int // the most entries that they can have
	problems    []queryProblem
	refused     *queryProblem // the token lacks a scope: nothing is answered
}

// postGraphQL is POST /graphql.
func postGraphQL(c *call) reply {
	if c.token == nil {
		return problem(http.StatusUnauthorized, "This endpoint requires you to be authenticated.")
	}
	var in struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	schema, err := graphQLSchema()
	if err != nil {
		return problem(http.StatusInternalServerError, err.Error())
	}
	document, problems := gqlparser.LoadQueryWithRules(schema, in.Query, rules.NewDefaultRules())
	if len(problems) > 0 {
		return unanswered(refusedQuery(problems)...)
	}
	if len(document.Operations) != 1 {
		return unanswered(queryProblem{Message: "An operation name is required"})
	}
	operation := document.Operations[0]
	q := &query{call: c, schema: schema}
	if q.variables, err = validator.VariableValues(schema, operation, in.Variables); err != nil {
		return unanswered(queryProblem{Message: err.Error(), Extensions: object{"code": "variableMismatch"}})
	}
	q.measure(operation.SelectionSet, 1)
	if q.nodes > maxNodes {
		return unanswered(queryProblem{Type: "MAX_NODE_LIMIT_EXCEEDED", Message: "This query requests more than 500,000 possible nodes, which exceeds the maximum limit."})
	}
	c.points = max(1, (q.connections+50)/100) // a hundred lists are a point, rounded
	out := object{"data": q.object(operation.SelectionSet, queryFields, nil)}
	if q.refused != nil {
		return unanswered(*q.refused)
	}
	if len(q.problems) > 0 {
		out["errors"] = q.problems
	}
	return ok(out)
}

// refusedQuery says what is wrong with a query, with GitHub's word for it.
func refusedQuery(list gqlerror.List) []queryProblem {
	var out []queryProblem
	for _, e := range list {
		p := queryProblem{Message: e.Message}
		if e.Rule == "FieldsOnCorrectType" {
			p.Extensions = object{"code": "undefinedField"}
		}
		out = append(out, p)
	}
	return out
}

// fields are those of a selection of self, with those of its fragments; self is nil where any
// of them can come into question.
func (q *query) fields(set ast.SelectionSet, self object) []*ast.Field {
	var list []*ast.Field
	for _, one := range set {
		switch s := one.(type) {
		case *ast.Field:
			list = append(list, s)
		case *ast.FragmentSpread:
			if q.isA(self, s.Definition.TypeCondition) {
				list = append(list, q.fields(s.Definition.SelectionSet, self)...)
			}
		case *ast.InlineFragment:
			if q.isA(self, s.TypeCondition) {
				list = append(list, q.fields(s.SelectionSet, self)...)
			}
		}
	}
	return list
}

// isA reports whether a fragment on a type is about self. Only the values of an interface
// name their type.
func (q *query) isA(self object, condition string) bool {
	name, isOne := self["__typename"].(string)
	return !isOne || condition == "" || condition == name || q.schema.Types[condition].IsAbstractType()
}

// measure counts what the query may cost, before it is answered. A list inside of another one
// is asked for as many times as that one can have entries.
func (q *query) measure(set ast.SelectionSet, times int) {
	for _, f := range q.fields(set, nil) {
		inside := times
		if f.Definition.Arguments.ForName("first") != nil {
			first, _ := whole(f.ArgumentMap(q.variables)["first"])
			inside = times * min(max(first, 0), maxNodesPage)
			q.connections, q.nodes = q.connections+times, q.nodes+inside
		}
		q.measure(f.SelectionSet, inside)
	}
}

// resolver answers a field of which the answer depends on its arguments, or says why not.
type resolver func(q *query, args map[string]any) (any, *queryProblem)

// object answers a selection of the fields of self; nil where one that cannot be null is.
func (q *query) object(set ast.SelectionSet, self object, path []any) object {
	out, whole := object{}, true
	for _, f := range q.fields(set, self) {
		value, good := q.complete(f, f.Definition.Type, self[f.Name], append(path[:len(path):len(path)], f.Alias))
		out[f.Alias] = value
		whole = whole && good
	}
	if !whole {
		return nil
	}
	return out
}

// complete answers what is selected of a value of a type; false where there is none and has to
// be one: https://spec.graphql.org/October2021/#sec-Handling-Field-Errors
func (q *query) complete(f *ast.Field, t *ast.Type, value any, path []any) (any, bool) {
	if resolve, asks := value.(resolver); asks {
		var wrong *queryProblem
		if value, wrong = resolve(q, f.ArgumentMap(q.variables)); wrong != nil {
			wrong.Path = path
			q.problems = append(q.problems, *wrong)
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
	return value, value != nil || !t.NonNull
}
