package request

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestComplianceScenarios plays what docs/COMPLIANCE.md says to do when a team is renamed, a tier changes, a
// repository moves, a property becomes required, and what a repository holds changes.
func TestComplianceScenarios(t *testing.T) {
	t.Parallel()
	rules := "organizations: [acme]\ncontent: repo_content_type\nproperties:\n  repo_content_type: {required: all}\n  team_owner: {required: all, team: true}\n"
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "properties: {}\n", "compliance.yml": rules})
	web, _ := organization(t, w)
	token := w.Token(hub.Token{Name: "all", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}})
	fixture.Check(t, w.Hub.DefineProperties("acme", hub.PropertyDefinition{Name: "repo_content_type", Type: hub.MultiSelect, Allowed: []string{"app", "infra"}},
		hub.PropertyDefinition{Name: "team_owner", Type: hub.TextProperty}, hub.PropertyDefinition{Name: "customer_tier", Type: hub.TextProperty}, hub.PropertyDefinition{Name: "security_contact", Type: hub.TextProperty}))
	fixture.Must(w.Hub.AddUser(hub.User{Login: "other", Type: hub.Organization}))(t)
	fixture.Check(t, w.Hub.AddOwner("other", "ops"))
	fixture.Check(t, w.Hub.DefineProperties("other", hub.PropertyDefinition{Name: "repo_content_type", Type: hub.MultiSelect, Allowed: []string{"app", "infra"}},
		hub.PropertyDefinition{Name: "team_owner", Type: hub.TextProperty}))
	fixture.Must(w.Hub.AddTeam("other", hub.NewTeam{Name: "Theirs"}))(t)
	comply(t, w, web)
	moves := holding(t, w, web, "moves", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "web"}, "src/main.go")
	edit := func(file string) { w.Commit(w.Manager, "main", map[string]string{"compliance.yml": file}) }
	do := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return complianceJob(w, token).Do(exit, args...)
	}

	w.Customer.SetProperties(hub.Properties{"repo_content_type": []string{"infra"}, "team_owner": "old-web", "customer_tier": "free"})
	do(6, "compliance").Says(t, "unknown-team")
	edit(rules + "team_names: {old-web: web}\nfix: [renamed-team, content]\n")
	do(0, "compliance", "--remediate").Says(t, `"old-web"`)
	do(0, "compliance", "--remediate", "--apply")
	do(0, "compliance").Want(t, "findings=0")

	do(0, "properties", "set", "--customer", "shop", "customer_tier=enterprise", "--apply")
	if got := fmt.Sprint(w.Customer.Properties()["customer_tier"]); got != "enterprise" {
		t.Errorf("the tier is %s", got)
	}

	fixture.Check(t, moves.Transfer("other"))
	moves.SetProperties(hub.Properties{})
	rules = strings.Replace(rules, "[acme]", "[acme, other]", 1)
	edit(rules)
	do(6, "compliance", "--fail-on", "high").Says(t, "other/moves", "missing-required")
	moves.SetProperties(hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "theirs"})

	recommended := rules + "  security_contact: {recommended: true}\nfix: [content]\n"
	edit(recommended)
	do(0, "compliance", "--fail-on", "high").Says(t, "missing-recommended")
	edit(strings.Replace(recommended, "{recommended: true}", "{required: all}", 1) + "exceptions:\n  - {repository: \"*/*\", rule: missing-required, property: security_contact, reason: \"more time\", owner: jo, until: \"" + time.Now().AddDate(0, 0, 1).Format(time.DateOnly) + "\"}\n")
	do(0, "compliance", "--fail-on", "high", "--repository", "shop").Says(t, "it ends after")
	edit(recommended)

	w.Commit(w.Customer, "main", map[string]string{"src/main.go": "package main\n"}) // another repository was merged into it
	do(6, "compliance", "--fail-on", "high", "--repository", "shop").Says(t, "content-missing")
	do(0, "compliance", "--remediate", "--apply", "--repository", "shop")
	do(0, "compliance", "--fail-on", "medium", "--repository", "shop")
	fixture.Must(w.Customer.Commit("main", hub.Change{Remove: []string{"src"}, Message: "Split"}))(t)
	do(6, "compliance", "--fail-on", "medium", "--repository", "shop").Says(t, "content-stale")
	do(0, "properties", "set", "--customer", "shop", "repo_content_type=infra", "--apply")
	do(0, "compliance", "--fail-on", "medium", "--repository", "shop")
}
