package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	// repositoriesPerQuery is how many repositories one query asks for. With a page of
	// properties each they cost one point of the 5,000 in an hour, and are a fiftieth of
	// the 500,000 nodes that a query may have.
	repositoriesPerQuery = 100
	// maxPropertyPages is more than the pages of 100 properties that are believed.
	maxPropertyPages = 10
	// maxFailedAlone is after how many queries for a single repository in a row that
	// GitHub did not manage to answer the rest is not asked for.
	maxFailedAlone = 3
)

// RepositoriesProperties reads repositories of any owners and their custom properties, one call
// for each 100 repositories; as an App one call for each, since its tokens are for one. The
// answers have the order of repos. What GitHub does not answer about one repository is its
// Err, and says nothing about the others. Err is errors.ErrUnsupported where GitHub does
// not let the token, or anyone, read properties in this way.
//
// A query that GitHub does not manage to answer is asked again in two halves.
func (c *Client) RepositoriesProperties(ctx context.Context, repos []pipeline.Slug) []pipeline.RepositoryAnswer {
	answers := make([]pipeline.RepositoryAnswer, len(repos))
	queue := make([]*repositoryQuestion, len(repos))
	for i, repo := range repos {
		queue[i] = &repositoryQuestion{repo: repo, answer: &answers[i]}
	}
	c.askAll(ctx, queue)
	return answers
}

// askAll asks until each question has its answer.
func (c *Client) askAll(ctx context.Context, queue []*repositoryQuestion) {
	size := repositoriesPerQuery
	if c.app != nil {
		size = 1
	}
	r := &repositoryReader{client: c}
	for len(queue) > 0 {
		batch := queue[:min(size, len(queue))]
		queue = append(queue[len(batch):], r.ask(ctx, batch)...)
	}
}

// repositoryQuestion is one repository on its way through the queries.
type repositoryQuestion struct {
	repo   pipeline.Slug
	answer *pipeline.RepositoryAnswer
	values []propertyValue // of the pages so far
	after  *string         // the cursor of the next page; nil: the first one
	pages  int
}

type repositoryReader struct {
	client *Client
	failed int   // queries for a single repository in a row without an answer
	ended  error // why no more is asked
}

// ask sends one query, or several where GitHub does not manage to answer it. It returns
// the repositories that have more properties.
func (r *repositoryReader) ask(ctx context.Context, batch []*repositoryQuestion) (more []*repositoryQuestion) {
	if r.ended != nil {
		return fail(batch, r.ended)
	}
	k, query, variables := repositoriesQuery(batch)
	answer, err := r.client.ask(ctx, k, query, variables)
	switch {
	case err == nil:
		r.failed = 0
		more, again := r.take(batch, answer)
		if len(again) == len(batch) {
			return append(more, r.halves(ctx, again)...)
		}
		if len(again) > 0 {
			return append(more, r.ask(ctx, again)...)
		}
		return more
	case !tooMuch(ctx, err):
		// The tokens of an App are for one repository each: what one may not says nothing of the others.
		if r.client.app == nil || ctx.Err() != nil || isLimit(err) {
			r.ended = err
		}
	case len(batch) > 1:
		return r.halves(ctx, batch)
	default:
		if r.failed++; r.failed == maxFailedAlone {
			r.ended = err
		}
	}
	return fail(batch, err)
}

func (r *repositoryReader) halves(ctx context.Context, batch []*repositoryQuestion) []*repositoryQuestion {
	return append(r.ask(ctx, batch[:len(batch)/2]), r.ask(ctx, batch[len(batch)/2:])...)
}

func fail(batch []*repositoryQuestion, err error) []*repositoryQuestion {
	for _, q := range batch {
		*q.answer = pipeline.RepositoryAnswer{Err: err}
	}
	return nil
}

// tooMuch reports whether a smaller query could be answered where this one was not.
func tooMuch(ctx context.Context, err error) bool {
	var (
		problem *graphQLProblem
		silent  *noResponseError
		large   *tooLargeError
		refused *Error
	)
	switch {
	case ctx.Err() != nil:
		return false
	case errors.As(err, &problem):
		return problem.overload()
	case errors.As(err, &silent), errors.As(err, &large):
		return true
	}
	return errors.As(err, &refused) && (refused.Status >= http.StatusInternalServerError || refused.Status == http.StatusRequestTimeout)
}

// repositoriesQuery asks for each repository under an alias of its own. Names and cursors
// are variables, so none of them can change the query.
func repositoriesQuery(batch []*repositoryQuestion) (call, string, map[string]any) {
	k := newQuery(fmt.Sprintf("read %d repositories and their custom properties", len(batch)))
	if len(batch) == 1 {
		k = batch[0].call()
	}
	k.repeatable = len(batch) == 1 // others are asked again in halves
	var declared, fields strings.Builder
	variables := make(map[string]any, 3*len(batch))
	for i, q := range batch {
		fmt.Fprintf(&declared, "$owner%d:String!$name%d:String!$after%d:String ", i, i, i)
		fmt.Fprintf(&fields, "%s:repository(owner:$owner%d,name:$name%d){...facts values:repositoryCustomPropertyValues(first:100,after:$after%d){...page}}\n", alias(i), i, i, i)
		variables[fmt.Sprintf("owner%d", i)], variables[fmt.Sprintf("name%d", i)], variables[fmt.Sprintf("after%d", i)] = q.repo.Owner, q.repo.Name, q.after
	}
	return k, fmt.Sprintf(`query(%s){rateLimit{cost remaining resetAt}
%s}
fragment facts on Repository{databaseId nameWithOwner isArchived}
fragment page on RepositoryCustomPropertyValueConnection{nodes{propertyName value}pageInfo{hasNextPage endCursor}}`, declared.String(), fields.String()), variables
}

