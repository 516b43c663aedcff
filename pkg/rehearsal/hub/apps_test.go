package hub_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// appFixture adds an App on the customer's repository to a scene.
func appFixture(t *testing.T) (s *fixture, id int64, key *rsa.PrivateKey) {
	t.Helper()
	s = newFixture(t, hub.Options{})
	id, text, err := s.hub.AddApp(hub.GitHubApp{Slug: "carrier", Owner: "acme", Repositories: []string{"acme/shop"}, Permissions: map[string]string{"contents": "read", "statuses": "write"}})
	good(t, err)
	block, _ := pem.Decode(text)
	return s, id, got(x509.ParsePKCS1PrivateKey(block.Bytes))(t)
}

// serve makes "the App itself" a credential of the scene.
func (s *fixture) serve(key any, alg jose.SignatureAlgorithm, claims map[string]any) {
	s.t.Helper()
	signer := got(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil))(s.t)
	s.secrets["carrier"] = got(jwt.Signed(signer).Claims(claims).Serialize())(s.t)
}

func TestAppSpeaksForItself(t *testing.T) {
	t.Parallel()
	s, id, key := appFixture(t)
	now := s.clock.now()
	for name, tc := range map[string]struct {
		alg      jose.SignatureAlgorithm
		key      any
		iss      any
		iat, exp time.Duration
		status   int
		says     string
	}{
		"good":             {jose.RS256, key, id, -time.Minute, 9 * time.Minute, 200, ""},
		"id as text":       {jose.RS256, key, fmt.Sprint(id), 0, 10 * time.Minute, 200, ""},
		"too long":         {jose.RS256, key, id, 0, 11 * time.Minute, 401, "too far in the future"},
		"over":             {jose.RS256, key, id, -time.Hour, -time.Minute, 401, "future time"},
		"issued tomorrow":  {jose.RS256, key, id, time.Minute, 5 * time.Minute, 401, "'iat'"},
		"other App":        {jose.RS256, key, 7, 0, time.Minute, 401, "'iss'"},
		"other algorithm":  {jose.PS256, key, id, 0, time.Minute, 401, "could not be decoded"},
		"symmetric":        {jose.HS256, []byte(strings.Repeat("k", 32)), id, 0, time.Minute, 401, "could not be decoded"},
		"not its own key":  {jose.RS256, otherKey(t), id, 0, time.Minute, 401, "could not be decoded"},
		"no time to speak": {jose.RS256, key, id, 0, 0, 401, "future time"},
	} {
		s.serve(tc.key, tc.alg, map[string]any{"iss": tc.iss, "iat": now.Add(tc.iat).Unix(), "exp": now.Add(tc.exp).Unix()})
		a := s.send("carrier", "GET", "/app", "")
		if a.status != tc.status || !strings.Contains(a.body, tc.says) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	equal(t, "a token is no App", s.send("admin", "GET", "/app", "").status, 401)
	equal(t, "nobody is no App", s.send("", "GET", "/repos/acme/shop/installation", "").status, 401)
}

func otherKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	_, _, key := appFixture(t)
	return key
}

func TestTokensOfInstallations(t *testing.T) {
	t.Parallel()
	s, id, key := appFixture(t)
	now := s.clock.now()
	s.serve(key, jose.RS256, map[string]any{"iss": id, "iat": now.Unix(), "exp": now.Add(9 * time.Minute).Unix()})
	equal(t, "not installed", s.send("carrier", "GET", "/repos/ops/manager/installation", "").status, 404)
	equal(t, "the App itself reads no repository", s.send("carrier", "GET", "/repos/acme/shop", "").status, 404)
	found := s.send("carrier", "GET", "/repos/acme/shop/installation", "").object(t)
	path := fmt.Sprintf("/app/installations/%.0f/access_tokens", found["id"])
	for body, want := range map[string]int{
		`{"repositories":["manager"]}`:               422, // of another account
		`{"repository_ids":[815]}`:                   422,
		`{"permissions":{"contents":"write"}}`:       422, // wider than the App's
		`{"repositories":"shop"}`:                    422,
		`{"repositories":["shop"]`:                   400,
		`{"permissions":{"statuses":"read"}}`:        201,
		`{"repositories":["shop"],"permissions":{}}`: 201,
	} {
		if a := s.send("carrier", "POST", path, body); a.status != want {
			t.Errorf("%s: %d %s, want %d", body, a.status, a.body, want)
		}
	}
	equal(t, "another installation", s.send("carrier", "POST", "/app/installations/1/access_tokens", "").status, 404)

	s.secrets["its"], _ = s.send("carrier", "POST", path, "").object(t)["token"].(string)
	status := "/repos/acme/shop/statuses/" + s.first
	equal(t, "it reads", s.send("its", "GET", "/repos/acme/shop", "").status, 200)
	equal(t, "it writes", s.send("its", "POST", status, `{"state":"success"}`).status, 201)
	a := s.send("its", "POST", "/repos/acme/shop/issues", `{"title":"x"}`)
	equal(t, "what it was not given", a.status, 403)
	equal(t, "the permission is named", a.header.Get("X-Accepted-GitHub-Permissions"), "issues=write")
	s.hub.SuspendApp("carrier", true)
	equal(t, "suspended", s.send("its", "POST", status, `{"state":"success"}`).status, 403)
	equal(t, "no new one", s.send("carrier", "POST", path, "").status, 403)
	s.hub.SuspendApp("carrier", false)
	s.clock.pass(59 * time.Minute)
	equal(t, "nearly an hour", s.send("its", "GET", "/repos/acme/shop", "").status, 200)
	s.clock.pass(2 * time.Minute)
	equal(t, "an hour", s.send("its", "GET", "/repos/acme/shop", "").status, 401)
}
