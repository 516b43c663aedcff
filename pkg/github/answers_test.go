package github_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// growingBody is a GitHub that has added to its answers: every object has keys that no one
// knows, and every repository custom properties of the given form.
type growingBody struct{ properties string }

func (g growingBody) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || resp.StatusCode >= 300 {
		return resp, err
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	var v any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if len(raw) > 0 {
		if err := decoder.Decode(&v); err != nil {
			return nil, err
		}
		if raw, err = json.Marshal(g.add(v)); err != nil {
			return nil, err
		}
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	resp.Header.Del("Content-Length")
	return resp, nil
}

func (g growingBody) add(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for key, child := range x {
			if key != "payload" { // ours, and compared below
				x[key] = g.add(child)
			}
		}
		if x["full_name"] != nil {
			x["custom_properties"] = json.RawMessage(g.properties)
		}
		x["a_new_key"], x["another"] = []any{map[string]any{"id": "x"}}, nil
	case []any:
		for i := range x {
			x[i] = g.add(x[i])
		}
	}
	return v
}

// readKind is one kind of read, with everything in its answer that metapipe uses.
type readKind struct {
	name   string
	method string // of Client
	do     func(ctx context.Context, c *github.Client, w *fixture, made made) (any, error)
}

// made is what the reads are about.
type made struct {
	run, deployment int64
	issue           int
	commit          pipeline.SHA
}

var readKinds = []readKind{
	{"repository", "Repository", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.Repository(ctx, acme)
	}},
	{"owner", "OwnedByPerson", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.OwnedByPerson(ctx, acme)
	}},
	{"run", "WorkflowRun", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return c.WorkflowRun(ctx, acme, m.run)
	}},
	{"attempt of a run", "RunAttempt", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return c.RunAttempt(ctx, acme, m.run, 1)
	}},
	{"list of runs", "ListsRuns", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return nil, c.ListsRuns(ctx, acme)
	}},
	{"subject of ID tokens", "SubjectClaim", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.SubjectClaim(ctx, acme)
	}},
	{"deployments of a commit", "CommitDeployments", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.CommitDeployments(ctx, acme, w.head)
	}},
	{"branch head", "BranchHead", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.BranchHead(ctx, acme, "main")
	}},
	{"reachable", "Reachable", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return c.Reachable(ctx, acme, "change", m.commit)
	}},
	{"compare", "Compare", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		ahead, behind, err := c.Compare(ctx, acme, m.commit, w.head)
		return []bool{ahead, behind}, err
	}},
	{"changed paths", "ChangedPaths", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		paths, complete, err := c.ChangedPaths(ctx, acme, m.commit, w.head)
		return []any{paths, complete}, err
	}},
	{"pull request", "PullRequest", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.PullRequest(ctx, acme, w.pull)
	}},
	{"pull requests of a commit", "PullRequestsOf", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.PullRequestsOf(ctx, acme, w.head)
	}},
	{"files of a pull request", "PullRequestPaths", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		paths, complete, err := c.PullRequestPaths(ctx, acme, w.pull)
		return []any{paths, complete}, err
	}},
	{"comments", "Comments", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.Comments(ctx, acme, w.pull)
	}},
	{"issue", "Issue", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return c.Issue(ctx, acme, m.issue)
	}},
	{"issues", "Issues", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.Issues(ctx, acme, "drift")
	}},
	{"statuses", "Statuses", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.Statuses(ctx, acme, w.head)
	}},
	{"statuses and their repository", "CommitStatuses", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		all, err := c.CommitStatuses(ctx, acme, w.head)
		return []any{all.Repository, all.List}, err // TestPropertiesBesideStatuses has the rest
	}},
	{"history of the statuses", "StatusHistory", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.StatusHistory(ctx, acme, w.head)
	}},
	{"deployments", "Deployments", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.Deployments(ctx, acme, w.head, "infra/staging")
	}},
	{"newest deployments", "Deployments", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.Deployments(ctx, acme, "", "infra/staging")
	}},
	{"all deployments", "AllDeployments", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.AllDeployments(ctx, acme, "infra/staging")
	}},
	{"found deployment", "FindDeployment", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		d, found, err := c.FindDeployment(ctx, acme, "infra/staging", func(pipeline.Deployment) bool { return true })
		return []any{d, found}, err
	}},
	{"environment", "EnvironmentProtection", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		exists, reviewers, wait, err := c.EnvironmentProtection(ctx, acme, "gated")
		return []any{exists, reviewers, wait}, err
	}},
	{"pending environments", "PendingEnvironments", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return c.PendingEnvironments(ctx, acme, m.run)
	}},
	{"approvals", "Approvals", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return c.Approvals(ctx, acme, m.run)
	}},
	{"file", "File", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.File(ctx, acme, "main", "README.md")
	}},
	{"file of a branch", "BranchFile", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.BranchFile(ctx, acme, "main", "README.md")
	}},
	{"login", "Login", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) { return c.Login(ctx) }},
}

