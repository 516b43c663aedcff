package request

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

const complianceYML = `organizations: [acme]
exclude: [".github"]
content: repo_content_type
registration: true
properties:
  repo_content_type: {required: all}
  team_owner: {required: all, team: true}
  customer_tier: {required: infra, values: [free, enterprise]}
`

// organization is acme with property definitions, a team, and repositories beside the customer's.
func organization(t *testing.T, w *fixture.Setup) (web *hub.Team, token string) {
	t.Helper()
	fixture.Check(t, w.Hub.DefineProperties("acme", hub.PropertyDefinition{Name: "repo_content_type", Type: hub.MultiSelect, Allowed: []string{"app", "infra"}},
		hub.PropertyDefinition{Name: "team_owner", Type: hub.TextProperty}, hub.PropertyDefinition{Name: "customer_tier", Type: hub.TextProperty}))
	fixture.Must(w.Hub.AddUser(hub.User{Login: "ops", Type: hub.Person}))(t)
	fixture.Check(t, w.Hub.AddOwner("acme", "ops"))
	web = fixture.Must(w.Hub.AddTeam("acme", hub.NewTeam{Name: "Web"}))(t)
	token = w.Token(hub.Token{Name: "compliance", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "read:org"}})
	fixture.Check(t, w.Customer.Grant("ops", hub.Admin))
	return web, token
}

// holding adds a repository of acme with properties and files.
func holding(t *testing.T, w *fixture.Setup, web *hub.Team, name string, properties hub.Properties, files ...string) *hub.Repo {
	t.Helper()
	repo := fixture.Must(w.Hub.AddRepo("acme", name, hub.RepoOptions{Private: true, Properties: properties}))(t)
	fixture.Check(t, repo.Grant("ops", hub.Admin))
	content := map[string]string{}
	for _, file := range files {
		content[file] = "x\n"
	}
	if len(content) > 0 {
		w.Commit(repo, "main", content)
	}
	if web != nil {
		fixture.Check(t, web.Grant(repo, hub.PermissionWrite))
	}
	return repo
}

// complianceJob is a job of the manager with the token.
func complianceJob(w *fixture.Setup, token string) *fixture.Job {
	return w.NewJob(w.ByHand()).With("SOURCE_REPOS_PAT=" + token)
}

// TestCompliance scans an organization on the double of GitHub: each finding is about its repository, and the exit
// code says what is the worst.
func TestCompliance(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": complianceYML})
	web, token := organization(t, w)
	holding(t, w, web, "well", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "web"}, "src/main.go")
	holding(t, w, web, "bare", nil, "src/main.go")
	holding(t, w, nil, "foreign", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "web"}, "src/main.go")
	holding(t, w, web, "former", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "old-web"}, "src/main.go")
	holding(t, w, web, "infra", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "web", "customer_tier": "platinum"}, "infra/main.tf", "src/main.go")
	holding(t, w, web, ".github", nil, "README.md")
	printed := complianceJob(w, token).Do(6, "compliance", "--json")
	var r compliance.Report
	fixture.Check(t, json.NewDecoder(strings.NewReader(printed.Log[strings.Index(printed.Log, "{"):])).Decode(&r))
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %s", f.Severity, f.Repository.Name, f.Rule))
	}
	want := "critical former unknown-team; high bare missing-required; high bare missing-required; high infra content-missing; high infra invalid-value; high shop missing-required; high shop missing-required; medium foreign team-access; medium shop registered-no-infra"
	if strings.Join(got, "; ") != want || r.Scanned != 6 || len(r.Unknown) != 0 {
		t.Errorf("%d scanned, %d unknown, findings:\n got %s\nwant %s", r.Scanned, len(r.Unknown), strings.Join(got, "; "), want)
	}
	printed.Want(t, "findings=9", "critical=1", "high=6", "medium=2", "low=0", "unknown=0")
	if !strings.Contains(printed.Summary, "| critical | `acme/former` |") {
		t.Errorf("the summary:\n%s", printed.Summary)
	}
	complianceJob(w, token).Do(0, "compliance", "--fail-on", "none").Says(t, "acme/former", "unknown-team")
	complianceJob(w, token).Do(0, "compliance", "--repository", "WELL").Says(t, "1 repository of 1 organization: 0 findings")
	high := complianceJob(w, token).Do(6, "compliance", "--severity", "critical", "--fail-on", "medium")
	if strings.Contains(high.Log, "acme/bare") {
		t.Errorf("findings that are not critical are shown:\n%s", high.Log)
	}
	complianceJob(w, token).Do(6, "compliance", "--sarif").Says(t, `"ruleId": "unknown-team"`)
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("written: %v", writes)
	}
}

