package request

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

const fixYML = complianceYML + `team_names: {old-web: web}
fix: [renamed-team, content]
`

// fixers is an organization with n repositories whose team has a former name.
func fixers(t *testing.T, n int) (w *fixture.Setup, token string, repos []*hub.Repo) {
	t.Helper()
	w = fixture.New(t, map[string]string{"compliance.yml": fixYML})
	web, _ := organization(t, w)
	token = w.Token(hub.Token{Name: "fixes", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}})
	for i := range n {
		repos = append(repos, holding(t, w, web, fmt.Sprintf("r%03d", i), hub.Properties{"repo_content_type": []string{"app"}, "team_owner": "old-web"}, "src/main.go"))
	}
	comply(t, w, web)
	return w, token, repos
}

func team(repo *hub.Repo) string { return fmt.Sprint(repo.Properties()["team_owner"]) }

// TestComplianceRemediate: the plan writes nothing, --apply writes what compliance.yml allows and nothing else, and the
// kept file takes it back. A second run has nothing to do.
func TestComplianceRemediate(t *testing.T) {
	t.Parallel()
	w, token, repos := fixers(t, 2)
	bare := holding(t, w, nil, "bare", hub.Properties{"repo_content_type": []string{"app"}}, "src/main.go", "infra/main.tf")
	w.Customer.SetProperties(hub.Properties{"repo_content_type": []string{"infra"}, "team_owner": "old-web", "customer_tier": "Free"})
	w.Hub.ResetCalls()
	complianceJob(w, token).Do(0, "compliance", "--remediate", "--severity", "critical").Says(t, `"old-web"`, "3 of 6 findings have no new value")
	complianceJob(w, token).Do(0, "compliance", "--remediate").Says(t, "acme/r000", `"old-web"`, `"web"`, "is called", `["app","infra"]`, "nothing is written: --apply writes it", "2 of 6 findings have no new value")
	if got := w.Writes(); len(got) > 0 || team(repos[0]) != "old-web" {
		t.Errorf("the plan wrote %q", got)
	}
	j := complianceJob(w, token)
	j.Do(2, "compliance", "--remediate", "--apply").Says(t, "--max-changes 4")
	j = complianceJob(w, token)
	j.Do(0, "compliance", "--remediate", "--apply", "--max-changes", "4", "--undo", "back.json").Says(t, "written", "to take it back: metapipe compliance --from")
	if team(repos[0]) != "web" || team(w.Customer) != "web" || fmt.Sprint(w.Customer.Properties()["customer_tier"]) != "Free" || team(bare) != "<nil>" {
		t.Errorf("%v %v %v", team(repos[0]), w.Customer.Properties(), bare.Properties())
	}
	if got := w.Writes(); !slices.Equal(got, []string{"PATCH /orgs/acme/properties/values", "PATCH /orgs/acme/properties/values"}) {
		t.Errorf("%q", got)
	}
	w.DriftJob().Do(0, "ledger", "--customer", "shop").Says(t, `team_owner of acme/shop: "old-web" → "web"`)
	w.Hub.ResetCalls()
	complianceJob(w, token).Do(0, "compliance", "--remediate", "--apply").Says(t, "4 of 4 findings")
	if got := w.Writes(); len(got) > 0 {
		t.Errorf("a second run wrote %q", got)
	}
	back := filepath.Join(j.Workspace(), "back.json")
	complianceJob(w, token).Do(0, "compliance", "--from", back, "--apply", "--max-changes", "4")
	if team(repos[0]) != "old-web" || team(w.Customer) != "old-web" || len(bare.Properties()["repo_content_type"].([]string)) != 1 {
		t.Errorf("taken back: %v %v %v", team(repos[0]), team(w.Customer), bare.Properties())
	}
	repos[1].SetProperties(hub.Properties{"team_owner": "someone"})
	complianceJob(w, token).Do(4, "compliance", "--from", reversed(t, back), "--apply", "--max-changes", "4").Says(t, "refused")
	if team(repos[1]) != "someone" || team(repos[0]) != "web" {
		t.Errorf("a value that someone has changed: %v, and another one: %v", team(repos[1]), team(repos[0]))
	}
	for _, flags := range [][]string{{"--apply"}, {"--remediate", "--issue"}, {"--remediate", "--from", back}, {"--remediate", "--sarif"}, {"--from", back, "--repository", "r000"}, {"--from", back, "--severity", "critical"}} {
		complianceJob(w, token).Do(2, append([]string{"compliance"}, flags...)...)
	}
}

// reversed is a file that does again what a file takes back.
func reversed(t *testing.T, name string) string {
	t.Helper()
	f := fixture.Must(change.ParseFile(fixture.Must(os.ReadFile(name))(t), "custom-property-values"))(t)
	for i, r := range f.Rows {
		f.Rows[i].Old, f.Rows[i].New = r.New, r.Old
	}
	at := filepath.Join(t.TempDir(), "again.json")
	fixture.Check(t, os.WriteFile(at, fixture.Must(f.Encode())(t), 0o600))
	return at
}

// TestComplianceRemediateStopped: whatever write is lost or answered wrongly, the next runs end where an undisturbed one
// ends, and nothing but the planned value is ever there.
func TestComplianceRemediateStopped(t *testing.T) {
	t.Parallel()
	for _, fault := range []hubtest.Fault{{Status: 502}, {Status: 502, AfterEffect: true}, {Reset: true}, {Reset: true, AfterEffect: true}} {
		for second := range 2 {
			t.Run(fmt.Sprintf("%s of write %d", fault, second+1), func(t *testing.T) {
				t.Parallel()
				w, token, repos := fixers(t, 40)
				matched := 0
				w.Hub.Fail(hubtest.Matcher{Method: http.MethodPatch, Route: valuesRoute, Request: func(*http.Request) bool {
					matched++
					return matched == second+1
				}}, fault, 1)
				for try := 0; ; try++ {
					r := complianceJob(w, token).Start("compliance", "--remediate", "--apply", "--max-changes", "40").Wait()
					for _, repo := range repos {
						if got := team(repo); got != "web" && got != "old-web" {
							t.Fatalf("%s has the team %s", repo.Slug(), got)
						}
					}
					if r.Exit == 0 {
						break
					}
					if try == 3 {
						t.Fatalf("exit code %d:\n%s", r.Exit, r.Log)
					}
				}
				for _, repo := range repos {
					if team(repo) != "web" {
						t.Errorf("%s has the team %s", repo.Slug(), team(repo))
					}
				}
				w.DriftJob().Do(0, "ledger").Says(t, `team_owner of acme/r000: "old-web" → "web"`)
			})
		}
	}
}
