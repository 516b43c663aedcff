package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

// OrganizationTeams reads all teams of an organization that the token sees, with their permissions
// in the repositories that it sees, in the order of GitHub. One call reads 100 teams with 100
// repositories each, and one more the next 100 repositories of all teams that have more. The owners
// of an organization see all of its teams, its other members not the secret ones of others. Anything
// that is missing is an error, and so is no team at all where the token is of no member. A person
// is a *pipeline.NotVisibleError.
func (c *Client) OrganizationTeams(ctx context.Context, organization string) ([]compliance.Team, error) {
	k := organizationQuery("read the teams of "+organization, organization, "the members (of a classic token: the scope read:org)")
	if c.app != nil {
		return nil, k.unfitForApp()
	}
	r := &teamReader{client: c, organization: organization, call: k, teams: newPageSize(), repositories: newPageSize()}
	for !r.list.done {
		if err := r.sized(ctx, r.page); err != nil {
			return nil, err
		}
	}
	for len(r.open) > 0 {
		if err := r.sized(ctx, r.further); err != nil {
			return nil, err
		}
	}
	teams := make([]compliance.Team, 0, len(r.all))
	for _, t := range r.all {
		teams = append(teams, t.Team)
	}
	return teams, nil
}

// teamReader reads teams and then what is left of their repositories.
type teamReader struct {
	client       *Client
	organization string
	call         call
	list         list
	// teams is how many are asked for at once, repositories how many of each.
	teams, repositories pageSize
	all                 []*teamRepositories
	open                []*teamRepositories // of which there are more
}

// teamRepositories is a team on its way through the queries.
type teamRepositories struct {
	compliance.Team
	list list
}

// sized asks once, and makes the larger pages smaller where GitHub has not managed it.
func (r *teamReader) sized(ctx context.Context, ask func(context.Context) error) error {
	larger := &r.teams
	if r.repositories.now > r.teams.now {
		larger = &r.repositories
	}
	err := ask(ctx)
	switch {
	case err == nil:
		r.teams.answered()
		r.repositories.answered()
	case !tooMuch(ctx, err):
		return err
	case !larger.halve():
		return err
	}
	return nil
}

const teamFields = `fragment team on Team{databaseId slug name}
fragment page on TeamRepositoryConnection{totalCount edges{permission node{databaseId}}pageInfo{hasNextPage endCursor}}`

// ask sends a query about the organization.
func (r *teamReader) ask(ctx context.Context, declared, fields string, variables map[string]any) (graphQLAnswer, error) {
	k := r.call
	k.repeatable = r.teams.now == 1 && r.repositories.now == 1
	variables["login"], variables["repositories"] = r.organization, r.repositories.now
	answer, err := r.client.ask(ctx, k, `query($login:String!$repositories:Int!`+declared+`){rateLimit{cost remaining resetAt}
organization(login:$login){login viewerIsAMember `+fields+`}}
`+teamFields, variables)
	if err != nil {
		return answer, err
	}
	for _, p := range answer.Errors {
		if !p.at("rateLimit") {
			return answer, r.client.unanswered(k, p, answer.header)
		}
	}
	return answer, nil
}

// page reads the next teams.
func (r *teamReader) page(ctx context.Context) error {
	answer, err := r.ask(ctx, `$teams:Int!$after:String`,
		`teams(first:$teams,after:$after,orderBy:{field:NAME,direction:ASC}){totalCount nodes{...team repositories(first:$repositories){...page}}pageInfo{hasNextPage endCursor}}`,
		map[string]any{"teams": r.teams.now, "after": r.list.after})
	if err != nil {
		return err
	}
	node, err := organizationOf(answer, r.organization)
	if err != nil {
		return r.call.fail(err)
	}
	var (
		teams []*teamRepositories
		ids   []int64
	)
	if node.Teams != nil {
		for _, raw := range node.Teams.Nodes {
			t, err := decodeTeam(raw)
			if err != nil {
				return r.call.fail(err)
			}
			one := &teamRepositories{Team: compliance.Team{ID: t.ID, Slug: t.Slug, Name: t.Name, Permissions: map[int64]compliance.Permission{}}}
			if err := one.take(t.Repositories, r.repositories.now); err != nil {
				return r.call.inconsistent(err)
			}
			teams, ids = append(teams, one), append(ids, one.ID)
		}
	}
	if err := r.list.take(node.Teams, len(teams), r.teams.now, ids); err != nil {
		return r.call.inconsistent(err)
	}
	if len(r.list.ids) == 0 && (node.Member == nil || !*node.Member) {
		return r.call.failNext(errors.New("GitHub shows none to this token, which is of no member of the organization"), r.call.advice[http.StatusForbidden])
	}
	r.all = append(r.all, teams...)
	for _, one := range teams {
		if !one.list.done {
			r.open = append(r.open, one)
		}
	}
	return nil
}

