package hub_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// settingsPaths are the reads of settings, each with its permission in GitHub's docs.
var settingsPaths = []struct {
	path, permission string
	closed           bool // also in a public repository
}{
	{"/actions/permissions", "administration", true},
	{"/actions/permissions/workflow", "administration", true},
	{"/actions/secrets", "secrets", true},
	{"/actions/variables", "actions_variables", true},
	{"/actions/workflows", "actions", false},
	{"/environments", "actions", false},
	{"/environments/production-apply/deployment-branch-policies", "actions", false},
	{"/rules/branches/main", "metadata", false},
}

func TestSettingsNeedPermissions(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	both := []string{"acme/shop", "ops/manager"}
	for _, r := range []*hub.Repo{s.customer, s.manager} {
		good(t, r.SetEnvironment("production-apply", hub.EnvironmentRules{Branches: []string{"main"}}))
		good(t, r.Grant("alice", hub.Admin))
	}
	for i, c := range settingsPaths {
		for _, kind := range []hub.TokenKind{hub.FineGrained, hub.App, hub.Actions} {
			user := map[hub.TokenKind]string{hub.FineGrained: "alice", hub.App: "metapipe[bot]"}[kind]
			for _, has := range []bool{true, false} {
				name := fmt.Sprint(i, kind, has)
				permissions := map[string]string{"pull_requests": "read"}
				if has {
					permissions = map[string]string{c.permission: "read"}
				}
				s.secrets[name] = got(s.hub.AddToken(hub.Token{Name: name, Kind: kind, User: user, Repositories: both, Permissions: permissions}))(t).Secret
				for _, repo := range both {
					want := 200
					if !has && c.permission != "metadata" && (c.closed || repo == "acme/shop") {
						want = 403
					}
					a := s.send(name, "GET", "/repos/"+repo+c.path, "")
					equal(t, fmt.Sprint(kind, " ", has, " ", repo, c.path), a.status, want)
					equal(t, "named", a.header.Get("X-Accepted-GitHub-Permissions"), c.permission+"=read")
				}
			}
		}
		want := 200
		if c.closed {
			want = 404 // a person without a role
		}
		equal(t, "mallory "+c.path, s.send("mallory", "GET", "/repos/ops/manager"+c.path, "").status, want)
		if c.closed {
			want = 401
		}
		equal(t, "anonymous "+c.path, s.send("", "GET", "/repos/ops/manager"+c.path, "").status, want)
	}
}

func TestTokenTellsItsEnd(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	end := s.clock.now().Add(90 * time.Hour)
	for _, kind := range []hub.TokenKind{hub.Classic, hub.FineGrained} {
		tok := hub.Token{Name: string(kind), Kind: kind, User: "alice", Scopes: []string{"repo"}, Expires: end}
		s.secrets[tok.Name] = got(s.hub.AddToken(tok))(t).Secret
		equal(t, "end", s.send(tok.Name, "GET", "/user", "").header.Get("github-authentication-token-expiration"), end.Format("2006-01-02 15:04:05")+" UTC")
	}
	equal(t, "no end", s.send("admin", "GET", "/user", "").header.Get("github-authentication-token-expiration"), "")
}

