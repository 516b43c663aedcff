package hub

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

// FailQueries takes a field of the repository out of the answers to queries, such as "object";
// an empty field takes the whole repository out of lists. It lasts until HealQueries.
func (r *Repo) FailQueries(field string, f QueryFault) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if r.queryFaults == nil {
		r.queryFaults = map[string]QueryFault{}
	}
	r.queryFaults[field] = f
}

// HealQueries ends what FailQueries began.
func (r *Repo) HealQueries() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.queryFaults = nil
}

func (f QueryFault) resolver() resolver {
	return func(*query, map[string]any) (any, *queryProblem) {
		if f.Message == "" {
			return nil, nil
		}
		return nil, &queryProblem{Type: f.Type, Message: f.Message}
	}
}

// listedRepo is the repository as an entry of a list.
func (r *Repo) listedRepo() any {
	if fault, isFaulty := r.queryFaults[""]; isFaulty {
		return fault.resolver()
	}
	return r.queried()
}

// organizationByLogin finds an organization. A former login is none.
func organizationByLogin(q *query, args map[string]any) (any, *queryProblem) {
	login, _ := args["login"].(string)
	org, err := q.s.user(login)
	if err != nil || org.Type != Organization {
		return nil, &queryProblem{Type: "NOT_FOUND", Message: fmt.Sprintf("Could not resolve to an Organization with the login of '%s'.", login)}
	}
	return object{
		"databaseId": org.ID, "login": org.Login, "viewerIsAMember": !q.token.app() && q.s.member(org, q.token.User),
		"repositories": resolver(func(q *query, args map[string]any) (any, *queryProblem) { return q.repositoriesOf(org, args) }),
		"team":         resolver(func(q *query, args map[string]any) (any, *queryProblem) { return q.teamOf(org, args) }),
		"teams":        resolver(func(q *query, args map[string]any) (any, *queryProblem) { return q.teamsOf(org, args) }),
	}, nil
}

// listed is an entry of a list with its place in the order.
type listed struct {
	place string
	value any
}

// connection is a page of a list. A cursor is the place of the last entry before the page, so
// what comes or goes meanwhile moves no other entry to another page.
func connection(args map[string]any, list []listed) (object, *queryProblem) {
	order, _ := args["orderBy"].(map[string]any)
	compare := func(a, b listed) int { return strings.Compare(a.place, b.place) }
	if order["direction"] == "DESC" {
		compare = func(a, b listed) int { return strings.Compare(b.place, a.place) }
	}
	slices.SortFunc(list, compare)
	first, after, wrong := pageOf(args, func(place string) (int, bool) {
		at, found := slices.BinarySearchFunc(list, listed{place: place}, compare)
		if found {
			at++
		}
		return at, true
	})
	if wrong != nil {
		return nil, wrong
	}
	last := min(after+first, len(list))
	values := []any{}
	info := object{"hasNextPage": last < len(list), "endCursor": nil}
	for _, one := range list[after:last] {
		values = append(values, one.value)
		info["endCursor"] = cursor(one.place)
	}
	return object{"nodes": values, "edges": values, "pageInfo": info, "totalCount": len(list)}, nil
}

// ordinal is a number as a text of the same order.
func ordinal(id int64) string { return fmt.Sprintf("%020d", id) }

// repositoriesOf is a page of the repositories that the token sees.
func (q *query) repositoriesOf(org *User, args map[string]any) (any, *queryProblem) {
	order, _ := args["orderBy"].(map[string]any)
	affiliations, some := args["ownerAffiliations"].([]any) // an organization owns its repositories
	var list []listed
	for _, r := range q.s.reposOf(org.Login) {
		if !q.token.sees(r) || some && !slices.Contains(affiliations, any("OWNER")) {
			continue
		}
		place := ordinal(r.created.UnixNano())
		if order["field"] == "NAME" {
			place = strings.ToLower(r.name)
		}
		list = append(list, listed{place + " " + ordinal(r.id), r.listedRepo()})
	}
	page, wrong := connection(args, list)
	if wrong != nil {
		return nil, wrong
	}
	return page, nil
}

// mayReadTeams refuses tokens without the right to read the members of the organization.
func (q *query) mayReadTeams(org *User) *queryProblem {
	t := q.token
	if t.Kind == Classic {
		if slices.ContainsFunc([]string{"read:org", "write:org", "admin:org"}, t.hasScope) {
			return nil
		}
		refused := queryProblem{Type: "INSUFFICIENT_SCOPES", Message: fmt.Sprintf("Your token has not been granted the required scopes to execute this query. "+
			"The 'teams' field requires one of the following scopes: ['read:org'], but your token has only been granted the: ['%s'] scopes. "+
			"Please modify your token's scopes at: https://github.com/settings/tokens.", strings.Join(t.Scopes, "', '"))}
		q.refused = &refused
		return &queryProblem{}
	}
	if q.s.installed(t, org) && t.has(need{"members", "read"}) {
		return nil
	}
	return &queryProblem{Type: "FORBIDDEN", Message: t.notAccessible()}
}

