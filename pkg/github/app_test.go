package github_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// appOf adds an App to the town and returns a client that acts as it, with the
// tokens it was told of.
func (w *fixture) appOf(edit ...func(*github.Options)) (*github.Client, *[]string) {
	w.t.Helper()
	id, key, err := w.hub.AddApp(hub.GitHubApp{
		Slug: "carrier", Owner: "acme", Repositories: []string{"acme/shop"},
		Permissions: map[string]string{"contents": "read", "statuses": "write", "issues": "write", "pull_requests": "write"},
	})
	check(w.t, err)
	tokens := &[]string{}
	return w.client(append([]func(*github.Options){func(o *github.Options) {
		o.Token, o.App = "", must(github.ParseApp(strconv.FormatInt(id, 10), string(key)))(w.t)
		o.OnToken = func(token string) error {
			*tokens = append(*tokens, token)
			return nil
		}
	}}, edit...)...), tokens
}

func TestAppWritesAndRenewsItsToken(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	c, tokens := w.appOf()
	set := func(description string) {
		t.Helper()
		check(t, c.SetStatus(t.Context(), acme, w.head, pipeline.Status{Context: "infra", State: pipeline.StatusPending, Description: description}, nil))
	}
	for n := range 3 {
		set(strconv.Itoa(n))
	}
	if len(*tokens) != 1 {
		t.Errorf("%d tokens were made for three writes", len(*tokens))
	}
	w.pass(52 * time.Minute)
	set("nearly an hour later")
	if len(*tokens) != 2 {
		t.Errorf("%d tokens were made; the second one is due before the first one ends", len(*tokens))
	}
	w.hub.RevokeAppTokens("carrier")
	set("after a revocation")
	if len(*tokens) != 3 {
		t.Errorf("%d tokens were made; a refused one is replaced", len(*tokens))
	}
	comment := must(c.CreateComment(t.Context(), acme, w.pull, "hello"))(t)
	if login := must(c.Login(t.Context()))(t); login != "carrier[bot]" || comment.Author != login {
		t.Errorf("the login is %q, and the comment is by %q", login, comment.Author)
	}
	if b := c.Budget(); b.Writes != 5+1+1 { // a refused write was sent twice
		t.Errorf("the budget is %+v", b)
	}
	if slices.Contains(*tokens, "") {
		t.Error("an empty token was told")
	}
}

func TestAppTokenIsForOneRepository(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	must(w.hub.AddUser(hub.User{Login: "other", Type: hub.Organization}))(t)
	must(w.hub.AddRepo("other", "shop", hub.RepoOptions{Private: true}))(t)
	c, tokens := w.appOf()
	must(c.Repository(t.Context(), acme))(t)
	if len(*tokens) != 1 {
		t.Fatalf("%d tokens", len(*tokens))
	}
	with := w.client(func(o *github.Options) { o.Token = (*tokens)[0] })
	if _, err := with.Repository(t.Context(), pipeline.Slug{Owner: "acme", Name: "secret"}); !absent(err) {
		t.Errorf("the token for one repository reads another one: %v", err)
	}
}

func TestAppErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	other := keyPEM(t, 2048)
	for name, tc := range map[string]struct {
		prepare func(w *fixture)
		edit    func(*github.Options)
		repo    pipeline.Slug
		write   bool
		want    []string
	}{
		"not installed": {repo: pipeline.Slug{Owner: "acme", Name: "secret"}, want: []string{"find the GitHub App's installation", "acme/secret", "the App is not installed"}},
		"suspended": {prepare: func(w *fixture) { w.hub.SuspendApp("carrier", true) }, repo: acme,
			want: []string{"get a token of the GitHub App", "HTTP 403", "suspended", `under "GitHub Apps"`}},
		"other key": {repo: acme, edit: func(o *github.Options) { o.App = must(github.ParseApp("1900001", other))(t) },
			want: []string{"HTTP 401", "does not know the App by its id and key"}},
		"clock ahead": {repo: acme, edit: func(o *github.Options) {
			now := o.Now
			o.Now = func() time.Time { return now().Add(5 * time.Minute) }
		}, want: []string{"HTTP 401", "clock is right"}},
		"permission": {repo: acme, write: true, edit: func(o *github.Options) { o.Needs = "metapipe report" },
			want: []string{"HTTP 403", "give the GitHub App the permission deployments=", "which `metapipe report` needs"}},
		"not masked": {repo: acme, edit: func(o *github.Options) { o.OnToken = func(string) error { return errors.New("no runner") } },
			want: []string{"mask the token: no runner"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			edits := []func(*github.Options){}
			if tc.edit != nil {
				edits = append(edits, tc.edit)
			}
			c, _ := w.appOf(edits...)
			if tc.prepare != nil {
				tc.prepare(w)
			}
			_, err := c.Repository(t.Context(), tc.repo)
			if tc.write {
				_, err = c.CreateDeployment(t.Context(), tc.repo, pipeline.Deployment{SHA: w.head, Environment: "infra/staging"})
			}
			if pipeline.RepositoryUnseen(err) != (name == "not installed") {
				t.Errorf("whether the repository is unseen: %v, of %v", pipeline.RepositoryUnseen(err), err)
			}
			if err == nil || absent(err) {
				t.Fatalf("got %v; without a token nothing can be said to be missing", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
		})
	}
}

func keyPEM(t *testing.T, bits int) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	check(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func TestParseApp(t *testing.T) {
	t.Parallel()
	good := keyPEM(t, 2048)
	block, _ := pem.Decode([]byte(good))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	check(t, err)
	pkcs8 := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))(t)}))
	curve := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	elliptical := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(curve))(t)}))
	for name, tc := range map[string]struct{ id, key, want string }{
		"as downloaded": {"123", good, ""},
		"client id":     {"Iv23liABCDEF0123456789", good, ""},
		"PKCS 8":        {"123", pkcs8, ""},
		"one line":      {" 123\n", strings.ReplaceAll(good, "\n", `\n`), ""},
		"no id":         {"", good, "neither a number"},
		"URL as id":     {"https://x", good, "neither a number"},
		"no key":        {"1", "", "not in PEM form"},
		"half a key":    {"1", good[:800], "not in PEM form"},
		"public key":    {"1", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not an RSA private key"},
		"elliptic":      {"1", elliptical, "no RSA key"},
		"short":         {"1", keyPEM(t, 1024), "1024 bits"},
		"large":         {"1", strings.Repeat("A", 1<<20), "larger than"},
	} {
		app, err := github.ParseApp(tc.id, tc.key)
		var usage *pipeline.UsageError
		switch {
		case tc.want == "" && (err != nil || app == nil):
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || !errors.As(err, &usage) || usage.Next == ""):
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

func FuzzParseApp(f *testing.F) {
	f.Add("1", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n")
	f.Add("Iv23", `-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----`)
	f.Fuzz(func(t *testing.T, id, key string) {
		app, err := github.ParseApp(id, key)
		if (app == nil) == (err == nil) {
			t.Fatalf("%v, %v", app, err)
		}
		const ours = "-----BEGIN RSA PRIVATE KEY-----" // what the advice itself says
		if err != nil && len(key) > 20 && !strings.Contains(ours, key) && strings.Contains(err.Error(), key) {
			t.Fatalf("the error quotes the key: %v", err)
		}
	})
}

// TestAppTokensAreNarrowed: a token of the App can do what the command needs and not
// all that the App may, and one that the App cannot give is named.
func TestAppTokensAreNarrowed(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	grants := map[string]string{"statuses": "write"}
	c, _ := w.appOf(func(o *github.Options) { o.Grants, o.Needs = grants, "metapipe report" })
	grants["issues"] = "write" // the client has a copy
	check(t, c.SetStatus(t.Context(), acme, w.head, pipeline.Status{Context: "infra", State: pipeline.StatusPending}, nil))
	must(c.Repository(t.Context(), acme))(t)
	var refused *github.Error
	if _, err := c.CreateComment(t.Context(), acme, w.pull, "x"); !errors.As(err, &refused) || refused.Status != 403 {
		t.Errorf("the token can comment: %v", err)
	}
	for _, token := range w.hub.AppTokens("carrier") {
		if len(token.Permissions) != 1 || token.Permissions["statuses"] != "write" {
			t.Errorf("the token may do %v", token.Permissions)
		}
	}
	w = newFixture(t)
	c, _ = w.appOf(func(o *github.Options) {
		o.Grants, o.Needs = map[string]string{"deployments": "write", "statuses": "write"}, "metapipe report"
	})
	_, err := c.Repository(t.Context(), acme)
	for _, want := range []string{"deployments=write, statuses=write", "which `metapipe report` needs", "give them to the App"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}
