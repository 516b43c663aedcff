package request

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

const syncYML = `organizations: [acme]
max_change: 100%
sources:
  - name: billing
    type: csv
    path: billing.csv
    key: repository
    fields:
      customer_tier: {from: plan, trim: true, lower: true, map: {gold: enterprise, free: free}, on_missing: report}
  - name: github
    type: teams
    fields:
      team_owner: {from: owner}
`

// syncJob is a job of the manager with the token.
func syncJob(w *fixture.Setup, token string) *fixture.Job {
	return w.NewJob(w.ByHand()).With("SOURCE_REPOS_PAT=" + token)
}

// synced runs sync and reads what --json prints.
func synced(t *testing.T, j *fixture.Job, exit int, args ...string) (sourcesync.Report, fixture.Result) {
	t.Helper()
	printed := j.Do(exit, append([]string{"sync", "--json"}, args...)...)
	var r sourcesync.Report
	at := strings.Index(printed.Log, "\n{\n")
	if at < 0 {
		t.Fatalf("no JSON in:\n%s", printed.Log)
	}
	fixture.Check(t, json.NewDecoder(strings.NewReader(printed.Log[at:])).Decode(&r))
	return r, printed
}

// syncFleet is acme with three repositories beside the customer's, and a token that may write properties.
func syncFleet(t *testing.T, files map[string]string) (w *fixture.Setup, token string) {
	t.Helper()
	w = fixture.New(t, files)
	web, _ := organization(t, w)
	holding(t, w, nil, "alpha", nil, "a.go")
	holding(t, w, nil, "beta", hub.Properties{"customer_tier": "free"}, "a.go")
	holding(t, w, nil, "gamma", nil, "a.go")
	for _, name := range []string{"alpha", "beta"} {
		repo := fixture.Must(w.Hub.Repo("acme/" + name))(t)
		fixture.Check(t, web.Grant(repo, hub.PermissionAdmin))
	}
	return w, w.Token(hub.Token{Name: "sync", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}})
}

func kinds(r sourcesync.Report) string {
	var words []string
	for _, f := range r.Findings {
		words = append(words, fmt.Sprintf("%s %s", f.Kind, f.Repository))
	}
	return strings.Join(words, "; ")
}

// TestSync brings two properties in line with a file and with the teams, takes it back, and sees what people change.
func TestSync(t *testing.T) {
	t.Parallel()
	csv := "\ufeffrepository,plan,note\nacme/alpha, Gold ,\"two\nlines\"\nACME/beta,free,\nacme/nowhere,gold,\nacme/shop,,\n"
	w, token := syncFleet(t, map[string]string{"sync.yml": syncYML, "billing.csv": csv})
	r, printed := synced(t, syncJob(w, token), 0)
	if len(w.Writes()) != 0 || r.Applied || r.Count(change.Planned) != 3 || r.Unchanged != 1 {
		t.Fatalf("%d planned, %d unchanged, written %v\n%s", r.Count(change.Planned), r.Unchanged, w.Writes(), printed.Log)
	}
	if got := kinds(r); got != "unmatched ; unclaimed acme/gamma; missing acme/gamma; missing acme/shop" {
		t.Errorf("findings: %s\n%s", got, printed.Log)
	}
	printed.Want(t, "changes=3", "written=0", "unavailable=0", "findings=4")

	r, printed = synced(t, syncJob(w, token), 0, "--apply", "--max-changes", "9", "--undo", filepath.Join(t.TempDir(), "undo.json"))
	printed.Want(t, "changes=3", "written=3", "failed=0")
	if got := w.Writes(); len(got) != 2 { // one for alpha with both, one for beta
		t.Errorf("written: %v", got)
	}
	alpha := fixture.Must(w.Hub.Repo("acme/alpha"))(t)
	if got := fmt.Sprint(alpha.Properties()); !strings.Contains(got, "enterprise") || !strings.Contains(got, "web") {
		t.Errorf("alpha: %s", got)
	}
	before := storeFiles(t, w)
	w.Hub.ResetCalls()
	r, _ = synced(t, syncJob(w, token), 0, "--apply")
	if len(w.Writes()) != 0 || r.Count(change.Written) != 0 || r.Unchanged != 4 {
		t.Errorf("the second run writes %v: %+v", w.Writes(), r)
	}
	if after := storeFiles(t, w); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the second run leaves %v after %v", after, before)
	}
}

// storeFiles are the objects of the store.
func storeFiles(t *testing.T, w *fixture.Setup) (names []string) {
	t.Helper()
	fixture.Check(t, filepath.WalkDir(w.Store, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	}))
	return names
}