// seesTeam: who is no member of the organization sees no team of it, and a member no secret
// one of others.
func (q *query) seesTeam(t *Team) bool {
	user := strings.ToLower(q.token.User)
	owner := q.s.owners[strings.ToLower(t.org.Login+"/"+user)]
	return q.token.app() || owner || t.members[user] || !t.secret && q.s.member(t.org, user)
}

// teamsOf is a page of the teams that the token sees, by their names.
func (q *query) teamsOf(org *User, args map[string]any) (any, *queryProblem) {
	if wrong := q.mayReadTeams(org); wrong != nil {
		return nil, wrong
	}
	var list []listed
	for _, t := range q.s.teams {
		if t.org == org && q.seesTeam(t) {
			list = append(list, listed{strings.ToLower(t.name) + " " + ordinal(t.id), t.queried()})
		}
	}
	page, wrong := connection(args, list)
	if wrong != nil {
		return nil, wrong
	}
	return page, nil
}

// teamOf finds a team by its present slug or name.
func (q *query) teamOf(org *User, args map[string]any) (any, *queryProblem) {
	if wrong := q.mayReadTeams(org); wrong != nil {
		return nil, wrong
	}
	slug, _ := args["slug"].(string)
	t := q.s.team(org, slugOf(slug))
	if t == nil || !q.seesTeam(t) {
		return nil, nil // GitHub says no reason
	}
	return t.queried(), nil
}

// queried are the fields of a team.
func (t *Team) queried() object {
	return object{"databaseId": t.id, "name": t.name, "slug": t.slug, "repositories": resolver(t.repositories)}
}

// repositories is a page of what the team has permissions in, as far as the token sees it.
func (t *Team) repositories(q *query, args map[string]any) (any, *queryProblem) {
	var list []listed
	for id, permission := range t.permissions {
		if r := q.s.repos[id]; r != nil && q.token.sees(r) {
			list = append(list, listed{ordinal(id), object{"permission": string(permission), "node": r.listedRepo()}})
		}
	}
	page, wrong := connection(args, list)
	if wrong != nil {
		return nil, wrong
	}
	return page, nil
}

// mayReadCode refuses tokens without the right to read what is in the repository.
func (q *query) mayReadCode(r *Repo) *queryProblem {
	if !r.private || q.token.Kind == Classic || q.token.grants(r, need{"contents", "read"}) {
		return nil
	}
	return &queryProblem{Type: "FORBIDDEN", Message: q.token.notAccessible()}
}

// defaultBranchRef is the default branch; null while it has no commit.
func (r *Repo) defaultBranchRef(q *query, _ map[string]any) (any, *queryProblem) {
	if wrong := q.mayReadCode(r); wrong != nil {
		return nil, wrong
	}
	if r.refs["refs/heads/"+r.defaultBranch] == "" {
		return nil, nil
	}
	return object{"name": r.defaultBranch}, nil
}

// maxBlobText is how much text of a file an answer has.
const maxBlobText = 512 << 10

// blob is a file. A binary one has no text.
func blob(sha string, content []byte) object {
	binary := bytes.IndexByte(content[:min(len(content), 8000)], 0) >= 0
	b := object{"__typename": "Blob", "oid": sha, "isBinary": binary, "isTruncated": len(content) > maxBlobText, "text": nil}
	if !binary {
		b["text"] = strings.ToValidUTF8(string(content[:min(len(content), maxBlobText)]), "\ufffd")
	}
	return b
}

// gitObject is what a revision such as HEAD, or a path of one such as "HEAD:docs", names; null
// where it names nothing.
func (r *Repo) gitObject(q *query, args map[string]any) (any, *queryProblem) {
	if wrong := q.mayReadCode(r); wrong != nil {
		return nil, wrong
	}
	expression, _ := args["expression"].(string)
	rev, path, isPath := strings.Cut(expression, ":")
	if rev == "HEAD" {
		rev = r.refs["refs/heads/"+r.defaultBranch]
	}
	commit := r.resolve(rev)
	if rev == "" || commit == nil {
		return nil, nil
	}
	if !isPath {
		return object{"__typename": "Commit", "oid": commit.SHA}, nil
	}
	at, found := r.git.Lookup(commit.Tree, strings.TrimSuffix(path, "/"))
	switch {
	case !found:
		return nil, nil
	case at.Mode != gitstore.ModeTree:
		return blob(at.SHA, r.git.Blobs[at.SHA]), nil
	}
	entries := []any{}
	for _, e := range r.git.Trees[at.SHA] {
		kind := "blob"
		if e.Mode == gitstore.ModeTree {
			kind = "tree"
		}
		entries = append(entries, object{"name": e.Name, "type": kind})
	}
	return object{"__typename": "Tree", "oid": at.SHA, "entries": entries}, nil
}
