package actions_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/retry"
)

// rsaKeys are made once: they are what is slow about these tests.
var rsaKeys = sync.OnceValues(func() ([]*rsa.PrivateKey, error) {
	keys := make([]*rsa.PrivateKey, 3)
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return keys, nil
})

func rsaKey(t testing.TB, i int) *rsa.PrivateKey {
	t.Helper()
	keys, err := rsaKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys[i]
}

// issuer signs ID tokens and publishes its keys.
type issuer struct {
	*httptest.Server
	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fail    int // answer that many requests with 503
	fetches atomic.Int32
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_services/token/.well-known/jwks", func(w http.ResponseWriter, _ *http.Request) {
		i.fetches.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.fail > 0 {
			i.fail--
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if err := json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys}); err != nil {
			t.Error(err)
		}
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	i.publish("one", rsaKey(t, 0))
	return i
}

func (i *issuer) name() string { return actions.Issuer(i.URL) }

func (i *issuer) publish(kid string, key *rsa.PrivateKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"}}
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, kid string, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

const audience = "metapipe:acme/manager:0123"

// issued is when the tokens are made. The tests' own clock does not matter.
var issued = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (i *issuer) claims(changes map[string]any) map[string]any {
	c := map[string]any{
		"iss": i.name(), "aud": audience, "sub": "repo:acme/shop:ref:refs/heads/main", "jti": "j-1",
		"iat": issued.Unix(), "nbf": issued.Add(-5 * time.Second).Unix(), "exp": issued.Add(5 * time.Minute).Unix(),
		"repository_id": "7", "repository": "acme/shop", "run_id": "99", "run_attempt": "2", "event_name": "push",
		"ref": "refs/heads/main", "actor": "kim", "actor_id": "5", "sha": string(mergeSHA),
		"workflow_ref": "acme/shop/.github/workflows/x.yml@refs/heads/main", "job_workflow_ref": "acme/manager/.github/workflows/y.yml@v1",
	}
	maps.Copy(c, changes)
	for k, v := range c {
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

func TestVerify(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, err := actions.NewVerifier(i.name(), nil)
	if err != nil {
		t.Fatal(err)
	}
	included := map[string]any{"repo_property_tools": []string{"dns"}, "repo_property_tier": "gold", "repo_propertyx": "y"}
	token := sign(t, jose.RS256, "one", rsaKey(t, 0), i.claims(included))
	properties, err := pipeline.ParseProperties([]byte(`{"tools":["dns"],"tier":"gold"}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, err := v.Verify(t.Context(), token, audience, issued.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		want := pipeline.Claims{
			Issuer: i.name(), Subject: "repo:acme/shop:ref:refs/heads/main", Audience: audience, RepositoryID: 7, Repository: "acme/shop",
			RunID: 99, RunAttempt: 2, EventName: "push", Ref: "refs/heads/main", Actor: "kim", ActorID: 5, SHA: mergeSHA,
			WorkflowRef:    "acme/shop/.github/workflows/x.yml@refs/heads/main",
			JobWorkflowRef: "acme/manager/.github/workflows/y.yml@v1", JTI: "j-1",
			IssuedAt: issued, ExpiresAt: issued.Add(5 * time.Minute), Properties: properties,
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if n := i.fetches.Load(); n != 2 {
		t.Errorf("the keys were fetched %d times, want once per token", n)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	good := sign(t, jose.RS256, "one", rsaKey(t, 0), i.claims(nil))
	with := func(changes map[string]any) string {
		return sign(t, jose.RS256, "one", rsaKey(t, 0), i.claims(changes))
	}
	parts := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	payload, err := json.Marshal(i.claims(map[string]any{"repository_id": "8"}))
	if err != nil {
		t.Fatal(err)
	}
	publicKey, err := json.Marshal(jose.JSONWebKey{Key: rsaKey(t, 0).Public()})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		token    string
		audience string
		at       time.Duration
		want     string
	}{
		"empty":            {"", audience, 0, "compact form"},
		"garbage":          {"a.b", audience, 0, "compact form"},
		"JSON form":        {`{"payload":"x","signatures":[]}`, audience, 0, "compact form"},
		"huge":             {good + strings.Repeat("A", 20000), audience, 0, "compact form"},
		"alg none":         {encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + ".", audience, 0, "compact form"},
		"alg none, signed": {encode([]byte(`{"alg":"none","kid":"one"}`)) + "." + encode(payload) + "." + parts[2], audience, 0, "unexpected signature algorithm"},
		"HS256":            {sign(t, jose.HS256, "one", publicKey, i.claims(nil)), audience, 0, "unexpected signature algorithm"},
		"RS512":            {sign(t, jose.RS512, "one", rsaKey(t, 0), i.claims(nil)), audience, 0, "unexpected signature algorithm"},
		"wrong key":        {sign(t, jose.RS256, "one", rsaKey(t, 1), i.claims(nil)), audience, 0, "signature"},
		"unknown key":      {sign(t, jose.RS256, "two", rsaKey(t, 1), i.claims(nil)), audience, 0, "signature"},
		"changed payload":  {parts[0] + "." + encode(payload) + "." + parts[2], audience, 0, "signature"},
		"wrong audience":   {good, "metapipe:acme/manager:9999", 0, "expected audience"},
		"no audience":      {good, "", 0, "audience"},
		"two audiences":    {with(map[string]any{"aud": []string{audience, "other"}}), audience, 0, "other audiences"},
		"other issuer":     {with(map[string]any{"iss": "https://evil.example.com"}), audience, 0, "is believed"},
		"expired":          {good, audience, 6 * time.Minute, "expired"},
		"actor id":         {with(map[string]any{"actor_id": "kim"}), audience, 0, "claim actor_id"},
		"never expires":    {with(map[string]any{"exp": nil}), audience, 0, "expired"},
		"future iat":       {with(map[string]any{"iat": issued.Add(2 * time.Minute).Unix()}), audience, 0, "was issued at"},
		"received before":  {good, audience, -2 * time.Minute, "was issued at"},
		"no iat":           {with(map[string]any{"iat": nil}), audience, 0, "does not say when"},
		"not valid yet":    {with(map[string]any{"nbf": issued.Add(2 * time.Minute).Unix()}), audience, 0, "not valid yet"},
		"no repository":    {with(map[string]any{"repository_id": nil}), audience, 0, "repository_id"},
		"negative run":     {with(map[string]any{"run_id": "-1"}), audience, 0, "run_id"},
		"property twice":   {with(map[string]any{"repo_property_a": "x", "repo_property_A": "y"}), audience, 0, "custom_properties has both"},
		"number as id":     {with(map[string]any{"run_id": 99}), audience, 0, "claims"},
		"no attempt":       {with(map[string]any{"run_attempt": "0"}), audience, 0, "run_attempt"},
		"bad commit":       {with(map[string]any{"sha": "abc"}), audience, 0, "40 lower-case"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := actions.NewVerifier(i.name(), nil)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := v.Verify(t.Context(), tc.token, tc.audience, issued.Add(tc.at))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !reflect.DeepEqual(claims, pipeline.Claims{}) {
				t.Errorf("got %+v, %v, want %q", claims, err, tc.want)
			}
			var unavailable *actions.KeysUnavailableError
			if errors.As(err, &unavailable) {
				t.Errorf("a bad token counts as missing keys: %v", err)
			}
		})
	}
}

func TestVerifyClockIsTheCallers(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, err := actions.NewVerifier(i.name(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// These tokens expired long ago by any wall clock; the queue outlasted them.
	token := sign(t, jose.RS256, "one", rsaKey(t, 0), i.claims(nil))
	for _, at := range []time.Duration{-30 * time.Second, 0, 5 * time.Minute} {
		if _, err := v.Verify(t.Context(), token, audience, issued.Add(at)); err != nil {
			t.Errorf("at %s: %v", at, err)
		}
	}
	if _, err := v.Verify(t.Context(), token, audience, time.Time{}); err == nil {
		t.Error("a missing clock was taken")
	}
}

func TestVerifyAfterKeyRotation(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	v, err := actions.NewVerifier(i.name(), nil)
	if err != nil {
		t.Fatal(err)
	}
	old := sign(t, jose.RS256, "one", rsaKey(t, 0), i.claims(nil))
	if _, err := v.Verify(t.Context(), old, audience, issued); err != nil {
		t.Fatal(err)
	}
	i.publish("two", rsaKey(t, 2))
	if _, err := v.Verify(t.Context(), sign(t, jose.RS256, "two", rsaKey(t, 2), i.claims(nil)), audience, issued); err != nil {
		t.Errorf("the new key was not fetched: %v", err)
	}
	if _, err := v.Verify(t.Context(), old, audience, issued); err == nil {
		t.Error("the old key is still trusted")
	}
	// A key id that no one has costs one look at the key set each time, no more.
	before := i.fetches.Load()
	if _, err := v.Verify(t.Context(), sign(t, jose.RS256, "never", rsaKey(t, 1), i.claims(nil)), audience, issued); err == nil {
		t.Error("an unknown key is trusted")
	}
	if n := i.fetches.Load() - before; n != 1 {
		t.Errorf("the key set was fetched %d times", n)
	}
}

func TestVerifyWithoutKeys(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	token := sign(t, jose.RS256, "one", rsaKey(t, 0), i.claims(nil))
	v, err := actions.NewVerifier(i.name(), nil)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	i.fail = retry.Attempts + 1
	i.mu.Unlock()
	_, err = v.Verify(t.Context(), token, audience, issued)
	var unavailable *actions.KeysUnavailableError
	if !errors.As(err, &unavailable) || !unavailable.Temporary() || !strings.Contains(err.Error(), "HTTP 503") {
		t.Errorf("got %v", err)
	}
	if _, err := v.Verify(t.Context(), token, audience, issued); err != nil {
		t.Errorf("one failure is not survived: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v, err = actions.NewVerifier(i.name(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(ctx, token, audience, issued); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"https://github.com":          "https://token.actions.githubusercontent.com",
		"https://GitHub.com/":         "https://token.actions.githubusercontent.com",
		"https://octo.ghe.com":        "https://token.actions.octo.ghe.com",
		"https://git.example.com":     "https://git.example.com/_services/token",
		"https://evil.com/github.com": "https://evil.com/github.com/_services/token",
		"http://127.0.0.1:8080":       "http://127.0.0.1:8080/_services/token",
	} {
		if got := actions.Issuer(server); got != want {
			t.Errorf("%s: got %s, want %s", server, got, want)
		}
	}
	for _, bad := range []string{"", "token", "http://issuer.example.com", "https://u:p@x"} {
		if _, err := actions.NewVerifier(bad, nil); err == nil {
			t.Errorf("issuer %q was taken", bad)
		}
	}
}

func TestIDToken(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	status, body := http.StatusOK, `{"count":1,"value":"aaaa.bbbb.cccc"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if r.Header.Get("Authorization") != "Bearer request-token" || r.URL.Query().Get("audience") != "a b&c" || r.URL.Query().Get("api-version") != "2.0" {
			t.Errorf("asked %s with %q", r.URL, r.Header.Get("Authorization"))
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(server.Close)
	var log bytes.Buffer
	vars := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "/idtoken/1?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
	r := actions.NewRunner(actions.Options{Context: actions.Context{InActions: true}, Lookup: env(vars), Commands: &log})
	token, err := r.IDToken(t.Context(), "a b&c")
	if err != nil || token != "aaaa.bbbb.cccc" || requests.Load() != 2 {
		t.Errorf("got %q, %v after %d requests", token, err, requests.Load())
	}
	if !strings.Contains(log.String(), "::add-mask::aaaa.bbbb.cccc\n") {
		t.Errorf("the token is not masked: %q", &log)
	}
	for _, bad := range []struct {
		status     int
		body, want string
	}{
		{http.StatusForbidden, body, "HTTP 403"},
		{http.StatusOK, `{"value":""}`, "holds no token"},
		{http.StatusOK, `secret garbage`, "holds no token"},
	} {
		status, body = bad.status, bad.body
		_, err := r.IDToken(t.Context(), "a b&c")
		if err == nil || !strings.Contains(err.Error(), bad.want) || strings.Contains(err.Error(), "garbage") || strings.Contains(err.Error(), "request-token") {
			t.Errorf("got %v, want %q", err, bad.want)
		}
	}
}

func TestIDTokenNeedsPermission(t *testing.T) {
	t.Parallel()
	var usage *pipeline.UsageError
	_, err := actions.NewRunner(actions.Options{}).IDToken(t.Context(), "a")
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "id-token: write") {
		t.Errorf("got %v", err)
	}
	vars := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": "http://evil.example.com/x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
	_, err = actions.NewRunner(actions.Options{Lookup: env(vars)}).IDToken(t.Context(), "a")
	if !errors.As(err, &usage) || strings.Contains(err.Error(), "request-token") {
		t.Errorf("got %v", err)
	}
}

// TestIDTokenAskedAgain: the token endpoint is asked again for all that passes, as long
// as it asks for, and not for what is final.
func TestIDTokenAskedAgain(t *testing.T) {
	t.Parallel()
	says := func(status int, retryAfter string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if retryAfter != "" {
				w.Header().Set("Retry-After", retryAfter)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, `{"message":"no"}`)
		}
	}
	resets := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	// net/http itself repeats a read whose connection was used before: so that comes first.
	passing := []http.HandlerFunc{resets, says(429, ""), says(403, "7"), says(500, ""), says(503, "20")}
	for name, tc := range map[string]struct {
		faults []http.HandlerFunc
		asked  int32
		slept  time.Duration // at least
		want   string        // of the error; empty: there is a token
	}{
		"all that passes":  {passing, retry.Attempts, 28 * time.Second, ""},
		"one too many":     {append(passing, says(502, "")), retry.Attempts, 28 * time.Second, "HTTP 502"},
		"a pause too long": {[]http.HandlerFunc{says(429, "3600")}, 1, 0, "HTTP 429"},
		"a plain refusal":  {[]http.HandlerFunc{says(403, "")}, 1, 0, "HTTP 403"},
	} {
		var asked atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n := int(asked.Add(1)); n <= len(tc.faults) {
				tc.faults[n-1](w, r)
				return
			}
			fmt.Fprint(w, `{"value":"aaaa.bbbb.cccc"}`)
		}))
		t.Cleanup(server.Close)
		var slept time.Duration
		vars := map[string]string{"ACTIONS_ID_TOKEN_REQUEST_URL": server.URL + "/t", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token"}
		r := actions.NewRunner(actions.Options{Lookup: env(vars), Sleep: func(_ context.Context, d time.Duration) error { slept += d; return nil }})
		token, err := r.IDToken(t.Context(), "a")
		var none *actions.NoIDTokenError
		switch {
		case asked.Load() != tc.asked || slept < tc.slept:
			t.Errorf("%s: asked %d times, slept %s: %v", name, asked.Load(), slept, err)
		case tc.want == "" && (err != nil || token == ""):
			t.Errorf("%s: %q, %v", name, token, err)
		case tc.want != "" && (!errors.As(err, &none) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "run this job again")):
			t.Errorf("%s: %v", name, err)
		}
	}
}
