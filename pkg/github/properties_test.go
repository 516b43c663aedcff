package github_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gogithub "github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// grownWrites are the calls that write and read what GitHub answers to that.
var grownWrites = []readKind{
	{"comment", "CreateComment", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.CreateComment(ctx, acme, w.pull, "again")
	}},
	{"edited comment", "EditComment", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		made, err := c.CreateComment(ctx, acme, w.pull, "first")
		if err != nil {
			return nil, err
		}
		return c.EditComment(ctx, acme, made.ID, "second")
	}},
	{"deleted comment", "DeleteComment", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		made, err := c.CreateComment(ctx, acme, w.pull, "gone")
		if err != nil {
			return nil, err
		}
		return nil, c.DeleteComment(ctx, acme, made.ID)
	}},
	{"issue", "CreateIssue", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return c.CreateIssue(ctx, acme, issues.Draft{Title: "Drift", Body: "b", Labels: []string{"drift"}})
	}},
	{"edited issue", "EditIssue", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return c.EditIssue(ctx, acme, m.issue, issues.Draft{Body: "edited"})
	}},
	{"status", "SetStatus", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return nil, c.SetStatus(ctx, acme, w.head, pipeline.Status{Context: "infra/y", State: "success", Description: "d"}, nil)
	}},
	{"deployment", "CreateDeployment", func(ctx context.Context, c *github.Client, w *fixture, _ made) (any, error) {
		return c.CreateDeployment(ctx, acme, w.deployment())
	}},
	{"dispatch", "Dispatch", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return nil, c.Dispatch(ctx, acme, "deploy", []byte(`{"a":1}`))
	}},
	{"started workflow", "StartWorkflow", func(ctx context.Context, c *github.Client, _ *fixture, _ made) (any, error) {
		return nil, c.StartWorkflow(ctx, acme, "manual.yml", "main", nil)
	}},
	{"cancelled run", "CancelRun", func(ctx context.Context, c *github.Client, _ *fixture, m made) (any, error) {
		return nil, c.CancelRun(ctx, acme, m.run, false)
	}},
}

// TestWritesGrow: what GitHub answers to a write is read whatever custom properties hold.
func TestWritesGrow(t *testing.T) {
	t.Parallel()
	for _, kind := range slices.Concat(grownWrites, onboardingWrites) {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			for _, form := range propertyForms {
				w := newFixture(t)
				must(w.hub.AddUser(hub.User{Login: "robin"}))(t)
				check(t, w.customer.AddWorkflow(hub.Workflow{Path: ".github/workflows/manual.yml", Name: "Manual", Manual: true}))
				m := w.furnish()
				c := w.client(func(o *github.Options) { o.Transport = growingBody{form} })
				if _, err := kind.do(t.Context(), c, w, m); err != nil {
					t.Errorf("custom_properties %s: %v", form, err)
				}
			}
		})
	}
}

// TestEachCallGrows: no call of the client is missing in the tables of reads and writes.
func TestEachCallGrows(t *testing.T) {
	t.Parallel()
	covered := []string{
		"Calls", "Budget", // ask no one
		"RepositoryProperties", "OrganizationProperties", "RepositoriesProperties", // tests of their own: their answers are the properties
		"PropertyDefinitions", "DefineProperties", "DeleteProperty", "SetProperties",
		"OrganizationRepositories", "OrganizationTeams",
		"ActionsPermissions", "WorkflowPermissions", "Installation", // have no repository in them
		"StartedRuns",                     // its runs are those of WorkflowRun
		"Setting", "SetSetting", "Person", // likewise
		"Commit", "MakeCommit", "MakeBranch", "MoveBranch", "RemoveBranch", "SetSecret", "RemoveSecret", // likewise
		"Credential", "Try", "TryOrganization", // read the headers and the status alone
		"Files", // asks for the text of files alone
	}
	for _, kind := range slices.Concat(readKinds, settingsReads, onboardingReads, grownWrites, onboardingWrites) {
		covered = append(covered, kind.method)
	}
	for client, i := reflect.TypeFor[*github.Client](), 0; i < client.NumMethod(); i++ {
		if name := client.Method(i).Name; !slices.Contains(covered, name) {
			t.Errorf("no test reads the answer to %s with custom properties of every form", name)
		}
	}
}