func TestSettingsOfARepository(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	s.customer.SetActions(hub.ActionsSettings{Allowed: "selected", WriteToken: true, Approves: true})
	s.customer.SetSecrets("METAPIPE_KEY")
	s.customer.SetVariable("tf_state_bucket", "a")
	s.customer.SetVariable("TF_STATE_BUCKET", "b")
	for i := range 14 {
		s.customer.SetVariable(fmt.Sprint("V", i), "x")
	}
	s.customer.AddRuleset(hub.Ruleset{Name: "main", Rules: []hub.Rule{{Type: "pull_request", Parameters: json.RawMessage(`{"allowed_merge_methods":["merge"],"dismiss_stale_reviews_on_push":false,"require_code_owner_review":false,"require_last_push_approval":false,"required_approving_review_count":1,"required_review_thread_resolution":false}`)}, {Type: "deletion"}}})
	s.customer.AddRuleset(hub.Ruleset{Name: "off", Enforcement: "disabled", Rules: []hub.Rule{{Type: "update"}}})
	s.customer.AddRuleset(hub.Ruleset{Name: "other", Include: []string{"refs/heads/release/*"}, Rules: []hub.Rule{{Type: "creation"}}})
	path := "/repos/acme/shop"
	a := s.send("admin", "GET", path+"/actions/permissions", "").object(t)
	equal(t, "allowed", fmt.Sprint(a["enabled"], " ", a["allowed_actions"]), "true selected")
	a = s.send("admin", "GET", path+"/actions/permissions/workflow", "").object(t)
	equal(t, "workflow", fmt.Sprint(a["default_workflow_permissions"], " ", a["can_approve_pull_request_reviews"]), "write true")
	list := s.send("admin", "GET", path+"/actions/variables?per_page=100", "")
	if n := strings.Count(list.body, `"value"`); n != 15 || !strings.Contains(list.body, `"value":"b"`) {
		t.Errorf("variables: %d in %s", n, list.body)
	}
	equal(t, "variables of a page", strings.Count(s.send("admin", "GET", path+"/actions/variables", "").body, `"value"`), 10)
	rules := func(branch string) string {
		var names []string
		var list []struct{ Type string }
		good(t, json.Unmarshal([]byte(s.send("admin", "GET", path+"/rules/branches/"+branch, "").body), &list))
		for _, r := range list {
			names = append(names, r.Type)
		}
		return strings.Join(names, " ")
	}
	equal(t, "rules", rules("main"), "pull_request deletion")
	equal(t, "rules elsewhere", rules("release/1"), "creation")
	good(t, s.customer.AddWorkflow(hub.Workflow{Path: ".github/workflows/trigger-infra.yml"}))
	good(t, s.customer.SetWorkflowState("trigger-infra.yml", "disabled_inactivity"))
	if b := s.send("admin", "GET", path+"/actions/workflows", "").body; !strings.Contains(b, `"state":"disabled_inactivity"`) {
		t.Error(b)
	}
	s.customer.SetActions(hub.ActionsSettings{Disabled: true})
	equal(t, "off", s.send("admin", "GET", path+"/actions/permissions", "").object(t)["enabled"], any(false))
}

// TestPlans: which settings a private repository has depends on what its owner pays for.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	for _, r := range []*hub.Repo{s.customer, s.manager} {
		good(t, r.SetEnvironment("production-apply", hub.EnvironmentRules{Branches: []string{"main"}, NoBypass: true}))
	}
	get := func(repo, path string) int { return s.send("admin", "GET", "/repos/"+repo+path, "").status }
	for _, c := range []struct {
		plan               hub.Plan
		environment, rules int
	}{{"", 200, 200}, {hub.PlanEnterprise, 200, 200}, {hub.PlanTeam, 200, 200}, {hub.PlanFree, 404, 403}} {
		good(t, s.hub.SetPlan("acme", c.plan))
		good(t, s.hub.SetPlan("ops", c.plan))
		for _, path := range []string{"/environments", "/environments/production-apply", "/environments/production-apply/deployment-branch-policies"} {
			equal(t, string(c.plan)+path, get("acme/shop", path), c.environment)
			equal(t, "public "+string(c.plan)+path, get("ops/manager", path), 200)
		}
		equal(t, string(c.plan)+" rules", get("acme/shop", "/rules/branches/main"), c.rules)
		equal(t, "public "+string(c.plan)+" rules", get("ops/manager", "/rules/branches/main"), 200)
	}
	equal(t, "bypass", s.send("admin", "GET", "/repos/ops/manager/environments/production-apply", "").object(t)["can_admins_bypass"], any(false))
}

