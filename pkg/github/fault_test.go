package github_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/pkg/retry"
)

// fault is one way in which an answer goes wrong.
type fault struct {
	name string
	hubtest.Fault
	// passes: the same request can do better at the next time. The others are
	// GitHub's last word.
	passes bool
}

var faults = []fault{
	{"403", hubtest.Fault{Status: 403, Message: "Resource not accessible by personal access token"}, false},
	{"404", hubtest.Fault{Status: 404, Message: "Not Found"}, false},
	{"409", hubtest.Fault{Status: 409, Message: "Conflict"}, false},
	{"422", hubtest.Fault{Status: 422, Message: "Validation Failed"}, false},
	{"429", hubtest.Fault{Status: 429, Message: "Too many requests"}, true},
	{"403 secondary limit", hubtest.Fault{Status: 403, Message: "You have exceeded a secondary rate limit.", Header: http.Header{"Retry-After": {"7"}}}, true},
	{"500", hubtest.Fault{Status: 500, Message: "oops"}, true},
	{"502", hubtest.Fault{Status: 502, Message: "bad gateway"}, true},
	{"502 after the effect", hubtest.Fault{Status: 502, Message: "bad gateway", AfterEffect: true}, true},
	{"reset", hubtest.Fault{Reset: true}, true},
	{"lost reply", hubtest.Fault{Reset: true, AfterEffect: true}, true},
	{"half body", hubtest.Fault{HalfBody: true}, true},
	{"slow", hubtest.Fault{Delay: 1200 * time.Millisecond}, true},
}

// writeKind is one kind of write. done counts how often it has had its effect.
type writeKind struct {
	name   string
	match  hubtest.Matcher
	do     func(t *testing.T, c *github.Client, w *fixture, id int64) error
	done   func(w *fixture, id int64) int
	make   func(t *testing.T, c *github.Client, w *fixture) int64 // what is written on; nil: nothing
	twice  bool                                                   // twice does no harm: the effect can come twice
	passed map[string]bool                                        // faults that mean "it is done already"
}

const commentRoute = "/repos/{owner}/{repo}/issues/comments/{comment_id}"

func aComment(t *testing.T, c *github.Client, w *fixture) int64 {
	return must(c.CreateComment(t.Context(), acme, w.pull, "old"))(t).ID
}

func (w *fixture) comments(body string) int {
	n := 0
	for _, c := range w.customer.Snapshot().Pulls[0].Comments {
		if c.Body == body {
			n++
		}
	}
	return n
}

func (w *fixture) issues(body string) int {
	n := 0
	for _, i := range w.customer.Snapshot().Issues {
		if i.Body == body {
			n++
		}
	}
	return n
}

func (w *fixture) deployment() pipeline.Deployment {
	return pipeline.Deployment{SHA: w.head, Environment: "infra/staging", LogURL: "https://example.com/run",
		Payload: pipeline.DeploymentPayload{Request: "11111111-2222-4333-8444-555555555555", Environment: "staging", Outcome: pipeline.OutcomeApplied}}
}

// defineTeam defines a property, and lets the next clients act for an owner of the organization.
func defineTeam(t *testing.T, _ *github.Client, w *fixture) int64 {
	must(w.hub.AddUser(hub.User{Login: "ops"}))(t)
	check(t, w.hub.AddOwner("acme", "ops"))
	check(t, w.hub.DefineProperties("acme", hub.PropertyDefinition{Name: "team", Type: hub.TextProperty}))
	check(t, w.customer.Grant("ops", hub.Admin))
	w.token = must(w.hub.AddToken(hub.Token{Name: "ops", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}}))(t).Secret
	return 0
}

func (w *fixture) defines(name string) int {
	all, err := w.client().PropertyDefinitions(w.t.Context(), acme)
	_, there := pipeline.DefinitionNamed(all, name)
	return count(w.t, err, there)
}

func count(t *testing.T, err error, is bool) int {
	check(t, err)
	if is {
		return 1
	}
	return 0
}

func createDeployment(t *testing.T, c *github.Client, w *fixture, _ int64) error {
	_, err := c.CreateDeployment(t.Context(), acme, w.deployment())
	return err
}

