package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// graphQLRoute is the one address of the GraphQL API.
const graphQLRoute = "/graphql"

func (k call) graphQL() bool { return k.route == graphQLRoute }

// newQuery is a call to the GraphQL API that changes nothing.
func newQuery(op string) call {
	return call{op: op, method: http.MethodPost, route: graphQLRoute, repeatable: true, harmless: true}
}

// graphQLAnswer is an answer with data. What GitHub did not answer is in Errors.
type graphQLAnswer struct {
	Data   map[string]json.RawMessage `json:"data"` // by the name or alias of the field
	Errors []*graphQLProblem          `json:"errors"`
	header http.Header
}

// graphQLProblem is why GitHub did not answer a query, or the part of it at Path.
// https://spec.graphql.org/October2021/#sec-Errors
type graphQLProblem struct {
	Type       string            `json:"type"` // GitHub's kind, such as NOT_FOUND
	Message    string            `json:"message"`
	Path       []json.RawMessage `json:"path"` // names of fields, and places in lists
	Extensions json.RawMessage   `json:"extensions"`
}

func (p *graphQLProblem) Error() string { return p.Message }

// at reports whether the problem is at the path, or below it.
func (p *graphQLProblem) at(path ...string) bool {
	if len(p.Path) < len(path) {
		return false
	}
	for i, want := range path {
		var name string
		if json.Unmarshal(p.Path[i], &name) != nil || name != want {
			return false
		}
	}
	return true
}

// code is GitHub's word for a query that its schema does not allow.
func (p *graphQLProblem) code() string {
	var extensions struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(p.Extensions, &extensions) != nil {
		return ""
	}
	return extensions.Code
}

// overload reports whether GitHub gave up on the size of the query. The last message is
// that of a query that took longer than ten seconds, and has no type.
// https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
func (p *graphQLProblem) overload() bool {
	return slices.Contains([]string{"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"}, p.Type) ||
		p.Type == "" && strings.HasPrefix(p.Message, "Something went wrong while executing your query")
}

// limit reports whether GitHub refused the query for coming too often. It says so with
// the status 200.
func (p *graphQLProblem) limit() bool {
	return p.Type == "RATE_LIMITED" || strings.HasPrefix(p.Message, "You have exceeded a secondary rate limit")
}

// limitProblem is the refusal for a rate limit in an answer with the status 200, or nil.
func limitProblem(body []byte) *graphQLProblem {
	var got graphQLAnswer
	if json.Unmarshal(body, &got) != nil {
		return nil
	}
	for _, p := range got.Errors {
		if p != nil && p.limit() {
			return p
		}
	}
	return nil
}

// ask sends a query. The values of its variables are never part of its text. An answer
// without any data is an *Error.
func (c *Client) ask(ctx context.Context, k call, query string, variables map[string]any) (graphQLAnswer, error) {
	in := struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables,omitempty"`
	}{query, variables}
	var raw json.RawMessage
	resp, err := c.send(ctx, k, in, &raw)
	if err != nil {
		return graphQLAnswer{}, err
	}
	got := graphQLAnswer{header: resp.Header}
	if err := pipeline.DecodeExact(raw, &got); err != nil {
		return graphQLAnswer{}, k.fail(err)
	}
	if slices.Contains(got.Errors, nil) {
		return graphQLAnswer{}, k.fail(errors.New("the answer has an error that is null"))
	}
	c.transport.noteAllowance(got.Data["rateLimit"])
	if got.Data == nil {
		why := &graphQLProblem{Message: "the answer has neither data nor errors"}
		if len(got.Errors) > 0 {
			why = got.Errors[0]
		}
		return graphQLAnswer{}, c.unanswered(k, why, got.header)
	}
	return got, nil
}

// unanswered is the error of what GitHub did not answer.
func (c *Client) unanswered(k call, p *graphQLProblem, h http.Header) *Error {
	e := k.fail(p)
	e.Message = c.transport.secrets.hide(oneLine(p.Message, 500))
	switch {
	case p.Type == "NOT_FOUND":
		e.Err, e.Next = &pipeline.NotVisibleError{Err: p}, c.advise(k, http.StatusNotFound, h)
	case p.forbidden():
		e.Next = c.advise(k, http.StatusForbidden, h)
	case p.code() == "undefinedField":
		e.Err = errors.Join(p, errors.ErrUnsupported)
	case p.overload():
		e.Next = c.advise(k, http.StatusBadGateway, h)
	}
	return e
}

func (p *graphQLProblem) forbidden() bool {
	return p.Type == "FORBIDDEN" || p.Type == "INSUFFICIENT_SCOPES"
}

// noteAllowance waits with the next query where it would not fit into the allowance of the
// GraphQL API any more, which is not that of the REST API.
func (t *transport) noteAllowance(raw json.RawMessage) {
	var rate *struct {
		Cost      int       `json:"cost"`
		Remaining int       `json:"remaining"`
		ResetAt   time.Time `json:"resetAt"`
	}
	if json.Unmarshal(raw, &rate) == nil && rate != nil && rate.Remaining < rate.Cost {
		t.blockedQueries.until(rate.ResetAt.Add(time.Second))
	}
}
