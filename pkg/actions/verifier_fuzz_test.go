package actions_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// publishing is a client that finds one key at any address.
func publishing(t testing.TB, kid string, key *rsa.PrivateKey) *http.Client {
	t.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: kid, Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(keys)), Request: r}, nil
	})}
}

func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// FuzzVerify gives the verifier whatever a payload may carry as its token, and
// whatever an issuer may sign. Only what is signed, for this audience and by this
// issuer, is believed.
func FuzzVerify(f *testing.F) {
	const address = "https://issuer.example/_services/token"
	key := rsaKey(f, 0)
	v, err := actions.NewVerifier(address, publishing(f, "one", key))
	if err != nil {
		f.Fatal(err)
	}
	claims, err := json.Marshal((&issuer{Server: &httptest.Server{}}).claims(map[string]any{"iss": address}))
	if err != nil {
		f.Fatal(err)
	}
	for _, header := range []string{`{"alg":"RS256","kid":"one"}`, `{"alg":"none"}`, `{"alg":"HS256","kid":"one"}`, `{"alg":"RS256","kid":"two"}`, `{"alg":"RS256","kid":"one","crit":["exp"]}`, `{}`} {
		for _, signed := range []bool{true, false} {
			f.Add(header, string(claims), signed)
		}
	}
	f.Add(`{"alg":"RS256"}`, strings.Replace(string(claims), `"aud":"`, `"aud":["x","`, 1), true)
	f.Add(`{"alg":"RS256"}`, `{"iss":"`+address+`","aud":"`+audience+`","exp":1e400,"run_id":"0"}`, true)
	f.Add(`x`, `[]`, true)
	f.Fuzz(func(t *testing.T, header, payload string, signed bool) {
		token := encoded([]byte(header)) + "." + encoded([]byte(payload))
		sum := sha256.Sum256([]byte(token))
		signature := sum[:]
		if signed {
			var err error
			if signature, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]); err != nil {
				t.Fatal(err)
			}
		}
		claims, err := v.Verify(t.Context(), token+"."+encoded(signature), audience, issued)
		if err != nil {
			if !reflect.DeepEqual(claims, pipeline.Claims{}) {
				t.Errorf("claims beside an error: %+v", claims)
			}
			return
		}
		if !signed || claims.Issuer != address || claims.Audience != audience || claims.RepositoryID <= 0 || claims.RunID <= 0 {
			t.Errorf("believed %s %s: %+v", header, payload, claims)
		}
	})
}
