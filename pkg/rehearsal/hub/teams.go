package hub

import (
	"errors"
	"fmt"
	"strings"
)

// AddTeam makes a team of an organization.
func (s *Server) AddTeam(org string, n NewTeam) (*Team, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	account, err := s.user(org)
	if err != nil {
		return nil, fmt.Errorf("add team %q: %w", n.Name, err)
	}
	if account.Type != Organization {
		return nil, fmt.Errorf("add team %q: %s is no organization", n.Name, org)
	}
	t := &Team{s: s, org: account, id: s.id("team"), secret: n.Secret, members: map[string]bool{}, permissions: map[int64]Permission{}}
	for _, login := range n.Members {
		if _, err := s.user(login); err != nil {
			return nil, fmt.Errorf("add team %q of %s: %w", n.Name, org, err)
		}
		t.members[strings.ToLower(login)] = true
	}
	if err := t.rename(n.Name); err != nil {
		return nil, fmt.Errorf("add team %q of %s: %w", n.Name, org, err)
	}
	s.teams = append(s.teams, t)
	return t, nil
}

// Rename gives the team another name and the slug of that name. Its id stays.
func (t *Team) Rename(name string) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	if err := t.rename(name); err != nil {
		return fmt.Errorf("rename team %q of %s to %q: %w", t.name, t.org.Login, name, err)
	}
	return nil
}

func (t *Team) rename(name string) error {
	slug := slugOf(name)
	if slug == "" {
		return errors.New("the name has neither a letter nor a digit")
	}
	if other := t.s.team(t.org, slug); other != nil && other != t {
		return errors.New("the name is taken")
	}
	t.name, t.slug = name, slug
	return nil
}

// slugOf is the part of a team's address that GitHub makes of its name.
func slugOf(name string) string {
	parts := strings.FieldsFunc(strings.ToLower(name), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' })
	return strings.Join(parts, "-")
}

// team finds a team of an organization; nil where there is none.
func (s *Server) team(org *User, slug string) *Team {
	for _, t := range s.teams {
		if t.org == org && strings.EqualFold(t.slug, slug) {
			return t
		}
	}
	return nil
}

// Grant gives the team a permission in a repository of its organization; an empty one takes
// it away.
func (t *Team) Grant(r *Repo, p Permission) error {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	switch {
	case !strings.EqualFold(r.owner, t.org.Login):
		return fmt.Errorf("grant team %q of %s a permission in %s: it is of another account", t.name, t.org.Login, r.slug())
	case p == "":
		delete(t.permissions, r.id)
	case p.role() == NoRole:
		return fmt.Errorf("grant team %q of %s a permission in %s: %q is none", t.name, t.org.Login, r.slug(), p)
	default:
		t.permissions[r.id] = p
	}
	return nil
}

// Remove deletes the team.
func (t *Team) Remove() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	for i, other := range t.s.teams {
		if other == t {
			t.s.teams = append(t.s.teams[:i:i], t.s.teams[i+1:]...)
			return
		}
	}
}

// ID is the immutable numeric id.
func (t *Team) ID() int64 { return t.id }
