package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// issuer is an OpenID Connect provider, as the runners' is.
type issuer struct {
	url    string
	signer jose.Signer
}

const audience = "sts.example.com"

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{signer: signer}
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(value); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": i.url, "jwks_uri": i.url + "/jwks", "authorization_endpoint": i.url + "/none", "token_endpoint": i.url + "/none",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	})
	server := httptest.NewUnstartedServer(mux)
	i.url = "http://" + server.Listener.Addr().String()
	server.Start()
	t.Cleanup(server.Close)
	return i
}

// token writes a token to a new file, as AWS_WEB_IDENTITY_TOKEN_FILE names one.
func (i *issuer) token(t *testing.T, expires time.Time) string {
	t.Helper()
	claims := jwt.Claims{Issuer: i.url, Subject: "repo:acme/manager:environment:staging-plan", Audience: jwt.Audience{audience},
		Expiry: jwt.NewNumericDate(expires), IssuedAt: jwt.NewNumericDate(time.Now())}
	raw, err := jwt.Signed(i.signer).Claims(claims).Claims(map[string]any{"policy": "readwrite"}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestMinIOWebIdentity takes a role with the token of a run, as it is in Actions.
func TestMinIOWebIdentity(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := miniotest.Start(t, miniotest.Options{OpenID: &miniotest.OpenID{ConfigURL: i.url + "/.well-known/openid-configuration", ClientID: audience}})
	server.Bucket(t, "tf-state", true)
	for name, test := range map[string]struct {
		expires time.Duration
		want    string
	}{"fresh": {time.Hour, ""}, "stale": {-time.Hour, "take a role by AssumeRoleWithWebIdentity: "}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := with(server.Environ(miniotest.Credentials{}), "AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/plan", "AWS_WEB_IDENTITY_TOKEN_FILE", i.token(t, time.Now().Add(test.expires)))
			s := newS3(t, store.S3Options{Bucket: "tf-state", Lookup: lookup(env)})
			err := s.Create(t.Context(), "acme/plan", bytes.NewReader(content(9<<20)))
			if test.want != "" {
				wantError(t, err, test.want, "does not accept the token of this run")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := readAll(t.Context(), s, "acme/plan"); err != nil || len(got) != 9<<20 {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestMinIORole: a server may also give each provider a role of its own.
func TestMinIORole(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	server := miniotest.Start(t, miniotest.Options{OpenID: &miniotest.OpenID{ConfigURL: i.url + "/.well-known/openid-configuration", ClientID: audience, Policy: "readonly"}})
	server.Bucket(t, "tf-state", true)
	env := with(server.Environ(miniotest.Credentials{}), "AWS_ROLE_ARN", server.RoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE", i.token(t, time.Now().Add(time.Hour)))
	s := newS3(t, store.S3Options{Bucket: "tf-state", Lookup: lookup(env)})
	wantError(t, s.Create(t.Context(), "acme/plan", bytes.NewReader(nil)), "AccessDenied", "s3:PutObject")
}

// TestMinIOVanishes ends the server in the middle of an upload and of a read.
func TestMinIOVanishes(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{})
	server.Bucket(t, "tf-state", true)
	s := newS3(t, store.S3Options{Bucket: "tf-state", Lookup: lookup(server.Environ(server.Root()))})
	if err := s.Create(t.Context(), "acme/old", bytes.NewReader(content(40<<20))); err != nil {
		t.Fatal(err)
	}
	old, err := s.Open(t.Context(), "acme/old")
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	stop := readerFunc(func([]byte) (int, error) { server.Stop(); return 0, io.EOF })
	err = s.Create(t.Context(), "acme/new", io.MultiReader(bytes.NewReader(content(20<<20)), stop, bytes.NewReader(content(20<<20))))
	wantError(t, err, `create "acme/new" in store s3://tf-state`, "no answer from "+server.Endpoint)
	if errors.Is(err, pipeline.ErrExists) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	_, err = io.Copy(io.Discard, old)
	wantError(t, err, `read "acme/old"`, "run again")
}

// TestMinIOStreams seals 200 MB into the store and opens them again, with the
// memory that small objects need. It is not parallel, so that nothing else is
// measured.
func TestMinIOStreams(t *testing.T) {
	const size, limit = 200 << 20, 96 << 20
	server := miniotest.Start(t, miniotest.Options{})
	server.Bucket(t, "tf-state", false)
	s := newS3(t, store.S3Options{Bucket: "tf-state", Lookup: lookup(server.Environ(server.Root()))})
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	block := content(1 << 20)
	peak := watchHeap()
	began := time.Now()
	pr, pw := io.Pipe()
	go func() {
		w, err := sealer.Seal(context.Background(), pw, pipeline.Binding{})
		for written := 0; written < size && err == nil; written += len(block) {
			_, err = w.Write(block)
		}
		if err == nil {
			err = w.Close()
		}
		pw.CloseWithError(err)
	}()
	if err := s.Create(t.Context(), "acme/plan", pr); err != nil {
		t.Fatal(err)
	}
	wrote := time.Since(began)
	r, err := s.Open(t.Context(), "acme/plan")
	if err != nil {
		t.Fatal(err)
	}
	plaintext, err := sealer.Unseal(t.Context(), r, pipeline.Binding{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, plaintext)
	if err = errors.Join(err, r.Close()); err != nil || n != size {
		t.Errorf("read %d bytes, %v; want %d", n, err, size)
	}
	used := peak()
	t.Logf("%d MB sealed: written in %s, read in %s, heap grew by %d MB at most", size>>20, wrote.Round(time.Millisecond), (time.Since(began) - wrote).Round(time.Millisecond), used>>20)
	if used > limit {
		t.Errorf("the heap grew by %d MB, want %d at most", used>>20, limit>>20)
	}
}

// watchHeap returns a function that ends the watch and tells by how many bytes
// the heap has grown at most.
func watchHeap() func() uint64 {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	runtime.GC()
	before, most := heap(), uint64(0)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, heap())
			}
		}
	}()
	return func() uint64 {
		close(end)
		<-ended
		return most - min(before, most)
	}
}