var writeKinds = []writeKind{
	{name: "status", match: hubtest.Matcher{Method: "POST", Route: "/repos/{owner}/{repo}/statuses/{sha}"},
		do: func(t *testing.T, c *github.Client, w *fixture, _ int64) error {
			known, err := c.Statuses(t.Context(), acme, w.head)
			if err != nil {
				return err
			}
			return c.SetStatus(t.Context(), acme, w.head, pipeline.Status{Context: "infra", State: pipeline.StatusSuccess, Description: "done"}, known)
		},
		done: func(w *fixture, _ int64) int { return len(w.customer.Snapshot().Statuses[string(w.head)]) }},
	{name: "comment", match: hubtest.Matcher{Method: "POST", Route: "/repos/{owner}/{repo}/issues/{issue_number}/comments"},
		do: func(t *testing.T, c *github.Client, w *fixture, _ int64) error {
			made, err := c.CreateComment(t.Context(), acme, w.pull, "<!-- mark -->\nhello")
			if err == nil && (made.ID == 0 || made.Author != "kim") {
				t.Errorf("the comment is %+v", made)
			}
			return err
		},
		done: func(w *fixture, _ int64) int { return w.comments("<!-- mark -->\nhello") }},
	{name: "edit of a comment", match: hubtest.Matcher{Method: "PATCH", Route: commentRoute}, make: aComment,
		do: func(t *testing.T, c *github.Client, _ *fixture, id int64) error {
			_, err := c.EditComment(t.Context(), acme, id, "new")
			return err
		},
		done: func(w *fixture, _ int64) int { return w.comments("new") }},
	{name: "deletion of a comment", match: hubtest.Matcher{Method: "DELETE", Route: commentRoute}, make: aComment,
		do: func(t *testing.T, c *github.Client, _ *fixture, id int64) error {
			return c.DeleteComment(t.Context(), acme, id)
		},
		done: func(w *fixture, _ int64) int { return 1 - w.comments("old") }},
	{name: "issue", match: hubtest.Matcher{Method: "POST", Route: "/repos/{owner}/{repo}/issues"},
		do: func(t *testing.T, c *github.Client, _ *fixture, _ int64) error {
			made, err := c.CreateIssue(t.Context(), acme, issues.Draft{Title: "Differs", Body: "hello", Labels: []string{"drift-detected", "staging"}})
			if err == nil && (made.Number == 0 || made.Author != "kim" || made.State != "open" || made.URL == "") {
				t.Errorf("the issue is %+v", made)
			}
			return err
		},
		done: func(w *fixture, _ int64) int { return w.issues("hello") }},
	{name: "edit of an issue", match: hubtest.Matcher{Method: "PATCH", Route: "/repos/{owner}/{repo}/issues/{issue_number}"},
		make: func(t *testing.T, c *github.Client, _ *fixture) int64 {
			return int64(must(c.CreateIssue(t.Context(), acme, issues.Draft{Title: "Differs", Body: "old", Labels: []string{"mine"}}))(t).Number)
		},
		do: func(t *testing.T, c *github.Client, _ *fixture, id int64) error {
			edited, err := c.EditIssue(t.Context(), acme, int(id), issues.Draft{Body: "new", State: "closed"})
			if err == nil && (edited.State != "closed" || len(edited.Labels) != 1) {
				t.Errorf("edited to %+v", edited)
			}
			return err
		},
		done: func(w *fixture, _ int64) int { return w.issues("new") }},
	{name: "deployment", match: hubtest.Matcher{Method: "POST", Route: "/repos/{owner}/{repo}/deployments"}, do: createDeployment,
		done: func(w *fixture, _ int64) int { return len(w.customer.Snapshot().Deployments) }},
	{name: "state of a deployment", match: hubtest.Matcher{Method: "POST", Route: "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses"}, do: createDeployment,
		done: func(w *fixture, _ int64) int {
			n := 0
			for _, d := range w.customer.Snapshot().Deployments {
				n += len(d.States)
			}
			return n
		}},
	{name: "custom properties", match: hubtest.Matcher{Method: "PATCH", Route: "/orgs/{org}/properties/values"}, make: defineTeam,
		do: func(t *testing.T, c *github.Client, _ *fixture, _ int64) error {
			return c.SetProperties(t.Context(), []pipeline.Slug{acme}, map[string]pipeline.Property{"team": {Form: pipeline.PropertyText, Text: "blue"}})
		},
		done: func(w *fixture, _ int64) int {
			_, properties, err := w.client().RepositoryProperties(w.t.Context(), acme)
			return count(w.t, err, properties.Get("team").Text == "blue")
		}},
	{name: "definition of a property", match: hubtest.Matcher{Method: "PATCH", Route: "/orgs/{org}/properties/schema"}, make: defineTeam,
		do: func(t *testing.T, c *github.Client, _ *fixture, _ int64) error {
			return c.DefineProperties(t.Context(), "acme", map[string]map[string]json.RawMessage{"tier": {"value_type": json.RawMessage(`"string"`)}})
		},
		done: func(w *fixture, _ int64) int { return w.defines("tier") }},
	{name: "deletion of a property", match: hubtest.Matcher{Method: "DELETE", Route: "/orgs/{org}/properties/schema/{custom_property_name}"}, make: defineTeam,
		do: func(t *testing.T, c *github.Client, _ *fixture, _ int64) error {
			return c.DeleteProperty(t.Context(), "acme", "team")
		},
		done: func(w *fixture, _ int64) int { return 1 - w.defines("team") }},
	// The manager accepts a request id once, so a second run is no second deployment.
	{name: "dispatch", match: hubtest.Matcher{Method: "POST", Route: "/repos/{owner}/{repo}/dispatches"}, twice: true,
		do: func(t *testing.T, c *github.Client, _ *fixture, _ int64) error {
			return c.Dispatch(t.Context(), acme, "deploy", json.RawMessage(`{"id":"1"}`))
		},
		done: func(w *fixture, _ int64) int { return len(w.customer.Snapshot().Runs) }},
}