// further reads the next repositories of the teams that have more, as many teams at once as a page
// may have.
func (r *teamReader) further(ctx context.Context) error {
	batch := r.open[:min(r.teams.now, len(r.open))]
	var declared, fields strings.Builder
	variables := map[string]any{}
	for i, t := range batch {
		fmt.Fprintf(&declared, "$slug%d:String!$after%d:String ", i, i)
		fmt.Fprintf(&fields, "t%d:team(slug:$slug%d){...team repositories(first:$repositories,after:$after%d){...page}}\n", i, i, i)
		variables[fmt.Sprintf("slug%d", i)], variables[fmt.Sprintf("after%d", i)] = t.Slug, t.list.after
	}
	answer, err := r.ask(ctx, declared.String(), fields.String(), variables)
	if err != nil {
		return err
	}
	if _, err := organizationOf(answer, r.organization); err != nil {
		return r.call.fail(err)
	}
	var nodes map[string]json.RawMessage
	if err := json.Unmarshal(answer.Data["organization"], &nodes); err != nil {
		return r.call.fail(fmt.Errorf("decode the answer: %w", err))
	}
	r.open = r.open[len(batch):] // an error below ends the reading
	for i, one := range batch {
		t, err := decodeTeam(nodes[fmt.Sprintf("t%d", i)])
		if err == nil && t.ID != one.ID {
			err = errors.New("another page is about another team")
		}
		if err == nil {
			err = one.take(t.Repositories, r.repositories.now)
		}
		if err != nil {
			return r.call.inconsistent(fmt.Errorf("team %s: %w", pipeline.Quote(one.Slug), err))
		}
		if !one.list.done {
			r.open = append(r.open, one)
		}
	}
	return nil
}

// teamNode is a team in an answer.
type teamNode struct {
	ID           int64       `json:"databaseId"`
	Slug         string      `json:"slug"`
	Name         string      `json:"name"`
	Repositories *connection `json:"repositories"`
}

func decodeTeam(raw json.RawMessage) (*teamNode, error) {
	var node *teamNode
	if len(raw) > 0 {
		if err := pipeline.DecodeExact(raw, &node); err != nil {
			return nil, fmt.Errorf("decode the answer: %w", err)
		}
	}
	if node == nil || node.ID <= 0 || node.Slug == "" || node.Name == "" {
		return nil, errors.New("the answer lacks a team, its id or its name, and says no reason")
	}
	return node, nil
}

// take adds a page of repositories.
func (t *teamRepositories) take(page *connection, size int) error {
	permissions := map[int64]compliance.Permission{}
	var ids []int64
	if page != nil {
		for _, raw := range page.Edges {
			id, permission, err := decodePermission(raw)
			if err != nil {
				return err
			}
			permissions[id], ids = permission, append(ids, id)
		}
	}
	if err := t.list.take(page, len(ids), size, ids); err != nil {
		return err
	}
	maps.Copy(t.Permissions, permissions)
	return nil
}

func decodePermission(raw json.RawMessage) (int64, compliance.Permission, error) {
	var edge *struct {
		Permission compliance.Permission `json:"permission"`
		Node       *struct {
			ID int64 `json:"databaseId"`
		} `json:"node"`
	}
	if err := pipeline.DecodeExact(raw, &edge); err != nil {
		return 0, "", fmt.Errorf("decode the answer: %w", err)
	}
	if edge == nil || edge.Node == nil || edge.Node.ID <= 0 {
		return 0, "", errors.New("the answer lacks a repository of a team, and says no reason")
	}
	switch edge.Permission {
	case compliance.Read, compliance.Triage, compliance.Write, compliance.Maintain, compliance.Admin:
		return edge.Node.ID, edge.Permission, nil
	}
	return 0, "", fmt.Errorf("the permission %s of a team is not known to this version", pipeline.Quote(string(edge.Permission)))
}
