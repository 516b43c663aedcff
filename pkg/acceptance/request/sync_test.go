package request

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/cli"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
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

	undo := filepath.Join(t.TempDir(), "undo.json")
	_, printed = synced(t, syncJob(w, token), 0, "--apply", "--max-changes", "9", "--undo", undo)
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

	alpha.SetProperties(hub.Properties{"customer_tier": "free", "team_owner": "web"}) // by hand
	r, _ = synced(t, syncJob(w, token), 0)
	if r.Count(change.Planned) != 1 || r.CountKind(sourcesync.Overridden) != 1 {
		t.Errorf("a value that was changed by hand: %+v", r)
	}
	alpha.SetProperties(hub.Properties{"customer_tier": "enterprise", "team_owner": "web"})
	w.Hub.ResetCalls()
	r, _ = synced(t, syncJob(w, token), 0, "--from", undo, "--apply", "--max-changes", "9", "--undo", filepath.Join(t.TempDir(), "again.json"))
	if got := fmt.Sprint(alpha.Properties()); r.Count(change.Written) != 3 || strings.Contains(got, "enterprise") || strings.Contains(got, "web") {
		t.Errorf("taken back: %s\n%+v", got, r)
	}
	r, _ = synced(t, syncJob(w, token), 0)
	if r.Count(change.Planned) != 3 || r.CountKind(sourcesync.Overridden) != 3 {
		t.Errorf("after the way back: %+v", r)
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

// TestSyncRefuses: what is wrong is said before anything is written.
func TestSyncRefuses(t *testing.T) {
	t.Parallel()
	csv := "repository,plan\nacme/alpha,gold\nacme/beta,gold\n"
	w, token := syncFleet(t, map[string]string{"sync.yml": syncYML, "billing.csv": csv})
	syncJob(w, token).Do(2, "sync", "--apply").Says(t, "--max-changes 2")
	syncJob(w, token).Do(2, "sync", "--source", "biling").Says(t, "has no source", "billing, github")
	syncJob(w, token).Do(2, "sync", "--property", "nothing").Says(t, "no source gives")
	syncJob(w, token).Do(2, "sync", "--repository", "acme/nothing").Says(t, "is no repository")
	syncJob(w, token).Do(2, "sync", "--undo", "x").Says(t, "--undo needs --apply")
	syncJob(w, token).Do(2, "sync", "--from", "x", "--source", "billing").Says(t, "--from names")
	reader := w.Token(hub.Token{Name: "reader", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "read:org"}})
	syncJob(w, reader).Do(1, "sync", "--apply", "--max-changes", "9").Says(t, "not written")
	for _, name := range []string{"alpha", "beta"} {
		if got := fmt.Sprint(fixture.Must(w.Hub.Repo("acme/" + name))(t).Properties()); strings.Contains(got, "enterprise") || strings.Contains(got, "web") {
			t.Errorf("%s has %s", name, got)
		}
	}
	empty := fixture.New(t, nil)
	syncJob(empty, "a-token").Do(2, "sync").Says(t, "there is no sync.yml")
	wrong := fixture.New(t, map[string]string{"sync.yml": "sources:\n  - {name: a, type: csv, pth: x}\n"})
	syncJob(wrong, "a-token").Do(6, "validate").Says(t, "sync.yml")
	syncJob(wrong, "a-token").Do(2, "sync").Says(t, "sync.yml:2:26", `did you mean "path"?`)
}