func (w *fixture) faultyClient(f fault) *github.Client {
	return w.client(func(o *github.Options) {
		if f.Delay > 0 {
			o.Timeout = time.Second / 2
		}
	})
}

// TestFaultsOfWrites lets every write fail in every way, once and always: it has
// its effect once, or none and an error.
func TestFaultsOfWrites(t *testing.T) {
	t.Parallel()
	for _, kind := range writeKinds {
		for _, f := range faults {
			for _, times := range []int{1, 100} {
				t.Run(fmt.Sprintf("%s/%s/%d", kind.name, f.name, times), func(t *testing.T) {
					t.Parallel()
					kind.play(t, f, times)
				})
			}
		}
	}
}

func (k writeKind) play(t *testing.T, f fault, times int) {
	w := newFixture(t)
	var id int64
	if k.make != nil {
		id = k.make(t, w.client(), w)
	}
	before, start := k.done(w, id), w.slept
	w.hub.Fail(k.match, f.Fault, times)
	err := k.do(t, w.faultyClient(f), w, id)
	effects := k.done(w, id) - before
	once := times == 1
	hasEffect := f.AfterEffect || f.HalfBody || f.Delay > 0
	switch {
	case k.passed[f.name], once && f.passes:
		if err != nil {
			t.Errorf("it passes, and yet: %v", err)
		}
	case !f.passes && err == nil:
		t.Error("the refusal was not told")
	case !once && !hasEffect && err == nil:
		t.Error("nothing was done, and no error tells")
	}
	most := 1
	if k.twice && hasEffect {
		most = retry.Attempts
	}
	if effects > most {
		t.Errorf("it has had its effect %d times", effects)
	}
	if err == nil && effects == 0 && !k.passed[f.name] {
		t.Error("it claims to be done, and is not")
	}
	var output *github.Error
	if err != nil && (!errors.As(err, &output) || output.Op == "") {
		t.Errorf("the error does not tell what was being done: %v", err)
	}
	if waited := w.slept - start; waited > 4*time.Minute {
		t.Errorf("it waited %s", waited)
	}
	// What is written once more finds it done, whatever came before.
	w.hub.ClearFaults()
	if k.passed[f.name] || k.twice {
		return
	}
	if err := k.do(t, w.client(), w, id); err != nil {
		t.Errorf("the next run: %v", err)
	}
	if n := k.done(w, id) - before; n != 1 && k.name != "comment" && k.name != "issue" {
		t.Errorf("after the next run it is there %d times", n)
	}
}

// TestFaultsOfReads lets reads fail in every way: of one page, and in the middle
// of several.
func TestFaultsOfReads(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	for n := range 101 {
		must(w.client().CreateComment(t.Context(), acme, w.pull, fmt.Sprint(n)))(t)
	}
	second := hubtest.Matcher{Method: "GET", Request: func(r *http.Request) bool { return r.URL.Query().Get("page") == "2" }}
	for _, f := range faults {
		for _, times := range []int{1, 100} {
			w.hub.Fail(second, f.Fault, times)
			got, err := w.faultyClient(f).Comments(t.Context(), acme, w.pull)
			if wants := times == 1 && f.passes; wants && (err != nil || len(got) != 101) || !wants && (err == nil || got != nil) {
				t.Errorf("%s, %d times: %d comments, %v", f.name, times, len(got), err)
			}
			if absent(err) != (f.name == "404") {
				t.Errorf("%s, %d times: not found: %v", f.name, times, err)
			}
			w.hub.ClearFaults()
		}
	}
	if got, err := w.client().Comments(t.Context(), acme, w.pull); err != nil || len(got) != 101 {
		t.Errorf("then %d comments, %v", len(got), err)
	}
}