// TestComplianceUnknown: what the token may not see is not known, and never fine.
func TestComplianceUnknown(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": complianceYML})
	web, _ := organization(t, w)
	holding(t, w, web, "well", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "none-such"}, "src/main.go")
	blind := w.Token(hub.Token{Name: "without teams", Kind: hub.Classic, User: "ops", Scopes: []string{"repo"}})
	complianceJob(w, blind).Do(1, "compliance", "--repository", "well").Says(t, "not known: teams of acme", "could not be read")
	complianceJob(w, blind).Do(0, "compliance", "--repository", "well", "--allow-unknown").Want(t, "unknown=1", "findings=0")
	foreign := w.Token(hub.Token{Name: "of somebody else", Kind: hub.Classic, User: "casey", Scopes: []string{}})
	if printed := complianceJob(w, foreign).Start("compliance").Wait(); printed.Exit == 0 || printed.Exit == 6 {
		t.Errorf("a token that sees nothing ends with exit code %d:\n%s", printed.Exit, printed.Log)
	}
}

// TestComplianceFile: mistakes in compliance.yml are named with their line before anything is read.
func TestComplianceFile(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": "properties:\n  team_owner: {require: all}\n"})
	complianceJob(w, "a-token").Do(2, "compliance").Says(t, "compliance.yml:2:16", `did you mean "required"?`)
	complianceJob(fixture.New(t, nil), "a-token").Do(2, "compliance").Says(t, "there is no compliance.yml")
	complianceJob(w, "a-token").Do(2, "compliance", "--fail-on", "urgent").Says(t, "use one of: critical, high, medium, low, none")
}

// TestComplianceOfALargeFleet: 1,000 repositories cost at most 40 calls.
func TestComplianceOfALargeFleet(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": complianceYML})
	web, token := organization(t, w)
	for i := range 1000 {
		holding(t, w, web, fmt.Sprintf("r%04d", i), hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "web"})
	}
	run := managerToken(w)
	for _, changed := range []bool{true, false} {
		w.Hub.ResetCalls()
		began := time.Now()
		complianceJob(w, token).With("GITHUB_TOKEN="+run).Do(0, "compliance", "--issue", "--fail-on", "critical").Want(t, "unknown=0")
		if calls := len(w.Hub.Calls()); calls > 40 {
			t.Errorf("%d calls", calls)
		}
		if writes := len(w.Writes()); writes > 0 != changed {
			t.Errorf("%d writes", writes)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %s", took)
		}
	}
}

// TestComplianceOfHostileValues: what a customer writes into properties and names of files is shown as text.
func TestComplianceOfHostileValues(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"compliance.yml": complianceYML})
	web, token := organization(t, w)
	// GitHub takes printable ASCII without quotation marks.
	value := "::set-output name=findings::0 <img src=x onerror=alert(1)> [click](javascript:alert(1)) @acme/web ${{ github.token }} `$(id)` | a"
	holding(t, w, web, "hostile", hub.Properties{"repo_content_type": []string{"app"}, "team_owner": value, "customer_tier": value}, "src\n::error::pwned", "${{ secrets.METAPIPE_KEY }}", "infra/x")
	for _, flags := range [][]string{nil, {"--json"}, {"--sarif"}, {"--markdown"}} {
		printed := complianceJob(w, token).Do(6, append([]string{"compliance", "--repository", "hostile"}, flags...)...)
		if found := fixture.CommandsIn(printed.Log); len(found) > 0 {
			t.Errorf("%q: the step writes commands: %q", flags, found)
		}
		for _, problem := range fixture.Misreadings(printed.Summary) {
			t.Errorf("%q: %s", flags, problem)
		}
		printed.Want(t, "critical=1")
	}
}

// TestComplianceOfRegions: variables.yml is compared with the property, one query for all customers.
func TestComplianceOfRegions(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "properties: {}\n", "compliance.yml": "organizations: [acme]\nregions: true\n"})
	_, token := organization(t, w)
	fixture.Check(t, w.Hub.DefineProperties("acme", hub.PropertyDefinition{Name: "region_restriction", Type: hub.SingleSelect, Allowed: []string{"eu-only"}}))
	w.Customer.SetProperties(hub.Properties{"region_restriction": "eu-only"})
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: shop\nregion: us-east-1\nenvironments: {staging: {}}\n"})
	w.Hub.ResetCalls()
	outside := complianceJob(w, token).Do(6, "compliance", "--fail-on", "high")
	outside.Says(t, "infra/variables.yml:2:9", "us-east-1")
	outside.Want(t, "high=1", "unknown=0")
	if calls := len(w.Hub.Calls()); calls != 2 {
		t.Errorf("%d calls", calls)
	}
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: shop\nregion: eu-west-1\nenvironments: {staging: {}}\n"})
	complianceJob(w, token).Do(0, "compliance", "--fail-on", "low").Want(t, "findings=0", "unknown=0")
}
