package github

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

// maxUnanswered is how many repositories of an organization GitHub may not manage to answer
// about, each by itself, before the rest is not asked for.
const maxUnanswered = 20

// OrganizationRepositories reads all repositories of an organization that the token sees, with
// their custom properties and what lies at their top: one call for each 100 of them. They are in
// the order of their ids; those that GitHub says nothing of are the last ones. A list that is not
// complete is an error, and so is an empty one: a token that sees nothing gets the same answer. A
// person is a *pipeline.NotVisibleError.
//
// What GitHub does not manage is asked for in smaller pages. Of a repository that it does not manage
// alone, the top and the properties are unknown.
func (c *Client) OrganizationRepositories(ctx context.Context, organization string) ([]compliance.Repository, error) {
	k := organizationQuery("read the repositories of "+organization, organization, "the repositories")
	if c.app != nil {
		return nil, k.unfitForApp()
	}
	r := &organizationReader{client: c, organization: organization, call: k, size: newPageSize(), asksValues: true}
	for !r.list.done {
		if err := r.page(ctx); err != nil {
			return nil, err
		}
	}
	if len(r.repos) == 0 {
		return nil, k.failNext(errors.New("GitHub shows none to this token"), "give the token access to the repositories of "+organization)
	}
	c.askAll(ctx, r.open)
	if err := r.properties(ctx); err != nil {
		return nil, err
	}
	repos := make([]compliance.Repository, 0, len(r.repos))
	for _, one := range r.repos {
		one.Properties = one.answer.Properties
		repos = append(repos, one.Repository)
	}
	slices.SortStableFunc(repos, func(a, b compliance.Repository) int {
		if (a.ID == 0) != (b.ID == 0) {
			return cmp.Compare(b.ID, a.ID)
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return repos, nil
}

// organizationQuery is a query about an organization, of which the token has to see something.
func organizationQuery(op, organization, what string) call {
	k := newQuery(op)
	k.advice = map[int]string{
		http.StatusNotFound:  "make sure that " + organization + " is an organization and no person, that this is its present name, and that the token sees it",
		http.StatusForbidden: "give the token the permission to read " + what + " of " + organization,
	}
	return k
}

// unfitForApp: a token of an App is made for one repository, and shows no other one.
func (k call) unfitForApp() *Error {
	return k.failNext(errors.ErrUnsupported, "use a token that sees the organization: those of a GitHub App are for one repository each")
}

// failNext is fail with what to do next.
func (k call) failNext(err error, next string) *Error {
	e := k.fail(err)
	e.Next = next
	return e
}

// inconsistent is for answers that contradict each other or what was asked for.
func (k call) inconsistent(err error) *Error {
	return k.failNext(err, "run this again: something may have changed while it was read")
}

// organizationReader reads the repositories of an organization, page by page.
type organizationReader struct {
	client       *Client
	organization string
	call         call
	list         list
	size         pageSize
	asksValues   bool // the server knows the field of the custom properties
	unanswered   int  // repositories that GitHub has not managed alone
	repos        []*organizationRepository
	open         []*repositoryQuestion // with more properties than a page
}

type organizationRepository struct {
	compliance.Repository
	answer    pipeline.RepositoryAnswer // its properties
	forbidden bool                      // the token may not read them
}

// page asks for the next page, and changes nothing but its size where GitHub does not manage it.
func (r *organizationReader) page(ctx context.Context) error {
	err := r.ask(ctx, r.size.now, true)
	switch {
	case err == nil:
		r.size.answered()
	case r.asksValues && errors.Is(err, errors.ErrUnsupported):
		r.asksValues = false // an Enterprise server that does not know the field; the next query asks without it
	case !tooMuch(ctx, err):
		return err
	case !r.size.halve():
		if r.unanswered++; r.unanswered > maxUnanswered {
			return err
		}
		r.size.passed()
		return r.ask(ctx, 1, false)
	}
	return nil
}

// ask sends one query and takes its answer, or nothing of it. Without details it leaves out what can
// be large.
func (r *organizationReader) ask(ctx context.Context, size int, details bool) error {
	k := r.call
	k.repeatable = size == 1 // larger pages are asked for again in smaller ones
	answer, err := r.client.ask(ctx, k, r.query(details), map[string]any{"login": r.organization, "first": size, "after": r.list.after})
	if err != nil {
		return err
	}
	return r.take(answer, size)
}

// query asks for the oldest repositories first: new ones then come last, and a new name moves none.
func (r *organizationReader) query(details bool) string {
	more := ""
	if details {
		more = `object(expression:"HEAD:"){...on Tree{entries{name type}}}`
		if r.asksValues {
			more += ` values:repositoryCustomPropertyValues(first:100){nodes{propertyName value}pageInfo{hasNextPage endCursor}}`
		}
	}
	return `query($login:String!$first:Int!$after:String){rateLimit{cost remaining resetAt}
organization(login:$login){login repositories(first:$first,after:$after,ownerAffiliations:[OWNER],orderBy:{field:CREATED_AT,direction:ASC}){totalCount nodes{databaseId nameWithOwner isArchived isFork isTemplate defaultBranchRef{name} ` +
		more + `}pageInfo{hasNextPage endCursor}}}}`
}

// take reads an answer.
func (r *organizationReader) take(answer graphQLAnswer, size int) error {
	organization, err := organizationOf(answer, r.organization)
	page := &connection{}
	if err == nil && organization.Repositories != nil {
		page = organization.Repositories
	}
	problems := map[int][]entryProblem{} // by the place on the page
	for _, p := range answer.Errors {
		place, field, isEntry := p.entryOf("organization", "repositories", "nodes")
		switch {
		case p.at("rateLimit"):
		case !isEntry || place >= len(page.Nodes) || p.overload():
			return r.client.unanswered(r.call, p, answer.header)
		default:
			problems[place] = append(problems[place], entryProblem{field, p})
		}
	}
	if err != nil {
		return r.call.fail(err)
	}
	var (
		repos []*organizationRepository
		open  []*repositoryQuestion
		ids   []int64
	)
	for i, raw := range page.Nodes {
		one, question := r.read(raw, problems[i], answer.header)
		if repos = append(repos, one); one.Err != nil {
			continue
		}
		if !strings.EqualFold(one.Owner, organization.Login) {
			return r.call.inconsistent(fmt.Errorf("the answer has a repository of %s", one.Owner))
		}
		if ids = append(ids, one.ID); question != nil {
			open = append(open, question)
		}
	}
	if err := r.list.take(page, len(repos), size, ids); err != nil {
		return r.call.inconsistent(err)
	}
	r.repos, r.open = append(r.repos, repos...), append(r.open, open...)
	return nil
}

// organizationNode is an organization in an answer.
type organizationNode struct {
	Login        string      `json:"login"`
	Member       *bool       `json:"viewerIsAMember"`
	Repositories *connection `json:"repositories"`
	Teams        *connection `json:"teams"`
}

func organizationOf(answer graphQLAnswer, login string) (*organizationNode, error) {
	var node *organizationNode
	if raw := answer.Data["organization"]; len(raw) > 0 {
		if err := pipeline.DecodeExact(raw, &node); err != nil {
			return nil, fmt.Errorf("decode the answer: %w", err)
		}
	}
	if node == nil || !strings.EqualFold(node.Login, login) {
		return nil, errors.New("the answer lacks the organization, and says no reason")
	}
	return node, nil
}

// entryProblem is a problem with a field of an entry of a list; an empty one is the entry itself.
type entryProblem struct {
	field string
	*graphQLProblem
}

// read reads what the answer says of one repository, and returns the question about its further
// properties where there are more. A part that is missing is unknown.
func (r *organizationReader) read(raw json.RawMessage, problems []entryProblem, h http.Header) (*organizationRepository, *repositoryQuestion) {
	one, parts := &organizationRepository{}, map[string]*graphQLProblem{}
	for _, p := range problems {
		switch p.field {
		case "defaultBranchRef", "object", "values":
			parts[p.field] = cmp.Or(parts[p.field], p.graphQLProblem)
		default:
			one.Err = r.client.unanswered(r.call, p.graphQLProblem, h)
			return one, nil
		}
	}
	node, slug, err := decodeRepository(raw)
	if err == nil && (node.Fork == nil || node.Template == nil) {
		err = errors.New("the answer does not say whether the repository is a fork or a template")
	}
	if err != nil {
		one.Err = r.call.fail(err)
		return one, nil
	}
	one.Repository.Repository = pipeline.Repository{Slug: slug, ID: node.ID, Archived: *node.Archived}
	one.Fork, one.Template = *node.Fork, *node.Template
	if parts["defaultBranchRef"] == nil && parts["object"] == nil {
		one.DefaultBranch, one.Root, one.RootKnown = rootOf(node)
	}
	one.answer = pipeline.RepositoryAnswer{Repository: one.Repository.Repository}
	if p := parts["values"]; p != nil {
		one.forbidden = p.forbidden()
		return one, nil
	}
	question := &repositoryQuestion{repo: slug, answer: &one.answer}
	if !question.turn(node) {
		return one, nil
	}
	return one, question
}

// rootOf is the default branch and what lies at its top. It is known to be empty where GitHub says
// that there are neither a branch nor a tree.
func rootOf(node *repositoryNode) (branch string, entries []compliance.Entry, known bool) {
	var ref *struct {
		Name string `json:"name"`
	}
	var tree *struct {
		Entries []*struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"entries"`
	}
	if len(node.Branch) == 0 || pipeline.DecodeExact(node.Branch, &ref) != nil {
		return "", nil, false
	}
	if ref != nil {
		branch = ref.Name
	}
	if len(node.Root) == 0 || pipeline.DecodeExact(node.Root, &tree) != nil {
		return branch, nil, false
	}
	if ref == nil && tree == nil {
		return "", nil, true
	}
	if branch == "" || tree == nil || tree.Entries == nil {
		return branch, nil, false
	}
	for _, e := range tree.Entries {
		if e == nil || e.Name == "" || e.Type == "" || strings.ContainsAny(e.Name, "/\x00") {
			return branch, nil, false
		}
		entries = append(entries, compliance.Entry{Name: e.Name, Directory: e.Type == "tree"})
	}
	slices.SortFunc(entries, func(a, b compliance.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return branch, entries, true
}

// properties reads the custom properties by the REST API where no query answers them: an older
// server does not know the field, or the token may read them in that way alone.
func (r *organizationReader) properties(ctx context.Context) error {
	known := slices.ContainsFunc(r.repos, func(one *organizationRepository) bool { return one.answer.Properties.Known() })
	forbidden := slices.ContainsFunc(r.repos, func(one *organizationRepository) bool { return one.forbidden })
	if r.asksValues && (known || !forbidden) {
		return nil
	}
	all, err := r.client.OrganizationProperties(ctx, r.organization)
	if err != nil {
		return err
	}
	for _, one := range r.repos {
		if answer, there := all[one.ID]; there && one.ID != 0 {
			one.answer.Properties = answer.Properties
		}
	}
	return nil
}
