package hub

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// RenameUser gives an account another login. Its id stays, everything that it did
// shows the new login, and the old login is free for someone else.
func (s *Server) RenameUser(login, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.user(login)
	if err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	if other := s.users[strings.ToLower(to)]; to == "" || strings.ContainsAny(to, "/ \n") || other != nil && other != u {
		return fmt.Errorf("rename user %q to %q: the login is taken, empty or holds a slash or blank", login, to)
	}
	old := u.Login
	delete(s.users, strings.ToLower(old))
	s.users[strings.ToLower(to)] = u
	s.replaceLogin(old, to)
	for _, r := range s.repos {
		if strings.EqualFold(r.owner, old) {
			r.owner = to
			s.names[strings.ToLower(r.slug())] = r.id
		}
		if role, has := r.roles[strings.ToLower(old)]; has {
			delete(r.roles, strings.ToLower(old))
			r.roles[strings.ToLower(to)] = role
		}
		for _, e := range r.environments {
			for i := range e.rules.Reviewers {
				swapLogin(&e.rules.Reviewers[i], old, to)
			}
		}
	}
	for _, t := range s.tokens {
		swapLogin(&t.User, old, to)
	}
	for _, t := range s.teams {
		if t.members[strings.ToLower(old)] {
			delete(t.members, strings.ToLower(old))
			t.members[strings.ToLower(to)] = true
		}
	}
	for _, a := range s.apps {
		swapLogin(&a.Owner, old, to)
	}
	if definitions, has := s.defined[strings.ToLower(old)]; has {
		delete(s.defined, strings.ToLower(old))
		s.defined[strings.ToLower(to)] = definitions
	}
	for _, key := range slices.Collect(maps.Keys(s.owners)) {
		org, login, _ := strings.Cut(key, "/")
		swapLogin(&org, strings.ToLower(old), strings.ToLower(to))
		swapLogin(&login, strings.ToLower(old), strings.ToLower(to))
		delete(s.owners, key)
		s.owners[org+"/"+login] = true
	}
	u.Login = to
	return nil
}

// DeleteUser ends an account. What it did stays, in the name of "ghost"; its roles,
// its tokens and its places among reviewers are gone, and its login is free.
func (s *Server) DeleteUser(login string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.user(login)
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	for _, r := range s.repos {
		if strings.EqualFold(r.owner, u.Login) {
			return fmt.Errorf("delete user %q: it owns %s", login, r.slug())
		}
	}
	same := func(l string) bool { return strings.EqualFold(l, u.Login) }
	delete(s.users, strings.ToLower(u.Login))
	s.replaceLogin(u.Login, ghostLogin)
	for _, r := range s.repos {
		delete(r.roles, strings.ToLower(u.Login))
		for _, e := range r.environments {
			e.rules.Reviewers = slices.DeleteFunc(slices.Clone(e.rules.Reviewers), same)
		}
	}
	for _, t := range s.teams {
		delete(t.members, strings.ToLower(u.Login))
	}
	for secret, t := range s.tokens {
		if same(t.User) {
			delete(s.tokens, secret)
		}
	}
	return nil
}

func swapLogin(field *string, old, login string) {
	if strings.EqualFold(*field, old) {
		*field = login
	}
}

// replaceLogin puts another login on everything that an account did.
func (s *Server) replaceLogin(old, login string) {
	swap := func(fields ...*string) {
		for _, f := range fields {
			swapLogin(f, old, login)
		}
	}
	comments := func(list []*comment) {
		for _, m := range list {
			swap(&m.author)
		}
	}
	for _, r := range s.repos {
		for _, list := range r.statuses {
			for _, st := range list {
				swap(&st.creator)
			}
		}
		for _, p := range r.pulls {
			swap(&p.author, &p.mergedBy)
			comments(p.comments)
		}
		for _, i := range r.issues {
			swap(&i.author, &i.closedBy)
			comments(i.comments)
		}
		for _, d := range r.deployments {
			swap(&d.creator)
			for _, st := range d.statuses {
				swap(&st.creator)
			}
		}
		for _, x := range r.runs {
			x.replaceLogin(swap)
		}
	}
}

func (x *run) replaceLogin(swap func(...*string)) {
	attempts := []*Run{&x.Run}
	for i := range x.past {
		attempts = append(attempts, &x.past[i])
	}
	for _, a := range attempts {
		swap(&a.Actor, &a.TriggeringActor)
		// Copies of the run that were handed out stay as they are.
		a.Reviews = slices.Clone(a.Reviews)
		for i := range a.Reviews {
			swap(&a.Reviews[i].User)
		}
	}
}
