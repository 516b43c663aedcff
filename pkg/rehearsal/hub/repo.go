package hub

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/gitstore"
)

// AddRepo makes an empty repository. The owner has to be a known account; a
// person gets the role Admin in it.
func (s *Server) AddRepo(owner, name string, o RepoOptions) (*Repo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addRepo(owner, name, o, gitstore.NewStore())
}

func (s *Server) addRepo(owner, name string, o RepoOptions, git *gitstore.Store) (*Repo, error) {
	account, err := s.user(owner)
	if err != nil {
		return nil, fmt.Errorf("add repository %s/%s: %w", owner, name, err)
	}
	key := strings.ToLower(account.Login + "/" + name)
	if old := s.repos[s.names[key]]; old != nil && old.named(owner, name) {
		return nil, fmt.Errorf("add repository %s/%s: the name is taken", owner, name)
	}
	if name == "" || strings.ContainsAny(name, "/ \n") {
		return nil, fmt.Errorf("add repository %q: the name is empty or holds a slash or blank", name)
	}
	if o.ID == 0 {
		o.ID = s.id("repo")
	}
	if s.repos[o.ID] != nil {
		return nil, fmt.Errorf("add repository %s/%s: id %d is taken", owner, name, o.ID)
	}
	if o.DefaultBranch == "" {
		o.DefaultBranch = "main"
	}
	r := &Repo{
		s: s, id: o.ID, owner: account.Login, name: name, defaultBranch: o.DefaultBranch, private: o.Private, template: o.Template,
		noIssues: o.NoIssues, description: o.Description, created: s.clock(), pushed: s.clock(),
		roles: map[string]Role{}, git: git, refs: map[string]string{}, statuses: map[string][]*status{},
		pulls: map[int]*pull{}, issues: map[int]*issue{}, gone: map[int]string{}, locked: map[int]bool{},
	}
	if o.Properties != nil {
		r.properties = maps.Clone(o.Properties)
	}
	if account.Type == Person {
		r.roles[strings.ToLower(account.Login)] = Admin
	}
	s.repos[r.id] = r
	// A new repository takes the name away from a redirect, as on GitHub.
	s.names[key] = r.id
	return r, nil
}

// Repo finds a repository by owner/name.
func (s *Server) Repo(slug string) (*Repo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.repos[s.names[strings.ToLower(slug)]]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("repository %q is not known", slug)
}

// Fork copies a repository's branches to another owner. The objects are shared:
// what is committed in the fork can be read by its id through the parent.
func (r *Repo) Fork(owner, name string) (*Repo, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	f, err := r.s.addRepo(owner, name, RepoOptions{DefaultBranch: r.defaultBranch, Private: r.private}, r.git)
	if err != nil {
		return nil, fmt.Errorf("fork %s: %w", r.slug(), err)
	}
	f.parent, f.properties = r, r.properties
	for ref, sha := range r.refs {
		if strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/") {
			f.refs[ref] = sha
		}
	}
	return f, nil
}

// Grant gives an account a role.
func (r *Repo) Grant(login string, role Role) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if _, err := r.s.user(login); err != nil {
		return fmt.Errorf("grant a role in %s: %w", r.slug(), err)
	}
	r.roles[strings.ToLower(login)] = role
	return nil
}

// Rename changes the name; the old one redirects until it is taken again.
func (r *Repo) Rename(name string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	key := strings.ToLower(r.owner + "/" + name)
	if other := r.s.repos[r.s.names[key]]; other != nil && other != r && other.named(r.owner, name) {
		return fmt.Errorf("rename %s to %s: the name is taken", r.slug(), name)
	}
	if name == "" || strings.ContainsAny(name, "/ \n") {
		return errors.New("rename a repository: the name is empty or holds a slash or blank")
	}
	r.name = name
	r.s.names[key] = r.id
	return nil
}

// Transfer gives the repository to another account; its id stays, and the old name
// redirects until it is taken again:
// https://docs.github.com/en/repositories/creating-and-managing-repositories/transferring-a-repository
func (r *Repo) Transfer(owner string) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	account, err := r.s.user(owner)
	if err != nil {
		return fmt.Errorf("transfer %s: %w", r.slug(), err)
	}
	key := strings.ToLower(account.Login + "/" + r.name)
	if other := r.s.repos[r.s.names[key]]; other != nil && other != r && other.named(account.Login, r.name) {
		return fmt.Errorf("transfer %s to %s: the name is taken", r.slug(), account.Login)
	}
	if !strings.EqualFold(r.owner, account.Login) {
		for _, t := range r.s.teams {
			delete(t.permissions, r.id)
		}
	}
	r.owner = account.Login
	r.s.names[key] = r.id
	if account.Type == Person {
		r.roles[strings.ToLower(account.Login)] = Admin
	}
	return nil
}

// reposOf are the repositories of an account, by their names.
func (s *Server) reposOf(login string) []*Repo {
	var list []*Repo
	for _, r := range s.repos {
		if strings.EqualFold(r.owner, login) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *Repo) int { return strings.Compare(a.name, b.name) })
	return list
}

// ID is the immutable numeric id.
func (r *Repo) ID() int64 { return r.id }

// Slug is owner/name.
func (r *Repo) Slug() string {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.slug()
}

// DefaultBranch is the name of the default branch.
func (r *Repo) DefaultBranch() string { return r.defaultBranch }

func (r *Repo) slug() string { return r.owner + "/" + r.name }

func (r *Repo) named(owner, name string) bool {
	return strings.EqualFold(r.owner, owner) && strings.EqualFold(r.name, name)
}

// role is the highest that the account has, by itself or in a team.
func (r *Repo) role(login string) Role {
	role := r.roles[strings.ToLower(login)]
	for _, t := range r.s.teams {
		if t.members[strings.ToLower(login)] {
			role = max(role, t.permissions[r.id].role())
		}
	}
	return role
}

func (r *Repo) api() string { return r.s.url + "/repos/" + r.slug() }

func (r *Repo) html() string { return r.s.url + "/" + r.slug() }
