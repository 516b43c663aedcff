package github

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
)

// seenCredential is what the headers of answers say of the token.
type seenCredential struct {
	mu      sync.Mutex
	scopes  []string
	scoped  bool // an answer had scopes: only tokens of that kind have them
	expires time.Time
	now     time.Time // of GitHub
	here    time.Time
}

// expirationForms are those in which GitHub writes the end of a token.
var expirationForms = []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700"}

func (s *seenCredential) note(h http.Header, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if scopes, classic := scopesOf(h); classic {
		s.scopes, s.scoped = scopes, true
	}
	for _, form := range expirationForms {
		if at, err := time.Parse(form, h.Get("GitHub-Authentication-Token-Expiration")); err == nil {
			s.expires = at.UTC()
		}
	}
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		s.now, s.here = at, now
	}
}

// Credential says what kind of token this is, and what the answers so far have said of it.
func (c *Client) Credential() doctor.Credential {
	s := &c.transport.seen
	s.mu.Lock()
	defer s.mu.Unlock()
	out := doctor.Credential{Kind: doctor.Job, Scopes: s.scopes, Expires: s.expires, Now: s.now, Here: s.here}
	token, _ := c.transport.auth.(fixedToken)
	switch {
	case c.app != nil:
		out.Kind = doctor.App
	case s.scoped, strings.HasPrefix(string(token), "ghp_"), strings.HasPrefix(string(token), "gho_"):
		out.Kind = doctor.Classic
	case strings.HasPrefix(string(token), "github_pat_"):
		out.Kind = doctor.FineGrained
	}
	return out
}

// Needed is the permission that GitHub says an answer needs, such as "statuses=write", and whether the answer was
// that the token lacks it.
func (e *Error) Needed() (permission string, forbidden bool) {
	return e.needs, e.IsForbidden() && e.needs != "" && !e.IsPlan()
}

// IsUnauthorized reports whether GitHub does not accept the token at all.
func (e *Error) IsUnauthorized() bool { return e.Status == http.StatusUnauthorized }

// IsPlan reports whether the plan of the owner lacks the feature that was asked for.
func (e *Error) IsPlan() bool {
	return e.Status == http.StatusForbidden && strings.HasPrefix(e.Message, "Upgrade to GitHub ") ||
		e.Status == http.StatusUnprocessableEntity && strings.Contains(e.Message, "billing plan")
}