// furnish makes everything that the reads are about.
func (w *fixture) furnish() made {
	w.t.Helper()
	c, ctx := w.client(), w.t.Context()
	m := made{commit: pipeline.SHA(must(w.customer.Head("main"))(w.t))}
	for _, env := range []string{"gated", "later"} {
		check(w.t, w.customer.SetEnvironment(env, hub.EnvironmentRules{Reviewers: []string{"kim"}}))
	}
	run := must(w.customer.StartRun(hub.NewRun{Event: "push", Path: ".github/workflows/deploy.yml", HeadSHA: string(w.head), HeadBranch: "change", Actor: "kim"}))(w.t)
	check(w.t, w.customer.SetRun(run.ID, "completed", "failure"))
	must(w.customer.RerunBy(run.ID, "robin"))(w.t)
	for _, env := range []string{"gated", "later"} {
		must(w.customer.EnterEnvironment(run.ID, env, env))(w.t)
	}
	check(w.t, w.customer.Review(run.ID, "gated", "kim", true, "yes"))
	m.run = run.ID
	must(c.CreateComment(ctx, acme, w.pull, "hello"))(w.t)
	m.issue = must(c.CreateIssue(ctx, acme, issues.Draft{Title: "Drift", Body: "b", Labels: []string{"drift"}}))(w.t).Number
	check(w.t, c.SetStatus(ctx, acme, w.head, pipeline.Status{Context: "infra/x", State: "pending", Description: "d"}, nil))
	m.deployment = must(c.CreateDeployment(ctx, acme, w.deployment()))(w.t)
	return m
}

// propertyForms are forms that custom_properties of a repository have, or may get.
var propertyForms = []string{
	`{"tools":["terraform","ansible"],"tier":"x","owner":null}`, `{}`, `null`, `[]`, `"none"`, `7`,
	`{"a":{"b":[{"c":1}]},"id":1,"default_branch":["x"]}`,
}

// TestAnswersGrow: GitHub adds keys and gives custom properties values of any form,
// and every read says the same as before.
func TestAnswersGrow(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	must(w.hub.AddUser(hub.User{Login: "robin"}))(t)
	m := w.furnish()
	for _, kind := range slices.Concat(readKinds, settingsReads, onboardingReads) {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			want, err := kind.do(t.Context(), w.client(), w, m)
			check(t, err)
			for _, form := range propertyForms {
				c := w.client(func(o *github.Options) { o.Transport = growingBody{form} })
				got, err := kind.do(t.Context(), c, w, m)
				if err != nil || !cmp.Equal(want, got) {
					t.Errorf("custom_properties %s: %v %s", form, err, cmp.Diff(want, got))
				}
			}
		})
	}
}

// TestWhoIsUnknown: an account that is gone, or that GitHub does not name, has no id.
func TestWhoIsUnknown(t *testing.T) {
	t.Parallel()
	run := func(actors string) string {
		return `{"id":9,"run_attempt":2,"head_sha":"` + string(shaA) + `","repository":{"id":7}` + actors + `}`
	}
	for name, tc := range map[string]struct {
		actors      string
		by, trigger pipeline.Account
	}{
		"both":          {`,"actor":{"id":5,"login":"kim"},"triggering_actor":{"id":6,"login":"robin"}`, pipeline.Account{ID: 5, Login: "kim"}, pipeline.Account{ID: 6, Login: "robin"}},
		"null":          {`,"actor":null,"triggering_actor":null`, pipeline.Account{}, pipeline.Account{}},
		"absent":        {``, pipeline.Account{}, pipeline.Account{}},
		"no id":         {`,"actor":{"login":"kim"},"triggering_actor":{"id":0,"login":"robin"}`, pipeline.Account{Login: "kim"}, pipeline.Account{Login: "robin"}},
		"no login":      {`,"actor":{"id":5},"triggering_actor":{"id":6,"login":""}`, pipeline.Account{}, pipeline.Account{}},
		"negative":      {`,"actor":{"id":-5,"login":"kim"}`, pipeline.Account{Login: "kim"}, pipeline.Account{}},
		"ghost":         {`,"actor":{"id":10137,"login":"ghost"},"triggering_actor":{"id":77,"login":"Ghost"}`, pipeline.Account{Login: "ghost"}, pipeline.Account{Login: "Ghost"}},
		"one has an id": {`,"actor":{"id":5,"login":"kim"}`, pipeline.Account{ID: 5, Login: "kim"}, pipeline.Account{}},
	} {
		s := serve(t, map[string]http.HandlerFunc{
			"GET /repos/acme/shop/actions/runs/9":           answer(200, run(tc.actors)),
			"GET /repos/acme/shop/actions/runs/9/approvals": answer(200, `[{"state":"approved","environments":[{"name":"e"}]`+strings.Replace(tc.actors, `"actor"`, `"user"`, 1)+`}]`),
		})
		got, err := s.client(t).WorkflowRun(t.Context(), acme, 9)
		if err != nil || got.StartedBy != tc.by || got.TriggeredBy != tc.trigger || got.Actor != tc.by.Login {
			t.Errorf("%s: %+v, %+v, %v", name, got.StartedBy, got.TriggeredBy, err)
		}
		if got.StartedBy.Known() != (tc.by.ID > 0) {
			t.Errorf("%s: known is %v", name, got.StartedBy.Known())
		}
		approvals, err := s.client(t).Approvals(t.Context(), acme, 9)
		if err != nil || len(approvals) != 1 || approvals[0].User != tc.by || !approvals[0].Approved {
			t.Errorf("%s: %+v, %v", name, approvals, err)
		}
	}
}