// TestSyncHoldsBack: a source that fails counts for nothing, the others do their work, and no secret is shown.
func TestSyncHoldsBack(t *testing.T) {
	t.Parallel()
	const secret = "the-token-of-billing-12345"
	pages := 0
	var mu sync.Mutex
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if pages++; r.Header.Get("Authorization") != "Bearer "+secret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("page") == "" {
			fmt.Fprintf(w, `{"rows":[{"repository":"acme/alpha","plan":"gold"}],"next":"?page=%s"}`, secret)
			return
		}
		http.Error(w, secret, http.StatusForbidden)
	}))
	defer service.Close()
	config := strings.Replace(syncYML, "type: csv\n    path: billing.csv", "type: http\n    url: "+service.URL+"\n    token_env: BILLING_API_KEY\n    rows: rows\n    next: next", 1)
	w, token := syncFleet(t, map[string]string{"sync.yml": config})
	r, printed := synced(t, syncJob(w, token).With("BILLING_API_KEY="+secret), 1, "--apply", "--max-changes", "9", "--undo", filepath.Join(t.TempDir(), "undo.json"))
	printed.Want(t, "unavailable=1", "written=2")
	if alpha := fixture.Must(w.Hub.Repo("acme/alpha"))(t); strings.Contains(fmt.Sprint(alpha.Properties()), "enterprise") {
		t.Errorf("a source that failed was written: %v", alpha.Properties())
	}
	if shown := fixture.Unmasked(printed.Log) + printed.Summary + fmt.Sprint(r); strings.Contains(shown, secret) || pages < 2 {
		t.Errorf("%d pages; the secret is shown:\n%s", pages, shown)
	}
	for name, fault := range map[string]hubtest.Fault{"502": {Status: 502}, "cut": {HalfBody: true}, "reset": {Reset: true}} {
		w.Hub.ResetCalls()
		w.Hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/graphql"}, fault, 10_000)
		syncJob(w, token).With("BILLING_API_KEY="+secret).Do(1, "sync", "--apply")
		w.Hub.ClearFaults()
		for _, call := range w.Writes() {
			if !strings.Contains(call, "graphql") {
				t.Errorf("%s: written: %s", name, call)
			}
		}
	}
}

// TestSyncEvents: an event says where to look, and nothing of it is written.
func TestSyncEvents(t *testing.T) {
	t.Parallel()
	csv := "repository,plan\nacme/alpha,gold\nacme/beta,gold\n"
	w, token := syncFleet(t, map[string]string{"sync.yml": syncYML, "billing.csv": csv})
	on := func(action, payload string) *fixture.Job {
		run := w.ByHand()
		run.Run.Event = "repository_dispatch"
		run.Event = json.RawMessage(fmt.Sprintf(`{"action":%q,"branch":"main","client_payload":%s,"repository":{"id":%d,"full_name":%q,"name":"manager","default_branch":"main","owner":{"login":"ops"}},"sender":{"login":"robin"}}`, action, payload, w.Manager.ID(), w.Manager.Slug()))
		return w.NewJob(run).With("SOURCE_REPOS_PAT=" + token)
	}
	planned := func(j *fixture.Job) string {
		r, _ := synced(t, j, 0)
		var words []string
		for _, row := range r.Rows {
			if row.Status == change.Planned {
				words = append(words, row.Name+" "+row.What+" "+string(row.New))
			}
		}
		return strings.Join(words, "; ")
	}
	for event, want := range map[[2]string]string{
		{"billing_update", `{"customer_repo":"acme/beta","new_tier":"free"}`}: `acme/beta customer_tier "enterprise"; acme/beta team_owner "web"`,
		{"team_rename", `{"old_team":"web","new_team":"evil"}`}:               `acme/alpha team_owner "web"; acme/beta team_owner "web"`,
		{"team_reorganization", `{}`}:                                         `acme/alpha team_owner "web"; acme/beta team_owner "web"`,
	} {
		if got := planned(on(event[0], event[1])); got != want {
			t.Errorf("%s:\n got %s\nwant %s", event[0], got, want)
		}
	}
	on("billing_update", `{"customer_repo":"acme/beta","apply":"true"}`).Do(3, "sync").Says(t, "the event cannot be used")
	on("deploy", `{}`).Do(3, "sync").Says(t, "is none of")
	on("billing_update", `{"customer_repo":"acme/nowhere"}`).Do(2, "sync").Says(t, "is no repository")
	if writes := w.Writes(); len(writes) != 0 {
		t.Errorf("written: %v", writes)
	}
}

