package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func TestDeployments(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	api, ctx := s.client("metapipe").Repositories, t.Context()
	deploy := func(env string) *github.Deployment {
		d, _, err := api.CreateDeployment(ctx, "acme", "shop", &github.DeploymentRequest{
			Ref: &s.first, Environment: &env, AutoMerge: github.Bool(false), RequiredContexts: &[]string{},
			Payload: map[string]any{"outputs": map[string]string{"a": "1"}}, Description: github.String("d"),
		})
		good(t, err)
		return d
	}
	set := func(d *github.Deployment, state string, inactive *bool) {
		_, _, err := api.CreateDeploymentStatus(ctx, "acme", "shop", d.GetID(), &github.DeploymentStatusRequest{
			State: &state, LogURL: github.String(s.hub.URL() + "/log"), AutoInactive: inactive,
		})
		good(t, err)
	}
	state := func(d *github.Deployment) string {
		list, _, err := api.ListDeploymentStatuses(ctx, "acme", "shop", d.GetID(), nil)
		good(t, err)
		return list[0].GetState()
	}
	a, b, other := deploy("infra/staging"), deploy("infra/staging"), deploy("infra/other")
	var payload struct{ Outputs map[string]string }
	good(t, json.Unmarshal(a.Payload, &payload))
	equal(t, "payload", payload.Outputs["a"], "1")
	set(a, "success", nil)
	set(other, "success", nil)
	set(b, "in_progress", nil)
	equal(t, "before the success", state(a), "success")
	set(b, "success", github.Bool(false))
	equal(t, "without auto_inactive", state(a), "success")
	set(b, "success", nil)
	equal(t, "auto_inactive", state(a), "inactive")
	equal(t, "another environment", state(other), "success")
	p, q := deploy("production"), deploy("production")
	set(p, "success", nil)
	set(q, "success", nil)
	equal(t, "production is not retired", state(p), "success")
	list, _, err := api.ListDeployments(ctx, "acme", "shop", &github.DeploymentsListOptions{Environment: "infra/staging", SHA: s.first})
	good(t, err)
	equal(t, "list", fmt.Sprintln(len(list), list[0].GetID() == b.GetID()), "2 true\n")
	_, _, err = api.GetDeployment(ctx, "acme", "shop", a.GetID())
	good(t, err)
	_, _, err = api.GetEnvironment(ctx, "acme", "shop", "infra%2Fstaging")
	good(t, err) // it was made by the deployment
}

func TestDeploymentDefaults(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	path, ctx := "/repos/acme/shop/deployments", t.Context()
	_, _, err := s.client("job").Repositories.CreateStatus(ctx, "acme", "shop", s.first, &github.RepoStatus{
		Context: github.String("ci"), State: github.String("pending"),
	})
	good(t, err)
	a := s.send("job", "POST", path, `{"ref":"main"}`)
	if a.status != 409 || !strings.Contains(a.body, `"context":"ci"`) {
		t.Errorf("all contexts are required by default: %d %s", a.status, a.body)
	}
	equal(t, "required and missing", s.send("job", "POST", path, `{"ref":"main","required_contexts":["other"]}`).status, 409)
	equal(t, "no context", s.send("job", "POST", path, `{"ref":"main","required_contexts":[]}`).status, 201)

	s.commit(s.customer, "topic", map[string]string{"t": ""})
	s.commit(s.customer, "main", map[string]string{"m": ""})
	was := got(s.customer.Head("topic"))(t)
	a = s.send("job", "POST", path, `{"ref":"topic"}`)
	equal(t, "auto_merge", fmt.Sprint(a.status, " ", a.object(t)["message"]), "202 Auto-merged main into topic on deployment.")
	if got(s.customer.Head("topic"))(t) == was {
		t.Error("the branch has not moved")
	}
	equal(t, "auto_merge into a commit", s.send("job", "POST", path, `{"ref":"`+was+`"}`).status, 409)
	equal(t, "without auto_merge", s.send("job", "POST", path, `{"ref":"`+was+`","auto_merge":false}`).status, 201)
	equal(t, "payload as text", s.send("job", "POST", path, `{"ref":"main","payload":"x","auto_merge":false}`).object(t)["payload"], any("x"))
	for name, body := range map[string]string{
		"no ref": `{}`, "unknown ref": `{"ref":"zzz"}`, "description": `{"ref":"main","description":"` + strings.Repeat("x", 141) + `"}`,
		"payload": `{"ref":"main","payload":[1]}`,
	} {
		equal(t, name, s.send("job", "POST", path, body).status, 422)
	}
	d := s.send("job", "POST", path, `{"ref":"main","required_contexts":[]}`).object(t)
	at := fmt.Sprintf("%s/%.0f/statuses", path, d["id"])
	equal(t, "state", s.send("job", "POST", at, `{"state":"waiting"}`).status, 422)
	equal(t, "link", s.send("job", "POST", at, `{"state":"success","log_url":"ftp://x"}`).status, 422)
	equal(t, "unknown deployment", s.send("job", "GET", path+"/1", "").status, 404)
}

func TestEnvironments(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	good(t, s.manager.SetEnvironment("production-apply", hub.EnvironmentRules{
		Reviewers: []string{"alice", "ops"}, WaitTimer: 30 * time.Minute, Branches: []string{"main"}, PreventSelfReview: true,
	}))
	good(t, s.manager.SetEnvironment("infra/staging", hub.EnvironmentRules{}))
	api, ctx := s.client("metapipe").Repositories, t.Context()
	e, _, err := api.GetEnvironment(ctx, "ops", "manager", "Production-Apply") // names ignore case
	good(t, err)
	var kinds []string
	for _, r := range e.ProtectionRules {
		kinds = append(kinds, fmt.Sprint(r.GetType(), len(r.Reviewers), r.GetWaitTimer()))
	}
	equal(t, "rules", strings.Join(kinds, ","), "wait_timer0 30,required_reviewers2 0,branch_policy0 0")
	list, _, err := api.ListEnvironments(ctx, "ops", "manager", nil)
	good(t, err)
	equal(t, "environments", list.GetTotalCount(), 2)
	_, _, err = api.GetEnvironment(ctx, "ops", "manager", "infra/staging")
	equal(t, "not escaped", status(err), 404)
	_, _, err = api.GetEnvironment(ctx, "ops", "manager", "infra%2Fstaging")
	good(t, err)
	_, _, err = api.GetEnvironment(ctx, "ops", "manager", "typo")
	equal(t, "missing", status(err), 404)
	if err := s.manager.SetEnvironment("x", hub.EnvironmentRules{Reviewers: []string{"nobody"}}); err == nil {
		t.Error("an unknown reviewer was accepted")
	}
}