// TestOldTypesFail: the types of go-github take custom properties for texts, so one list
// among them fails every answer that embeds a repository. This is why metapipe has its own.
func TestOldTypesFail(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	must(w.hub.AddUser(hub.User{Login: "robin"}))(t)
	m := w.furnish()
	api := gogithub.NewClient(nil).WithAuthToken(w.token)
	for path, into := range map[string]any{
		"": &gogithub.Repository{}, fmt.Sprintf("/actions/runs/%d", m.run): &gogithub.WorkflowRun{}, "/actions/runs": &gogithub.WorkflowRuns{},
		fmt.Sprintf("/pulls/%d", w.pull): &gogithub.PullRequest{}, "/pulls": &[]*gogithub.PullRequest{}, "/commits/" + string(w.head) + "/pulls": &[]*gogithub.PullRequest{},
	} {
		req, err := api.NewRequest(http.MethodGet, w.hub.URL()+"/repos/acme/shop"+path, nil)
		check(t, err)
		if _, err := api.Do(t.Context(), req, into); err == nil {
			t.Errorf("GET %s: the hub embeds no repository with a list among its properties", path)
		}
	}
}

// TestRepositoryProperties: one call reads the repository and its properties. Properties
// of no known form are unknown, and the repository is read all the same.
func TestRepositoryProperties(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	c := w.client()
	repo, properties, err := c.RepositoryProperties(t.Context(), acme)
	check(t, err)
	if want := must(c.Repository(t.Context(), acme))(t); repo != want || !properties.Known() {
		t.Errorf("got %+v, want %+v, known %v", repo, want, properties.Known())
	}
	for name, want := range map[string]pipeline.Property{
		"infrastructure_tools": {Form: pipeline.PropertyList, List: []string{"terraform", "ansible"}}, "regions": {Form: pipeline.PropertyList, List: []string{}},
		"customer_tier": {Form: pipeline.PropertyText, Text: "enterprise"}, "team_owner": {}, "nothing": {},
	} {
		if diff := cmp.Diff(want, properties.Get(name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, form := range propertyForms {
		grown := w.client(func(o *github.Options) { o.Transport = growingBody{form} })
		other, properties, err := grown.RepositoryProperties(t.Context(), acme)
		if err != nil || other != repo || properties.Known() != (form[0] == '{') {
			t.Errorf("custom_properties %s: %+v, known %v, %v", form, other, properties.Known(), err)
		}
		if calls := grown.Budget().Reads; calls != 1 {
			t.Errorf("%d calls", calls)
		}
	}
	if _, _, err := c.RepositoryProperties(t.Context(), pipeline.Slug{Owner: "acme", Name: "nothing"}); !pipeline.NotVisible(err) {
		t.Errorf("a repository that is not there: %v", err)
	}
}

// TestPropertiesBesideStatuses: the answer about the statuses of a commit holds the properties,
// too. One without them says nothing, and neither do those that cannot be read.
func TestPropertiesBesideStatuses(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	all, err := w.client().CommitStatuses(t.Context(), acme, w.head)
	check(t, err)
	if got := all.Properties.Get("infrastructure_tools").List; !slices.Equal(got, []string{"terraform", "ansible"}) {
		t.Errorf("the hub has %q", got)
	}
	path := "GET /repos/acme/shop/commits/" + string(shaA) + "/status"
	for form, known := range map[string]bool{"": false, `,"custom_properties":null`: false, `,"custom_properties":[]`: false, `,"custom_properties":{}`: true, `,"custom_properties":{"a":["b"]}`: true} {
		got, err := serve(t, map[string]http.HandlerFunc{path: answer(200, `{"repository":{"id":7,"full_name":"acme/shop"`+form+`}}`)}).client(t).CommitStatuses(t.Context(), acme, shaA)
		if err != nil || got.Properties.Known() != known {
			t.Errorf("%s: known %v, %v", form, got.Properties.Known(), err)
		}
	}
}

// TestOrganizationProperties: one call for each hundred repositories. What cannot be read of one
// is unknown, and hides no other one.
func TestOrganizationProperties(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	check(t, w.hub.DefineProperties("acme", hub.PropertyDefinition{Name: "tools", Type: hub.MultiSelect, Allowed: []string{"terraform"}}))
	must(w.hub.AddUser(hub.User{Login: "ops"}))(t)
	check(t, w.hub.AddOwner("acme", "ops"))
	token := must(w.hub.AddToken(hub.Token{Name: "org", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "read:org"}}))(t).Secret
	ids := map[string]int64{}
	for n := range 250 {
		name := fmt.Sprintf("r%03d", n)
		repo := must(w.hub.AddRepo("acme", name, hub.RepoOptions{Private: true, Properties: hub.Properties{"tools": []string{"terraform"}}}))(t)
		check(t, repo.Grant("ops", hub.Admin))
		ids[name] = repo.ID()
	}
	c := w.client(func(o *github.Options) { o.Token = token })
	all, err := c.OrganizationProperties(t.Context(), "acme")
	if err != nil || len(all) != 250 || c.Budget().Reads != 3 {
		t.Fatalf("%d repositories, %d calls: %v", len(all), c.Budget().Reads, err)
	}
	want := pipeline.Property{Form: pipeline.PropertyList, List: []string{"terraform"}}
	last := all[ids["r249"]]
	if got := last.Properties.Get("tools"); !last.Properties.Known() || !slices.Equal(got.List, want.List) || last.Slug.String() != "acme/r249" || last.ID != ids["r249"] {
		t.Errorf("%+v", last)
	}
	if _, err := c.OrganizationProperties(t.Context(), "kim"); !pipeline.NotVisible(err) {
		t.Errorf("a person: %v", err)
	}
	for body, known := range map[string]bool{
		`[{"repository_id": 7, "repository_full_name": "acme/shop", "properties": [{"property_name": "tools", "value": ["x"]}]}]`:                                         true,
		`[{"repository_id": 7, "repository_full_name": "acme/shop", "properties": []}]`:                                                                                   true,
		`[{"repository_id": 7, "repository_full_name": "acme/shop", "properties": [{"property_name": "tools", "value": "x"}, {"property_name": "tools", "value": "y"}]}]`: false,
		`[{"repository_id": 7, "repository_full_name": "acme/shop", "properties": [{"property_name": "tools", "value": "x"}, {"property_name": "TOOLS", "value": "y"}]}]`: false,
		`[{"repository_id": 7, "repository_full_name": "acme/shop", "properties": [{"property_name": "tools"}]}]`:                                                         false,
		`[{"repository_id": 7, "repository_full_name": "acme/shop", "properties": [{"property_name": "tools", "value": {"a": 1}}]}]`:                                      true,
	} {
		got, err := w.client(answering(body)).OrganizationProperties(t.Context(), "acme")
		if err != nil || got[7].Properties.Known() != known {
			t.Errorf("%s: known %v, %v", body, got[7].Properties.Known(), err)
		}
	}
	for _, body := range []string{`[{"repository_id": 0, "repository_full_name": "acme/shop", "properties": []}]`, `[{"repository_id": 7, "properties": []}]`, `[{"repository_id": 7, "repository_full_name": "shop"}]`,
		`[{"repository_id": 7, "repository_full_name": "acme/shop"}, {"repository_id": 7, "repository_full_name": "acme/shop"}]`, `{}`, `null`} {
		if got, err := w.client(answering(body)).OrganizationProperties(t.Context(), "acme"); err == nil {
			t.Errorf("%s is taken for %+v", body, got)
		}
	}
}

// answering lets each call have an answer.
func answering(body string) func(*github.Options) {
	return func(o *github.Options) { o.Transport = fixedAnswer(body) }
}

type fixedAnswer string

func (a fixedAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}
