package hub

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
)

// AddToken registers a token and returns it with its secret.
func (s *Server) AddToken(t Token) (Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Kind == Actions && t.User == "" {
		t.User = "github-actions[bot]"
	}
	if _, err := s.user(t.User); err != nil {
		return Token{}, fmt.Errorf("add token %q: %w", t.Name, err)
	}
	t.repos = map[int64]bool{}
	for _, slug := range t.Repositories {
		r := s.repos[s.names[strings.ToLower(slug)]]
		if r == nil {
			return Token{}, fmt.Errorf("add token %q: repository %q is not known: add it first", t.Name, slug)
		}
		t.repos[r.id] = true
	}
	for _, other := range s.tokens {
		if other.Name == t.Name {
			return Token{}, fmt.Errorf("add token %q: the name is taken", t.Name)
		}
	}
	prefix, known := map[TokenKind]string{Classic: "ghp_", FineGrained: "github_pat_", App: "ghs_", Actions: "ghs_"}[t.Kind]
	if !known {
		return Token{}, fmt.Errorf("add token %q: kind %q is not known", t.Name, t.Kind)
	}
	if t.Secret == "" {
		t.Secret = prefix + randomHex(18)
	}
	s.tokens[t.Secret] = &t
	return t, nil
}

// RevokeToken makes the token of that name useless: 401 from now on.
func (s *Server) RevokeToken(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, t := range s.tokens {
		if t.Name == name {
			delete(s.tokens, secret)
		}
	}
}

func (t *Token) app() bool { return t.Kind == App || t.Kind == Actions }

// hasScope knows that "repo" includes what begins with "repo:" and its kin.
func (t *Token) hasScope(scope string) bool {
	if slices.Contains(t.Scopes, scope) {
		return true
	}
	part := scope == "public_repo" || scope == "repo_deployment" || strings.HasPrefix(scope, "repo:")
	return part && slices.Contains(t.Scopes, "repo")
}

