package github_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// canned answers every request with the same bytes.
type canned []byte

func (c canned) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(c)), Request: req}, nil
}

// FuzzAnswers reads anything as any kind of answer: it is an error, or something with
// an identity, and never a panic.
func FuzzAnswers(f *testing.F) {
	sha := `"` + string(shaA) + `"`
	for _, seed := range []string{
		``, `null`, `[]`, `{}`, `[null]`, `7`, `"x"`, `{"id":1e99}`, `{"id":-1,"login":"ghost"}`,
		`{"id":7,"full_name":"acme/shop","default_branch":"main","custom_properties":{"a":["b"],"c":null}}`,
		`{"id":9,"run_attempt":2,"head_sha":` + sha + `,"repository":{"id":7,"custom_properties":[1]},"actor":null,"triggering_actor":{"id":10137,"login":"ghost"}}`,
		`{"number":5,"state":"open","head":{"sha":` + sha + `,"repo":null},"base":{"ref":"main"},"merge_commit_sha":null}`,
		`[{"number":5,"labels":["a",{"name":"b"},null],"pull_request":null}]`, `[{"id":3,"user":null,"body":"x"}]`,
		`[{"id":3,"sha":` + sha + `,"environment":"e","payload":"{\"request\":1}"}]`,
		`[{"state":"approved","environments":[{"name":"e"}],"user":{"id":5,"login":"kim"}}]`,
		`{"protection_rules":[{"type":"required_reviewers","reviewers":[{"type":"Gadget","reviewer":{"id":5}},null]}]}`,
		`{"statuses":[{"context":"c","state":"success"}]}`, `{"ref":"refs/heads/main","object":{"type":"commit","sha":` + sha + `}}`,
		`{"type":"file","encoding":"base64","size":0,"name":"v.yml","sha":` + sha + `,"content":""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := github.New(github.Options{Transport: canned(raw), Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		if repo, err := c.Repository(ctx, acme); err == nil && (repo.ID <= 0 || repo.DefaultBranch == "") {
			t.Errorf("a repository without an identity: %+v", repo)
		}
		if run, err := c.WorkflowRun(ctx, acme, 9); err == nil {
			if run.ID != 9 || run.RepoID <= 0 || run.HeadSHA == "" {
				t.Errorf("a run without an identity: %+v", run)
			}
			if strings.EqualFold(run.TriggeredBy.Login, "ghost") && run.TriggeredBy.Known() {
				t.Errorf("a deleted account is known: %+v", run)
			}
		}
		if pull, err := c.PullRequest(ctx, acme, 5); err == nil && (pull.Number != 5 || pull.Head == "") {
			t.Errorf("a pull request without an identity: %+v", pull)
		}
		comments, err := c.Comments(ctx, acme, 5)
		for _, one := range comments {
			if err == nil && one.ID <= 0 {
				t.Errorf("a comment without an id: %+v", one)
			}
		}
		issues, err := c.Issues(ctx, acme, "drift")
		for _, one := range issues {
			if err == nil && one.Number <= 0 {
				t.Errorf("an issue without a number: %+v", one)
			}
		}
		deployments, err := c.AllDeployments(ctx, acme, "e")
		for _, one := range deployments {
			if err == nil && one.ID <= 0 {
				t.Errorf("a deployment without an id: %+v", one)
			}
		}
		approvals, err := c.Approvals(ctx, acme, 9)
		for _, one := range approvals {
			if err == nil && one.User.Known() && (one.User.Login == "" || strings.EqualFold(one.User.Login, "ghost")) {
				t.Errorf("an approval by nobody is known: %+v", one)
			}
		}
		one, found, err := c.FindDeployment(ctx, acme, "e", func(pipeline.Deployment) bool { return true })
		if found && (err != nil || one.ID <= 0) {
			t.Errorf("found %+v, %v", one, err)
		}
		_, _ = c.PullRequestsOf(ctx, acme, shaA)
		_, _, _ = c.PullRequestPaths(ctx, acme, 5)
		_, _, _, _ = c.EnvironmentProtection(ctx, acme, "e")
		_, _ = c.PendingEnvironments(ctx, acme, 9)
		_, _ = c.Statuses(ctx, acme, shaA)
		_, _ = c.StatusHistory(ctx, acme, shaA)
		_, _ = c.BranchHead(ctx, acme, "main")
		_, _, _ = c.Compare(ctx, acme, shaA, shaB)
		_, _ = c.File(ctx, acme, "main", "v.yml")
		_, _ = c.Issue(ctx, acme, 5)
	})
}