// TestWhoCausedARun: the two accounts of a re-run keep their ids through renames and
// become unknown when they are deleted.
func TestWhoCausedARun(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	robin := must(w.hub.AddUser(hub.User{Login: "robin"}))(t)
	m := w.furnish()
	look := func() (pipeline.WorkflowRun, deploy.Approval) {
		c := w.client()
		return must(c.WorkflowRun(t.Context(), acme, m.run))(t), must(c.Approvals(t.Context(), acme, m.run))(t)[0]
	}
	run, approval := look()
	kim := approval.User
	if !kim.Known() || run.StartedBy != kim || run.TriggeredBy != (pipeline.Account{ID: robin.ID, Login: "robin"}) || run.Attempt != 2 || run.HeadSHA != w.head {
		t.Errorf("got %+v, %+v", run, approval)
	}
	check(t, w.hub.RenameUser("kim", "kimberly"))
	must(w.hub.AddUser(hub.User{Login: "kim"}))(t)
	run, approval = look()
	if want := (pipeline.Account{ID: kim.ID, Login: "kimberly"}); run.StartedBy != want || approval.User != want || run.Actor != "kimberly" {
		t.Errorf("renamed: %+v, %+v", run, approval)
	}
	check(t, w.hub.DeleteUser("robin"))
	if run, _ = look(); run.TriggeredBy.Known() || !run.StartedBy.Known() {
		t.Errorf("deleted: %+v", run)
	}
}

// TestAnswersLackWhatMatters: an answer without the id of what it is about is an
// error and never a thing without an id.
func TestAnswersLackWhatMatters(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop":                      answer(200, `{"full_name":"acme/shop","default_branch":"main","custom_properties":{"id":7}}`),
		"GET /repos/acme/shop/actions/runs/9":       answer(200, `{"id":9,"head_sha":"`+string(shaA)+`","repository":{"custom_properties":{"id":7}}}`),
		"GET /repos/acme/shop/issues/5/comments":    answer(200, `[{"body":"x","user":{"login":"kim"}}]`),
		"GET /repos/acme/shop/issues":               answer(200, `[null]`),
		"GET /repos/acme/shop/deployments":          answer(200, `[{"environment":"e","sha":"`+string(shaA)+`"}]`),
		"GET /repos/acme/shop/pulls/5":              answer(200, `null`),
		"PATCH /repos/acme/shop/issues/comments/3":  answer(200, `{}`),
		"GET /repos/acme/shop/environments/removed": answer(200, `{"protection_rules":[{"type":"required_reviewers","reviewers":[{"type":"User","reviewer":null},{"type":"Bot"},null]}]}`),
	})
	c, ctx := s.client(t), t.Context()
	for name, read := range map[string]func() error{
		"repository":  func() error { _, err := c.Repository(ctx, acme); return err },
		"run":         func() error { _, err := c.WorkflowRun(ctx, acme, 9); return err },
		"comments":    func() error { _, err := c.Comments(ctx, acme, 5); return err },
		"issues":      func() error { _, err := c.Issues(ctx, acme, "drift"); return err },
		"deployments": func() error { _, err := c.Deployments(ctx, acme, shaA, "e"); return err },
		"all":         func() error { _, err := c.AllDeployments(ctx, acme, "e"); return err },
		"found": func() error {
			_, _, err := c.FindDeployment(ctx, acme, "e", func(pipeline.Deployment) bool { return true })
			return err
		},
		"pull": func() error { _, err := c.PullRequest(ctx, acme, 5); return err },
		"edit": func() error { _, err := c.EditComment(ctx, acme, 3, "x"); return err },
	} {
		if err := read(); err == nil {
			t.Errorf("%s: an answer without an id was taken", name)
		}
	}
	exists, reviewers, _, err := c.EnvironmentProtection(ctx, acme, "removed")
	if !exists || reviewers != 0 || err != nil {
		t.Errorf("reviewers that are gone: %v, %d, %v", exists, reviewers, err)
	}
}

// TestLabelsInBothForms: GitHub's description of an issue allows objects and names.
func TestLabelsInBothForms(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{
		"GET /repos/acme/shop/issues": answer(200, `[{"number":4,"labels":["drift",{"id":1,"name":"prod"}]},{"number":5,"pull_request":{},"labels":[]},{"number":6,"pull_request":null}]`),
	})
	got, err := s.client(t).Issues(t.Context(), acme, "drift")
	if err != nil || len(got) != 2 || !cmp.Equal(got[0].Labels, []string{"drift", "prod"}) || got[1].Number != 6 {
		t.Errorf("got %+v, %v", got, err)
	}
}
