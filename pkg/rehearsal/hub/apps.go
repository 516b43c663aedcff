package hub

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// An App's JWT may end ten minutes from now at most:
	// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
	maxJWTAhead = 10 * time.Minute
	// A token of an installation lives an hour:
	// https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app
	installationTokenLife = time.Hour
)

// AddApp registers an App with its bot, installs it, and returns its id and its
// private key in PEM.
func (s *Server) AddApp(a GitHubApp) (id int64, key []byte, err error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, nil, fmt.Errorf("make a key for App %q: %w", a.Slug, err)
	}
	if _, err := s.AddUser(User{Login: a.Slug + "[bot]", Type: Bot}); err != nil {
		return 0, nil, fmt.Errorf("add App: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.user(a.Owner); err != nil {
		return 0, nil, fmt.Errorf("add App %q: %w", a.Slug, err)
	}
	made := &app{GitHubApp: a, id: s.id("app"), key: &private.PublicKey, made: s.clock()}
	for _, slug := range a.Repositories {
		r := s.repos[s.names[strings.ToLower(slug)]]
		if r == nil {
			return 0, nil, fmt.Errorf("add App %q: repository %q is not known: add it first", a.Slug, slug)
		}
		in := made.at(r)
		if in == nil {
			in = &installation{id: s.id("installation"), owner: strings.ToLower(r.owner), repos: map[int64]bool{}, made: made.made}
			made.installations = append(made.installations, in)
		}
		in.repos[r.id] = true
	}
	s.apps = append(s.apps, made)
	return made.id, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)}), nil
}

// SuspendApp suspends all installations of an App, or takes that back. Their
// tokens are not accepted meanwhile.
func (s *Server) SuspendApp(slug string, suspended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		if a.Slug != slug {
			continue
		}
		for _, in := range a.installations {
			in.suspended = suspended
		}
	}
}

// RevokeAppTokens ends all tokens of an App's installations.
func (s *Server) RevokeAppTokens(slug string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for secret, t := range s.tokens {
		if t.Kind == App && t.User == slug+"[bot]" {
			delete(s.tokens, secret)
		}
	}
}

// AppTokens are the tokens that an App has got so far and that count, the oldest first.
func (s *Server) AppTokens(slug string) []Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Token
	for _, t := range s.tokens {
		if t.Kind == App && t.installation != nil && t.User == slug+"[bot]" {
			list = append(list, *t)
		}
	}
	slices.SortFunc(list, func(a, b Token) int { return a.Expires.Compare(b.Expires) })
	return list
}

// at is the App's installation for the owner of a repository.
func (a *app) at(r *Repo) *installation {
	for _, in := range a.installations {
		if in.owner == strings.ToLower(r.owner) {
			return in
		}
	}
	return nil
}

// authenticateApp accepts a JWT that an App has signed.
func (s *Server) authenticateApp(c *call, value string) (reply, bool) {
	refuse := func(message string) (reply, bool) { return problem(http.StatusUnauthorized, message), false }
	token, err := jwt.ParseSigned(value, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return refuse("A JSON web token could not be decoded")
	}
	var output struct {
		Issuer   json.RawMessage  `json:"iss"` // GitHub takes it as a string and as a number
		IssuedAt *jwt.NumericDate `json:"iat"`
		Expiry   *jwt.NumericDate `json:"exp"`
	}
	if err := token.UnsafeClaimsWithoutVerification(&output); err != nil {
		return refuse("A JSON web token could not be decoded")
	}
	i := slices.IndexFunc(s.apps, func(a *app) bool {
		return strings.Trim(string(output.Issuer), `"`) == strconv.FormatInt(a.id, 10)
	})
	if i < 0 {
		return refuse("'Issuer' claim ('iss') must be an Integer, or the client id of an App")
	}
	a := s.apps[i]
	if err := token.Claims(a.key, &output); err != nil {
		return refuse("A JSON web token could not be decoded")
	}
	now := s.now()
	switch {
	case output.IssuedAt == nil || output.IssuedAt.Time().After(now):
		return refuse("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
	case output.Expiry == nil || !output.Expiry.Time().After(now):
		return refuse("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case output.Expiry.Time().Sub(now) > maxJWTAhead:
		return refuse("'Expiration time' claim ('exp') is too far in the future")
	}
	// What the App itself may see is decided by the routes for Apps.
	c.app, c.token = a, &Token{Name: a.Slug + " itself", Kind: App, User: a.Slug + "[bot]"}
	return reply{}, true
}

// forApp reports whether a path is answered to Apps only.
func (r *route) forApp() bool {
	return strings.HasPrefix(r.pattern, "/app") || strings.HasSuffix(r.pattern, "/installation")
}

// decideApp answers on the routes for Apps.
func (c *call) decideApp() reply {
	if c.app == nil {
		return problem(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	return c.route.handle(c)
}

// narrow refuses permissions that the App was not given.
func narrow(have, asked map[string]string) error {
	for name, level := range asked {
		if have[name] != level && (have[name] != "write" || level != "read") {
			return errors.New("The permissions requested are not granted to this installation.") //nolint:staticcheck // GitHub's words
		}
	}
	return nil
}
