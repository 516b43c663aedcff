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

// GitHubApp is an App. Each account that has one of its repositories has an
// installation of it.
type GitHubApp struct {
	Slug  string // it writes as Slug[bot]
	Owner string // login of the account that made it
	// Repositories are owner/name, where it is installed.
	Repositories []string
	Permissions  map[string]string
}

type app struct {
	GitHubApp
	id            int64
	key           *rsa.PublicKey
	made          time.Time
	installations []*installation
}

type installation struct {
	id        int64
	owner     string // lower-case login
	repos     map[int64]bool
	suspended bool
	made      time.Time
}

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

var appRoutes = []route{
	{"GET", "/app", nil, false, getApp},
	{"POST", "/app/installations/{installation_id}/access_tokens", nil, false, postAccessToken},
	{"GET", inRepo + "/installation", nil, false, getInstallation},
}

// getApp is GET /app.
func getApp(c *call) reply {
	a := c.app
	owner, err := c.s.user(a.Owner)
	if err != nil {
		return notFound()
	}
	return ok(object{
		"id": a.id, "slug": a.Slug, "node_id": nodeID("A", a.id), "client_id": fmt.Sprintf("Iv23li%014d", a.id), "owner": c.s.viewUser(owner),
		"name": a.Slug, "description": "", "external_url": c.s.url, "html_url": c.s.url + "/apps/" + a.Slug,
		"created_at": stamp(a.made), "updated_at": stamp(a.made), "permissions": a.allowed(), "events": []string{},
		"installations_count": len(a.installations),
	})
}

func (a *app) allowed() map[string]string {
	all := map[string]string{"metadata": "read"}
	for name, level := range a.Permissions {
		all[name] = level
	}
	return all
}

// getInstallation is GET /repos/{owner}/{repo}/installation.
func getInstallation(c *call) reply {
	r := c.s.repos[c.s.names[strings.ToLower(c.params["owner"]+"/"+c.params["repo"])]]
	if r == nil {
		return notFound()
	}
	in := c.app.at(r)
	if in == nil || !in.repos[r.id] {
		return notFound()
	}
	owner, err := c.s.user(r.owner)
	if err != nil {
		return notFound()
	}
	self := fmt.Sprintf("%s/app/installations/%d", c.s.url, in.id)
	v := object{
		"id": in.id, "account": c.s.viewUser(owner), "repository_selection": "selected", "access_tokens_url": self + "/access_tokens",
		"repositories_url": c.s.url + "/installation/repositories", "html_url": fmt.Sprintf("%s/settings/installations/%d", c.s.url, in.id),
		"app_id": c.app.id, "app_slug": c.app.Slug, "target_id": owner.ID, "target_type": string(owner.Type), "permissions": c.app.allowed(),
		"events": []string{}, "created_at": stamp(in.made), "updated_at": stamp(in.made), "single_file_name": nil,
		"suspended_by": nil, "suspended_at": nil,
	}
	if in.suspended {
		v["suspended_at"] = stamp(c.s.clock())
	}
	return ok(v)
}

// postAccessToken is POST /app/installations/{installation_id}/access_tokens. The
// token can be cut down to some repositories and permissions, and not widened.
func postAccessToken(c *call) reply {
	i := slices.IndexFunc(c.app.installations, func(in *installation) bool {
		return strconv.FormatInt(in.id, 10) == c.params["installation_id"]
	})
	if i < 0 {
		return notFound()
	}
	in := c.app.installations[i]
	if in.suspended {
		return problem(http.StatusForbidden, "This installation has been suspended")
	}
	var asked struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if len(c.body) > 0 {
		if refusal, good := c.decode(&asked); !good {
			return refusal
		}
	}
	t := &Token{
		Kind: App, User: c.app.Slug + "[bot]", Secret: "ghs_" + randomHex(18), Permissions: c.app.allowed(),
		Expires: c.s.clock().Add(installationTokenLife), repos: in.repos, installation: in,
	}
	t.Name = fmt.Sprintf("%s %d", c.app.Slug, c.s.id("token"))
	if asked.Permissions != nil {
		if err := narrow(c.app.allowed(), asked.Permissions); err != nil {
			return problem(http.StatusUnprocessableEntity, err.Error())
		}
		t.Permissions = asked.Permissions
	}
	selection := "all"
	if asked.Repositories != nil || asked.RepositoryIDs != nil {
		selection = "selected"
		t.repos = c.s.chosen(in, asked.Repositories, asked.RepositoryIDs)
		if t.repos == nil {
			return problem(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
		}
	}
	c.s.tokens[t.Secret] = t
	return reply{status: http.StatusCreated, body: object{
		"token": t.Secret, "expires_at": stamp(t.Expires), "permissions": t.Permissions, "repository_selection": selection,
	}}
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

// chosen are the asked repositories of an installation; nil when one of them is
// not among its own.
func (s *Server) chosen(in *installation, names []string, ids []int64) map[int64]bool {
	out := map[int64]bool{}
	for _, name := range names {
		r := s.repos[s.names[in.owner+"/"+strings.ToLower(name)]]
		if r == nil || !r.named(r.owner, name) {
			return nil
		}
		ids = append(ids, r.id)
	}
	for _, id := range ids {
		if !in.repos[id] {
			return nil
		}
		out[id] = true
	}
	return out
}