// TestSettingWritesNeedPermissions: a write without its permission is refused, and changes nothing.
func TestSettingWritesNeedPermissions(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	good(t, s.manager.Grant("alice", hub.Admin))
	good(t, s.manager.SetEnvironment("there", hub.EnvironmentRules{Branches: []string{"main"}}))
	add := func(name string, permissions map[string]string) {
		s.secrets[name] = got(s.hub.AddToken(hub.Token{Name: name, Kind: hub.FineGrained, User: "alice", Repositories: []string{"ops/manager"}, Permissions: permissions}))(t).Secret
	}
	add("administrator", map[string]string{"administration": "write"})
	add("keeper", map[string]string{"actions_variables": "write"})
	add("reader", map[string]string{"administration": "read", "actions_variables": "read", "actions": "write", "contents": "write"})
	path := "/repos/ops/manager"
	for _, c := range []struct {
		method, path, body, permission string
		want                           int
	}{
		{"PUT", "/environments/new", `{"wait_timer":5}`, "administration", 200},
		{"POST", "/environments/there/deployment-branch-policies", `{"name":"release/*"}`, "administration", 200},
		{"POST", "/environments/there/deployment-branch-policies", `{"name":"v*","type":"tag"}`, "administration", 200},
		{"PUT", "/actions/permissions", `{"enabled":true}`, "administration", 204},
		{"PUT", "/actions/permissions/workflow", `{"default_workflow_permissions":"write"}`, "administration", 204},
		{"POST", "/rulesets", `{"name":"r","enforcement":"active","rules":[{"type":"deletion"}]}`, "administration", 201},
		{"DELETE", "/environments/new", "", "administration", 204},
		{"POST", "/actions/variables", `{"name":"a","value":"1"}`, "actions_variables", 201},
		{"PATCH", "/actions/variables/A", `{"value":"2"}`, "actions_variables", 204},
		{"DELETE", "/actions/variables/A", "", "actions_variables", 204},
	} {
		mine, other := "administrator", "keeper"
		if c.permission == "actions_variables" {
			mine, other = other, mine
		}
		for _, token := range []string{"reader", other} {
			a := s.send(token, c.method, path+c.path, c.body)
			equal(t, token+" "+c.method+" "+c.path, a.status, 403)
			equal(t, "named", a.header.Get("X-Accepted-GitHub-Permissions"), c.permission+"=write")
		}
		if a := s.send(mine, c.method, path+c.path, c.body); a.status != c.want {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.path, a.status, a.body, c.want)
		}
	}
	policies := s.send("admin", "GET", path+"/environments/there/deployment-branch-policies", "").body
	if !strings.Contains(policies, `"name":"v*","node_id"`) || !strings.Contains(policies, `"type":"tag"`) {
		t.Error(policies)
	}
}

// TestEnvironmentRulesOfPlans: a private repository has reviewers with GitHub Enterprise only.
func TestEnvironmentRulesOfPlans(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	put := func(body string) answer {
		return s.send("admin", "PUT", "/repos/acme/shop/environments/production-apply", body)
	}
	id := fmt.Sprint(s.send("admin", "GET", "/users/alice", "").object(t)["id"])
	reviewed := `{"reviewers":[{"type":"User","id":` + id + `}]}`
	for plan, want := range map[hub.Plan][2]int{hub.PlanFree: {404, 404}, hub.PlanTeam: {200, 422}, hub.PlanEnterprise: {200, 200}} {
		good(t, s.hub.SetPlan("acme", plan))
		equal(t, string(plan)+", no reviewers", put(`{}`).status, want[0])
		a := put(reviewed)
		equal(t, string(plan)+", a reviewer", a.status, want[1])
		if a.status == 422 && !strings.Contains(a.body, "billing plan") {
			t.Error(a.body)
		}
	}
	equal(t, "a stranger", put(`{"reviewers":[{"type":"User","id":1}]}`).status, 422)
	equal(t, "both policies", put(`{"deployment_branch_policy":{"protected_branches":true,"custom_branch_policies":true}}`).status, 422)
}
