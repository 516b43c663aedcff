package github_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// settingsReads are the reads of doctor.
var settingsReads = []readKind{
	{"settings of a repository", "Settings", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		got, err := c.Settings(ctx, acme)
		got.Properties = pipeline.Properties{} // the one part that grows
		return got, err
	}},
	{"tree", "Tree", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		return c.Tree(ctx, acme, "main")
	}},
	{"blob", "Blob", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		tree, err := c.Tree(ctx, acme, "main")
		if err != nil {
			return nil, err
		}
		return c.Blob(ctx, acme, tree.Files[0].ID)
	}},
	{"workflows", "Workflows", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		return c.Workflows(ctx, acme)
	}},
	{"rules of a branch", "BranchRules", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		return c.BranchRules(ctx, acme, "main")
	}},
	{"environments", "Environments", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		return c.Environments(ctx, acme)
	}},
	{"branches of an environment", "DeploymentBranches", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		return c.DeploymentBranches(ctx, acme, "gated")
	}},
	{"names of secrets", "SecretNames", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		return c.SecretNames(ctx, acme)
	}},
	{"variables", "Variables", func(ctx context.Context, c *github.Client, w *fixture, m made) (any, error) {
		return c.Variables(ctx, acme)
	}},
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	check(t, w.customer.Grant("kim", hub.Admin))
	check(t, w.customer.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"kim"}, WaitTimer: 5 * time.Minute, PreventSelfReview: true, Branches: []string{"main", "release/*"}, NoBypass: true}))
	check(t, w.customer.SetEnvironment("staging-apply", hub.EnvironmentRules{ProtectedBranches: true}))
	w.customer.SetSecrets("A", "B")
	w.customer.SetVariable("tf_state_bucket", "states")
	w.customer.AddRuleset(hub.Ruleset{Rules: []hub.Rule{{Type: "deletion"}}})
	c, ctx := w.client(), t.Context()
	environments := must(c.Environments(ctx, acme))(t)
	no, yes := false, true
	want := []doctor.Environment{
		{Name: "production-apply", Reviewers: 1, Wait: 5 * time.Minute, PreventSelfReview: true, Bypass: &no, Branches: doctor.NamedBranches},
		{Name: "staging-apply", Bypass: &yes, Branches: doctor.ProtectedBranches},
	}
	if !reflect.DeepEqual(environments, want) {
		t.Errorf("environments: %+v", environments)
	}
	if got := must(c.DeploymentBranches(ctx, acme, "production-apply"))(t); !slices.Equal(got, []string{"main", "release/*"}) {
		t.Errorf("branches: %q", got)
	}
	if got := must(c.SecretNames(ctx, acme))(t); !slices.Equal(got, []string{"A", "B"}) {
		t.Errorf("secrets: %q", got)
	}
	if got := must(c.Variables(ctx, acme))(t); got["TF_STATE_BUCKET"] != "states" || len(got) != 1 {
		t.Errorf("variables: %v", got)
	}
	if got := must(c.ActionsPermissions(ctx, acme))(t); !got.Enabled || got.Allowed != "all" {
		t.Errorf("Actions: %+v", got)
	}
	if got := must(c.WorkflowPermissions(ctx, acme))(t); got.Token != "read" || got.Approves {
		t.Errorf("workflow permissions: %+v", got)
	}
	if got := must(c.BranchRules(ctx, acme, "main"))(t); !slices.Equal(got, []string{"deletion"}) {
		t.Errorf("rules: %q", got)
	}
	repository := must(c.Settings(ctx, acme))(t)
	if !repository.Private || !repository.Organization || !repository.Push || repository.DefaultBranch != "main" {
		t.Errorf("repository: %+v", repository)
	}
	got := c.Credential()
	if got.Kind != doctor.Classic || !slices.Equal(got.Scopes, []string{"repo"}) || got.Now.IsZero() {
		t.Errorf("credential: %+v", got)
	}
}

// TestListsThatAreNotWhole: a list of which a part is missing is an error, and never a short list.
func TestListsThatAreNotWhole(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"more":       `{"total_count":2,"secrets":[{"name":"A"}]}`,
		"no number":  `{"secrets":[{"name":"A"}]}`,
		"no list":    `{"total_count":0}`,
		"null":       `{"total_count":0,"secrets":null}`,
		"other list": `{"total_count":1,"variables":[{"name":"A"}]}`,
		"no object":  `[]`,
	} {
		c := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/actions/secrets": answer(200, body)}).client(t)
		if got, err := c.SecretNames(t.Context(), acme); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestUnknownRuleTypes: a rule of a type that is not known is still a rule.
func TestUnknownRuleTypes(t *testing.T) {
	t.Parallel()
	c := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop/rules/branches/release/1": answer(200, `[{"type":"pull_request","parameters":{"x":[1]}},{"type":"quantum_review","parameters":"?"},{"type":"deletion"}]`)}).client(t)
	got, err := c.BranchRules(t.Context(), acme, "release/1")
	if err != nil || !slices.Equal(got, []string{"pull_request", "quantum_review", "deletion"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestSettingsThatAPlanLacks: what the plan of the owner lacks is told apart from a missing permission.
func TestSettingsThatAPlanLacks(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	check(t, w.hub.SetPlan("acme", hub.PlanFree))
	_, err := w.client().BranchRules(t.Context(), acme, "main")
	var refused *github.Error
	if !errors.As(err, &refused) || !refused.IsPlan() {
		t.Errorf("%v", err)
	}
	if _, forbidden := refused.Needed(); forbidden {
		t.Error("it was taken for a missing permission")
	}
}

// TestNoAcceptedTry: a write that GitHub must refuse and has accepted is an error.
func TestNoAcceptedTry(t *testing.T) {
	t.Parallel()
	body, _ := json.Marshal(map[string]any{})
	for status, want := range map[int]bool{200: false, 204: false, 422: true, 404: true, 403: false, 500: false} {
		c := serve(t, map[string]http.HandlerFunc{"POST /repos/acme/shop/dispatches": answer(status, string(body))}).client(t)
		if err := c.Try(t.Context(), acme, "contents", "write"); (err == nil) != want {
			t.Errorf("HTTP %d: %v", status, err)
		}
	}
	if err := w404(t).Try(t.Context(), acme, "magic", "write"); err == nil {
		t.Error("an unknown permission was tried")
	}
}

func w404(t *testing.T) *github.Client { return serve(t, map[string]http.HandlerFunc{}).client(t) }