// authenticate reads the credentials in each form that GitHub takes.
func (s *Server) authenticate(c *call) (reply, bool) {
	header := c.r.Header.Get("Authorization")
	if header == "" {
		return reply{}, true
	}
	scheme, value, _ := strings.Cut(header, " ")
	if strings.EqualFold(scheme, "basic") {
		plain, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return problem(http.StatusUnauthorized, "Bad credentials"), false
		}
		_, value, _ = strings.Cut(string(plain), ":")
	}
	if strings.Count(value, ".") == 2 {
		return s.authenticateApp(c, strings.TrimSpace(value))
	}
	t := s.tokens[strings.TrimSpace(value)]
	if t == nil || !t.Expires.IsZero() && s.now().After(t.Expires) {
		return problem(http.StatusUnauthorized, "Bad credentials"), false
	}
	if t.installation != nil && t.installation.suspended {
		return problem(http.StatusForbidden, "This installation has been suspended"), false
	}
	c.token = t
	if t.Kind == Classic {
		scopes := slices.Clone(t.Scopes)
		sort.Strings(scopes)
		c.header.Set("X-OAuth-Scopes", strings.Join(scopes, ", "))
	}
	if !t.app() && !t.Expires.IsZero() {
		c.header.Set("GitHub-Authentication-Token-Expiration", t.Expires.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	return reply{}, true
}

// sees reports whether the repository exists as far as the token is concerned.
func (t *Token) sees(r *Repo) bool {
	switch {
	case !r.private:
		return true
	case t == nil:
		return false
	case t.Kind == Classic:
		return t.hasScope("repo") && r.role(t.User) >= Read
	case t.Kind == FineGrained:
		return t.repos[r.id] && r.role(t.User) >= Read
	}
	return t.repos[r.id]
}

// The names of permissions whose reads GitHub keeps from the public.
const (
	administration = "administration"
	secrets        = "secrets"
	variables      = "actions_variables"
)

// closed reports whether the permission is needed in a public repository, too.
func (n need) closed() bool {
	return n.level == "write" || n.name == administration || n.name == secrets || n.name == variables
}

// authorize applies the permissions of the route to a repository in sight.
func (c *call) authorize() (reply, bool) {
	accepted := make([]string, 0, len(c.route.needs))
	closed := false
	for _, n := range c.route.needs {
		accepted = append(accepted, n.name+"="+n.level)
		closed = closed || n.closed()
	}
	c.header.Set("X-Accepted-GitHub-Permissions", strings.Join(accepted, "; "))
	switch {
	case !closed && !c.repo.private:
		return reply{}, true
	case c.token == nil:
		return problem(http.StatusUnauthorized, "Requires authentication"), false
	case c.token.Kind == Classic:
		return c.authorizeClassic(closed)
	}
	for _, n := range c.route.needs {
		if c.token.grants(c.repo, n) {
			return reply{}, true
		}
	}
	return problem(http.StatusForbidden, c.token.notAccessible()), false
}

// authorizeClassic: to a classic token that lacks a right GitHub answers that there is
// nothing, as on GitHub.
func (c *call) authorizeClassic(closed bool) (reply, bool) {
	scopes := []string{"repo"}
	name := c.route.needs[0].name
	switch name {
	case "statuses":
		scopes = append(scopes, "repo:status")
	case "deployments":
		scopes = append(scopes, "repo_deployment")
	}
	if !c.repo.private {
		scopes = append(scopes, "public_repo")
	}
	c.header.Set("X-Accepted-OAuth-Scopes", strings.Join(scopes, ", "))
	if !closed {
		return reply{}, true
	}
	role := Write
	switch name {
	case "issues", "pull_requests":
		role = Read // who can read may discuss
	case repoProperties, administration:
		role = Admin
	}
	scoped := slices.ContainsFunc(scopes, c.token.hasScope)
	open := role == Read && !c.repo.private
	if !scoped || !open && c.repo.role(c.token.User) < role {
		return notFound(), false
	}
	return reply{}, true
}

func (t *Token) grants(r *Repo, n need) bool {
	if !t.repos[r.id] {
		return false
	}
	if t.Kind == FineGrained && (n.name == repoProperties && n.level == "write" || n.name == administration) && r.role(t.User) < Admin {
		return false
	}
	if t.Kind == FineGrained && (n.name == secrets || n.name == variables) && r.role(t.User) < Write {
		return false
	}
	if t.Kind == FineGrained && n.level == "write" && r.role(t.User) < Write &&
		n.name != "issues" && n.name != "pull_requests" {
		return false
	}
	have := t.Permissions[n.name]
	return n.name == "metadata" || have == "write" || have == "admin" || have == n.level
}

// installed reports whether a token is for a repository of the account.
func (s *Server) installed(t *Token, account *User) bool {
	return slices.ContainsFunc(s.reposOf(account.Login), func(r *Repo) bool { return t.repos[r.id] })
}

// has reports whether the token has a permission of an organization, or a higher one.
func (t *Token) has(n need) bool {
	ranks := []string{"read", "write", "admin"}
	return slices.Index(ranks, t.Permissions[n.name]) >= slices.Index(ranks, n.level)
}

// notAccessible is what GitHub says to a token without a permission.
func (t *Token) notAccessible() string {
	if t.app() {
		return "Resource not accessible by integration"
	}
	return "Resource not accessible by personal access token"
}

// member reports whether a person belongs to the organization: as an owner, in a team, or by a
// role in one of its repositories.
func (s *Server) member(org *User, login string) bool {
	inTeam := slices.ContainsFunc(s.teams, func(t *Team) bool { return t.org == org && t.members[strings.ToLower(login)] })
	return inTeam || s.owners[strings.ToLower(org.Login+"/"+login)] || slices.ContainsFunc(s.reposOf(org.Login), func(r *Repo) bool { return r.role(login) > NoRole })
}

// role is what the members of a team may do in a repository, as far as this server tells
// roles apart.
func (p Permission) role() Role {
	switch p {
	case PermissionRead, PermissionTriage:
		return Read
	case PermissionWrite, PermissionMaintain:
		return Write
	case PermissionAdmin:
		return Admin
	}
	return NoRole
}

// actor is the account behind the call; nil when anonymous.
func (c *call) actor() *User {
	if c.token == nil {
		return nil
	}
	u, err := c.s.user(c.token.User)
	if err != nil {
		return nil
	}
	return u
}