// TestSyncOfHostileSources: what a source holds is shown as text, and written only where the organization takes it.
func TestSyncOfHostileSources(t *testing.T) {
	t.Parallel()
	const value = "::set-output name=written::9 <img src=x onerror=alert(1)> [click](javascript:alert(1)) @acme/web ${{ github.token }} `$(id)` | a\n::error::pwned"
	rows := "repository,plan\nacme/alpha,gold\n\"" + value + "\",gold\nacme/beta,\"" + value + "\"\n"
	w, token := syncFleet(t, map[string]string{"sync.yml": syncYML, "billing.csv": rows})
	for _, flags := range [][]string{nil, {"--json"}} {
		printed := syncJob(w, token).Do(0, append([]string{"sync"}, flags...)...)
		if found := fixture.CommandsIn(printed.Log); len(found) > 0 {
			t.Errorf("%q: the step writes commands: %q", flags, found)
		}
		for _, problem := range fixture.Misreadings(printed.Summary) {
			t.Errorf("%q: %s", flags, problem)
		}
		printed.Want(t, "changes=3", "written=0")
	}
}

// largeFleet is acme with n repositories, of which a file says something about each.
func largeFleet(t *testing.T, n int) (w *fixture.Setup, token string) {
	t.Helper()
	csv := "repository,plan\n"
	for i := range n {
		csv += fmt.Sprintf("acme/r%04d,%s\n", i, []string{"gold", "free"}[i%2])
	}
	config := strings.SplitAfter(syncYML, "on_missing: report}\n")[0]
	w = fixture.New(t, map[string]string{"sync.yml": config, "billing.csv": csv})
	organization(t, w)
	for i := range n {
		repo := fixture.Must(w.Hub.AddRepo("acme", fmt.Sprintf("r%04d", i), hub.RepoOptions{Private: true}))(t)
		fixture.Check(t, repo.Grant("ops", hub.Admin))
	}
	w.Hub.ResetCalls()
	return w, w.Token(hub.Token{Name: "sync", Kind: hub.Classic, User: "ops", Scopes: []string{"repo", "admin:org"}})
}

// settled checks that every repository has what the file says.
func settled(t *testing.T, w *fixture.Setup, n int) {
	t.Helper()
	for i := range n {
		repo := fixture.Must(w.Hub.Repo(fmt.Sprintf("acme/r%04d", i)))(t)
		if want := []string{"enterprise", "free"}[i%2]; fmt.Sprint(repo.Properties()["customer_tier"]) != want {
			t.Errorf("r%04d has %v, want %s", i, repo.Properties(), want)
		}
	}
}

// TestSyncOfALargeFleet: 1,000 repositories are read with 13 calls, and 30 of them are written with one.
func TestSyncOfALargeFleet(t *testing.T) {
	t.Parallel()
	const n = 1000
	w, token := largeFleet(t, n)
	syncJob(w, token).Do(0, "sync")
	if calls := len(w.Hub.Calls()); calls > 13 {
		t.Errorf("a look costs %d calls", calls)
	}
	w.Hub.ResetCalls()
	syncJob(w, token).Do(0, "sync", "--apply", "--max-changes", "1000").Want(t, "changes=1000", "written=1000", "failed=0")
	values := 0
	for _, c := range w.Hub.Calls() {
		if c.Method == http.MethodPatch {
			values++
		}
	}
	if want := 2 * ((n/2 + 29) / 30); values != want {
		t.Errorf("%d writes, want %d", values, want)
	}
	settled(t, w, n)
	w.Hub.ResetCalls()
	before := len(storeFiles(t, w))
	syncJob(w, token).Do(0, "sync", "--apply").Want(t, "changes=0", "written=0")
	if calls := len(w.Hub.Calls()); calls > 13 || len(storeFiles(t, w)) != before {
		t.Errorf("the second run costs %d calls and writes %d objects", calls, len(storeFiles(t, w))-before)
	}
}