func alias(i int) string { return fmt.Sprintf("r%d", i) }

// call is the question about this repository alone.
func (q *repositoryQuestion) call() call {
	k := newQuery("read the repository and its custom properties")
	k.repo = q.repo
	return k
}

// take reads an answer. It returns the repositories with more properties, and those that
// GitHub left out since the query was too large.
func (r *repositoryReader) take(batch []*repositoryQuestion, answer graphQLAnswer) (more, again []*repositoryQuestion) {
	for i, q := range batch {
		problem := answer.problemOf(alias(i))
		if problem != nil && problem.overload() && len(batch) > 1 {
			again = append(again, q)
			continue
		}
		if r.read(q, answer.Data[alias(i)], problem, answer.header) {
			more = append(more, q)
		}
	}
	return more, again
}

// problemOf is the first problem with a field of the query. One without a path could be
// about any of them.
func (a graphQLAnswer) problemOf(alias string) *graphQLProblem {
	for _, p := range a.Errors {
		if len(p.Path) == 0 || p.at(alias) {
			return p
		}
	}
	return nil
}

// repositoryNode is a repository in an answer.
type repositoryNode struct {
	ID       int64  `json:"databaseId"`
	Name     string `json:"nameWithOwner"`
	Archived *bool  `json:"isArchived"`
	// These are asked for in lists of an organization.
	Fork     *bool           `json:"isFork"`
	Template *bool           `json:"isTemplate"`
	Branch   json.RawMessage `json:"defaultBranchRef"`
	Root     json.RawMessage `json:"object"`
	Values   *struct {
		Nodes []*struct {
			Name  string          `json:"propertyName"`
			Value json.RawMessage `json:"value"`
		} `json:"nodes"`
		Page struct {
			More *bool   `json:"hasNextPage"`
			End  *string `json:"endCursor"`
		} `json:"pageInfo"`
	} `json:"values"`
}

// read reads the answer about one repository, and reports whether it has another page.
func (r *repositoryReader) read(q *repositoryQuestion, raw json.RawMessage, problem *graphQLProblem, h http.Header) (more bool) {
	// A person's repository has no properties, and GitHub says so in a problem of that field.
	person := problem != nil && problem.Type == "NOT_ORG_OWNED_REPO" && len(problem.Path) > 1
	if problem != nil && !person {
		err := r.client.unanswered(q.call(), problem, h)
		if problem.forbidden() && len(problem.Path) > 1 {
			err.Err = errors.Join(err.Err, errors.ErrUnsupported) // the repository is in sight, its properties are not
		}
		fail([]*repositoryQuestion{q}, err)
		return false
	}
	node, slug, err := decodeRepository(raw)
	if err == nil && q.pages > 0 && node.ID != q.answer.ID {
		err = errors.New("another page is about another repository")
	}
	if err != nil {
		fail([]*repositoryQuestion{q}, q.call().fail(err))
		return false
	}
	q.answer.Slug, q.answer.ID, q.answer.Archived = slug, node.ID, *node.Archived
	if person {
		q.answer.Properties = propertiesOf(nil)
		return false
	}
	return q.turn(node)
}

func decodeRepository(raw json.RawMessage) (*repositoryNode, pipeline.Slug, error) {
	var node *repositoryNode
	if len(raw) > 0 {
		if err := pipeline.DecodeExact(raw, &node); err != nil {
			return nil, pipeline.Slug{}, fmt.Errorf("decode the answer: %w", err)
		}
	}
	if node == nil || node.ID <= 0 || node.Archived == nil {
		return nil, pipeline.Slug{}, errors.New("the answer lacks the repository or its id, and says no reason")
	}
	slug, err := pipeline.ParseSlug(node.Name)
	return node, slug, err
}

// turn adds a page of properties and reports whether there is another one. Properties of
// which any part is missing stay unknown.
func (q *repositoryQuestion) turn(node *repositoryNode) (more bool) {
	v := node.Values
	if v == nil || v.Nodes == nil || v.Page.More == nil {
		return false
	}
	for _, n := range v.Nodes {
		if n == nil {
			return false
		}
		q.values = append(q.values, propertyValue{Name: n.Name, Value: n.Value})
	}
	if q.pages++; !*v.Page.More {
		q.answer.Properties = propertiesOf(q.values)
		return false
	}
	if q.pages == maxPropertyPages || v.Page.End == nil || q.after != nil && *q.after == *v.Page.End {
		return false
	}
	q.after = v.Page.End
	return true
}
