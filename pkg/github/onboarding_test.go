package github_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/onboarding"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// onboardingReads read a repository and its pull requests.
var onboardingReads = []readKind{
	{"repository to onboard", "OnboardingRepository", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.OnboardingRepository(ctx, acme)
	}},
	{"open pull request of a branch", "OpenPullRequest", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		repo, err := c.OnboardingRepository(ctx, acme)
		if err != nil {
			return nil, err
		}
		return c.OpenPullRequest(ctx, acme, repo.ID, "change")
	}},
}

// onboardingWrites make and close a pull request.
var onboardingWrites = []readKind{
	{"pull request", "OpenPull", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		if err := c.MakeBranch(ctx, acme, "another", w.head); err != nil {
			return nil, err
		}
		return nil, c.OpenPull(ctx, acme, 0, onboarding.Pull{Branch: "another", Base: "main", Title: "t", Body: "b"})
	}},
	{"closed pull request", "ClosePull", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return nil, c.ClosePull(ctx, acme, w.pull)
	}},
}

// propose makes a commit, a branch and a pull request, and takes the last two back.
func propose(t *testing.T, w *fixture, c *github.Client) (err error) {
	t.Helper()
	repo, err := c.OnboardingRepository(t.Context(), acme)
	check(t, err)
	head, err := c.BranchHead(t.Context(), acme, "main")
	check(t, err)
	commit, err := c.Commit(t.Context(), acme, head)
	check(t, err)
	made, err := c.MakeCommit(t.Context(), acme, onboarding.NewCommit{Parent: head, Tree: commit.Tree, Files: map[string][]byte{"infra/ä.yml": []byte("x: ü\n")}, Message: "m\n\nmark"})
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return c.MakeBranch(t.Context(), acme, "metapipe/onboard", made) },
		func() error { return c.MoveBranch(t.Context(), acme, "metapipe/onboard", made) },
		func() error {
			return c.OpenPull(t.Context(), acme, repo.ID, onboarding.Pull{Branch: "metapipe/onboard", Base: "main", Title: "t", Body: "b"})
		},
		func() error { return c.SetSecret(t.Context(), acme, "TOKEN", "s3cret") },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	files, err := w.customer.Files("metapipe/onboard")
	check(t, err)
	if string(files["infra/ä.yml"].Content) != "x: ü\n" || string(files["README.md"].Content) != "shop\n" {
		t.Errorf("%v", files)
	}
	if text, err := w.customer.OpenSecret("TOKEN"); text != "s3cret" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	number, err := c.OpenPullRequest(t.Context(), acme, repo.ID, "metapipe/onboard")
	check(t, err)
	if number != w.pull+1 {
		t.Errorf("pull request %d", number)
	}
	return errors.Join(c.ClosePull(t.Context(), acme, number), c.RemoveBranch(t.Context(), acme, "metapipe/onboard"), c.RemoveSecret(t.Context(), acme, "TOKEN"))
}

// TestOnboardingWritesThroughFaults: each write is done once, whatever happens to it or to its answer.
func TestOnboardingWritesThroughFaults(t *testing.T) {
	t.Parallel()
	const repo = "/repos/{owner}/{repo}"
	for _, m := range []hubtest.Matcher{
		{Method: "POST", Route: repo + "/git/trees"}, {Method: "POST", Route: repo + "/git/commits"}, {Method: "POST", Route: repo + "/git/refs"}, {Method: "PATCH", Route: repo + "/git/refs/{ref}"},
		{Method: "POST", Route: repo + "/pulls"}, {Method: "PATCH", Route: repo + "/pulls/{pull_number}"}, {Method: "DELETE", Route: repo + "/git/refs/{ref}"},
		{Method: "PUT", Route: repo + "/actions/secrets/{secret_name}"}, {Method: "DELETE", Route: repo + "/actions/secrets/{secret_name}"}, {Method: "GET", Route: repo + "/actions/secrets/public-key"},
	} {
		for _, f := range []hubtest.Fault{{Status: 502, Message: "Bad gateway"}, {Reset: true}, {Reset: true, AfterEffect: true}, {HalfBody: true}, {Status: 503, AfterEffect: true, Message: "Unavailable"}} {
			t.Run(m.Method+strings.TrimPrefix(m.Route, repo)+" "+f.String(), func(t *testing.T) {
				t.Parallel()
				w := newFixture(t)
				check(t, w.customer.Grant("kim", hub.Admin))
				if f.HalfBody && (m.Method == "DELETE" || m.Method == "PUT") {
					return // their answers have no body
				}
				w.hub.Fail(m, f, 1)
				check(t, propose(t, w, w.client()))
				if len(w.hub.Struck()) == 0 {
					t.Error("the fault has struck nothing")
				}
			})
		}
	}
}

