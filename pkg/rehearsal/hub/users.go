package hub

import (
	"fmt"
	"net/url"
	"strings"
)

// AddUser registers an account and returns it with its id.
func (s *Server) AddUser(u User) (User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.Login == "" || strings.ContainsAny(u.Login, "/ \n") {
		return User{}, fmt.Errorf("add user %q: the login is empty or holds a slash or blank", u.Login)
	}
	key := strings.ToLower(u.Login)
	if _, taken := s.users[key]; taken {
		return User{}, fmt.Errorf("add user %q: the login is taken", u.Login)
	}
	if u.Type == "" {
		u.Type = Person
	}
	if u.ID == 0 {
		u.ID = s.id("user")
	}
	s.users[key] = &u
	return u, nil
}

// AccountID is the id of an account; 0 when there is none of that login.
func (s *Server) AccountID(login string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u, err := s.user(login); err == nil {
		return u.ID
	}
	return 0
}

func (s *Server) user(login string) (*User, error) {
	if u, ok := s.users[strings.ToLower(login)]; ok {
		return u, nil
	}
	return nil, fmt.Errorf("user %q is not known: add it first", login)
}

// userByEmail is how GitHub attributes commits to accounts.
func (s *Server) userByEmail(email string) *User {
	if email == "" {
		return nil
	}
	for _, u := range s.users {
		if strings.EqualFold(u.Email, email) {
			return u
		}
	}
	return nil
}

func (s *Server) viewUser(u *User) any {
	if u == nil {
		return nil
	}
	// The page of a bot is that of its App; elsewhere its brackets are escaped.
	api, html := s.url+"/users/"+url.PathEscape(u.Login), s.url+"/"+u.Login
	if slug, isBot := strings.CutSuffix(u.Login, "[bot]"); isBot {
		html = s.url + "/apps/" + slug
	}
	return object{
		"login": u.Login, "id": u.ID, "node_id": nodeID("U", u.ID),
		"avatar_url": fmt.Sprintf("%s/avatars/u/%d", s.url, u.ID), "gravatar_id": "",
		"url": api, "html_url": html, "followers_url": api + "/followers",
		"following_url": api + "/following{/other_user}", "gists_url": api + "/gists{/gist_id}",
		"starred_url": api + "/starred{/owner}{/repo}", "subscriptions_url": api + "/subscriptions",
		"organizations_url": api + "/orgs", "repos_url": api + "/repos", "events_url": api + "/events{/privacy}",
		"received_events_url": api + "/received_events", "type": string(u.Type), "site_admin": false,
		"user_view_type": "public",
	}
}