// TestSyncTwice: two runs at once leave what the sources say, and each value has one run that wrote it.
func TestSyncTwice(t *testing.T) {
	t.Parallel()
	const n = 60
	w, token := largeFleet(t, n)
	var running []*fixture.Running
	for i := range 2 {
		running = append(running, syncJob(w, token).Start("sync", "--json", "--apply", "--max-changes", "60", "--undo", filepath.Join(t.TempDir(), fmt.Sprintf("undo-%d", i))))
	}
	written := 0
	for _, r := range running {
		ended := r.Wait()
		if ended.Exit != 0 && ended.Exit != 4 { // what the other one has begun to write is refused
			t.Errorf("exit code %d:\n%s", ended.Exit, ended.Log)
		}
		n, err := strconv.Atoi(ended.Outputs["written"])
		fixture.Check(t, err)
		written += n
	}
	if written != n {
		t.Errorf("%d values were written by two runs, want %d", written, n)
	}
	settled(t, w, n)
	syncJob(w, token).Do(0, "sync", "--apply").Want(t, "written=0", "changes=0")
	syncJob(w, token).Do(0, "ledger")
}

// TestSyncKilled: a run that is killed at any of its writes, before or after its effect, leaves nothing that the next
// run does not bring to the same end once it may take the first one for dead.
func TestSyncKilled(t *testing.T) {
	t.Parallel()
	const n = 120 // four writes
	for at := range 4 {
		for _, effect := range []bool{true, false} {
			t.Run(fmt.Sprintf("write %d, effect %v", at+1, effect), func(t *testing.T) {
				t.Parallel()
				w, token := largeFleet(t, n)
				var victim atomic.Pointer[fixture.Running]
				writes := 0 // the hub asks one by one
				w.Hub.Fail(hubtest.Matcher{Method: http.MethodPatch, Route: valuesRoute, Request: func(*http.Request) bool {
					hit := writes == at
					if writes++; hit {
						if err := victim.Load().Kill(); err != nil {
							t.Error(err)
						}
					}
					return hit && !effect
				}}, hubtest.Fault{Reset: true}, 1)
				gate := make(chan struct{})
				w.Hub.Fail(hubtest.Matcher{Method: http.MethodPost, Route: "/graphql", Request: func(*http.Request) bool { <-gate; return false }}, hubtest.Fault{}, 1)
				r := syncJob(w, token).Start("sync", "--apply", "--max-changes", "120", "--undo", filepath.Join(t.TempDir(), "undo"))
				victim.Store(r)
				close(gate)
				r.Wait()
				w.Hub.ClearFaults()
				if writes != at+1 {
					t.Fatalf("%d writes before the end", writes)
				}
				later(t, syncJob(w, token), "sync", "--apply", "--max-changes", "120", "--undo", filepath.Join(t.TempDir(), "later"))
				settled(t, w, n)
				w.Hub.ResetCalls()
				before := len(storeFiles(t, w))
				later(t, syncJob(w, token), "sync", "--apply")
				if patched := w.Writes(); len(patched) != 0 || len(storeFiles(t, w)) != before {
					t.Errorf("the last run writes %v and %d objects", patched, len(storeFiles(t, w))-before)
				}
			})
		}
	}
}

// later runs a command ten minutes from now.
func later(t *testing.T, j *fixture.Job, args ...string) {
	t.Helper()
	var log bytes.Buffer
	exit := cli.Main(t.Context(), args, cli.App{In: &bytes.Buffer{}, Out: &log, Err: &log, Dir: j.Workspace(), Environ: append(j.Environ(), "GITHUB_OUTPUT="+filepath.Join(t.TempDir(), "out"), "GITHUB_STEP_SUMMARY="+filepath.Join(t.TempDir(), "summary")),
		Now: func() time.Time { return time.Now().Add(10 * time.Minute) }, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }})
	if exit != 0 {
		t.Errorf("%v: exit code %d\n%s", args, exit, &log)
	}
}