// TestSecretKeyReplaced: a key that GitHub replaces between the two requests is asked for again.
func TestSecretKeyReplaced(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	check(t, w.customer.Grant("kim", hub.Admin))
	replaced := false
	w.hub.Fail(hubtest.Matcher{Method: "PUT", Request: func(*http.Request) bool {
		if !replaced {
			replaced = true
			check(t, w.customer.ReplaceSecretKeys())
		}
		return false
	}}, hubtest.Fault{Status: 500}, 1)
	check(t, w.client().SetSecret(t.Context(), acme, "TOKEN", "s3cret"))
	if text, err := w.customer.OpenSecret("token"); text != "s3cret" || err != nil || !replaced {
		t.Errorf("%q, %v, %v", text, err, replaced)
	}
}

// TestSealRefuses: what is no key of 32 bytes seals nothing.
func TestSealRefuses(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "no base64!", base64.StdEncoding.EncodeToString(make([]byte, 31)), base64.StdEncoding.EncodeToString(make([]byte, 33))} {
		if sealed, err := github.Seal(key, "x"); err == nil {
			t.Errorf("%q: %s", key, sealed)
		}
	}
}

// TestOnboardingHostileAnswers: answers that are about something else, or lack what counts, are errors.
func TestOnboardingHostileAnswers(t *testing.T) {
	t.Parallel()
	for path, bodies := range map[string][]string{
		"GET /repos/acme/shop": {`{}`, `{"id":1,"full_name":"acme/shop","default_branch":"main","owner":{"type":"User"}}`, `{"id":1,"full_name":"../x","default_branch":"main","fork":false,"owner":{"type":"User"}}`,
			`{"id":1,"full_name":"acme/shop","default_branch":"main","fork":false,"owner":{}}`, `{"id":0,"full_name":"acme/shop","default_branch":"main","fork":false,"owner":{"type":"User"}}`},
		"GET /repos/acme/shop/git/commits/" + string(shaA): {`{}`, `{"sha":"` + string(shaA) + `","tree":{"sha":"x"}}`, `{"sha":"` + strings.Repeat("b", 40) + `","tree":{"sha":"` + string(shaA) + `"}}`},
	} {
		for _, body := range bodies {
			c := serve(t, map[string]http.HandlerFunc{path: answer(200, body)}).client(t)
			_, err := c.OnboardingRepository(t.Context(), acme)
			if strings.Contains(path, "commits") {
				_, err = c.Commit(t.Context(), acme, shaA)
			}
			if err == nil {
				t.Errorf("%s: %s is taken", path, body)
			}
		}
	}
	own := `"base":{"ref":"main","sha":"` + string(shaA) + `","repo":{"id":7}}`
	for body, want := range map[string]int{
		`[{"number":4,"state":"open","head":{"ref":"b","sha":"` + string(shaA) + `","repo":{"id":8}},` + own + `}]`:     0, // a fork of the owner
		`[{"number":4,"state":"open","head":{"ref":"b","sha":"` + string(shaA) + `","repo":null},` + own + `}]`:         0,
		`[{"number":4,"state":"open","head":{"ref":"other","sha":"` + string(shaA) + `","repo":{"id":7}},` + own + `}]`: 0,
		`[{"number":4,"state":"open","head":{"ref":"b","sha":"` + string(shaA) + `","repo":{"id":7}},` + own + `}]`:     4,
	} {
		got, err := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/pulls": answer(200, body)}).client(t).OpenPullRequest(t.Context(), pipeline.Slug{Owner: "acme", Name: "shop"}, 7, "b")
		if got != want || err != nil {
			t.Errorf("%s: %d, %v", body, got, err)
		}
	}
}
