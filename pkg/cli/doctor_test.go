package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
	"github.com/metapipe/metapipe/workflows"
)

// ward is a manager and a customer to which nothing is wrong.
type ward struct {
	t                  *testing.T
	hub                *hubtest.Server
	manager, customer  *hub.Repo
	shipped, variables string // the customer's files
	dir, states        string // of the manager's checkout, and of the states
	environ            []string
	later              time.Duration // of the clock of the next runs
	// before is called with each request to the hub; false: the connection is cut, before the hub has done anything.
	// after is called when it is done, likewise. Both may be called by several requests at once.
	before, after func(*http.Request) bool
	hooks         sync.Mutex   // held while one of them is read
	flights       sync.RWMutex // read-locked by each request that the hub works on
}

// hook replaces the hooks. It waits for the requests of a run before: what a killed run has sent is done, or
// refused, before the next one begins.
func (w *ward) hook(before, after func(*http.Request) bool) {
	w.flights.Lock()
	defer w.flights.Unlock()
	w.hooks.Lock()
	defer w.hooks.Unlock()
	w.before, w.after = before, after
}

// cut lets requests be cut off.
func (w *ward) cut(h http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.flights.RLock()
		defer w.flights.RUnlock()
		if !w.goesOn(r, false) {
			panic(http.ErrAbortHandler)
		}
		h.ServeHTTP(out, r)
		if !w.goesOn(r, true) {
			panic(http.ErrAbortHandler)
		}
	})
}

func (w *ward) goesOn(r *http.Request, done bool) bool {
	w.hooks.Lock()
	hook := w.before
	if done {
		hook = w.after
	}
	w.hooks.Unlock()
	return hook == nil || hook(r)
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{t: t, dir: filepath.Join(t.TempDir(), "manager"), states: filepath.Join(t.TempDir(), "states")}
	w.hub = hubtest.Start(t, hub.Options{Wrap: w.cut})
	for _, u := range []hub.User{{Login: "provider", Type: hub.Organization}, {Login: "acme", Type: hub.Organization}, {Login: "robin"}} {
		if _, err := w.hub.AddUser(u); err != nil {
			t.Fatal(err)
		}
	}
	w.manager, w.customer = w.repo("provider", "infra"), w.repo("acme", "shop")
	w.environ = []string{"GITHUB_ACTIONS=false", "GITHUB_SERVER_URL=" + w.hub.URL(), "GITHUB_API_URL=" + w.hub.URL(), "METAPIPE_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"XDG_CACHE_HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	w.run(0, "init", w.dir, "--state-dir", w.states)
	w.write(filepath.Join(w.dir, "customers", "shop.yml"), fmt.Sprintf("repository: acme/shop\nrepository_id: %d\n", w.id(w.customer)))
	w.furnish()
	w.environ = append(w.environ, "GITHUB_TOKEN="+w.token("own", hub.Classic, "provider/infra", nil), "SOURCE_REPOS_PAT="+w.token("source", hub.FineGrained, "acme/shop", sourceRights()))
	return w
}

func sourceRights() map[string]string {
	return map[string]string{"actions": "read", "contents": "read", "deployments": "write", "issues": "write", "pull_requests": "write", "statuses": "write"}
}

func (w *ward) repo(owner, name string) *hub.Repo {
	w.t.Helper()
	r, err := w.hub.AddRepo(owner, name, hub.RepoOptions{Private: true, Properties: hub.Properties{}})
	if err == nil {
		err = r.Grant("robin", hub.Admin)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *ward) id(r *hub.Repo) int64 {
	w.t.Helper()
	for _, one := range w.hub.Snapshot().Repositories {
		if one.Repository == r.Slug() {
			return one.ID
		}
	}
	w.t.Fatal("no such repository")
	return 0
}

func (w *ward) write(file, text string) {
	w.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) good(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) token(name string, kind hub.TokenKind, repo string, permissions map[string]string) string {
	w.t.Helper()
	t, err := w.hub.AddToken(hub.Token{Name: name, Kind: kind, User: "robin", Scopes: []string{"repo"}, Repositories: []string{repo}, Permissions: permissions})
	w.good(err)
	return t.Secret
}

// protected are the rules of an environment that is as it should be.
func protected(gated bool) hub.EnvironmentRules {
	rules := hub.EnvironmentRules{Branches: []string{"main"}, NoBypass: true}
	if gated {
		rules.Reviewers = []string{"robin"}
	}
	return rules
}

// furnish sets both repositories up as docs/SETUP.md says.
func (w *ward) furnish() {
	w.t.Helper()
	files := map[string]hub.File{}
	entries, err := workflows.Files.ReadDir("manager")
	w.good(err)
	for _, e := range entries {
		w.good(w.manager.AddWorkflow(hub.Workflow{Path: ".github/workflows/" + e.Name()}))
	}
	_, err = w.manager.Commit("main", hub.Change{Message: "Begin", Author: "robin", Files: map[string]hub.File{"README.md": {Content: []byte("x\n")}}})
	w.good(err)
	for _, env := range []string{"staging", "production"} {
		w.good(w.manager.SetEnvironment(env+"-plan", protected(false)))
		w.good(w.manager.SetEnvironment(env+"-apply", protected(env == "production")))
	}
	w.manager.AddRuleset(hub.Ruleset{Name: "main", Rules: []hub.Rule{{Type: "pull_request", Parameters: json.RawMessage(`{"dismiss_stale_reviews_on_push":false,"require_code_owner_review":false,"require_last_push_approval":false,"required_approving_review_count":1,"required_review_thread_resolution":false}`)}, {Type: "non_fast_forward"}}})
	w.manager.SetSecrets("METAPIPE_KEY", "SOURCE_REPOS_PAT")
	w.customer.SetSecrets("MANAGER_REPO_PAT")
	w.customer.SetVariable("MANAGER_REPO_OWNER", "provider")
	w.customer.SetVariable("MANAGER_REPO_NAME", "infra")
	trigger, err := workflows.Files.ReadFile("customer/trigger-infra.yml")
	w.good(err)
	files[".github/workflows/trigger-infra.yml"] = hub.File{Content: trigger}
	shop := filepath.Join(filepath.Dir(w.dir), "shop")
	w.run(0, "init", "--customer", shop, "--manager-dir", w.dir)
	variables, err := os.ReadFile(filepath.Join(shop, "infra", "variables.yml"))
	w.good(err)
	files["infra/variables.yml"] = hub.File{Content: variables}
	w.shipped, w.variables = string(trigger), string(variables)
	w.good(w.customer.AddWorkflow(hub.Workflow{Path: ".github/workflows/trigger-infra.yml"}))
	_, err = w.customer.Commit("main", hub.Change{Message: "Begin", Author: "robin", Files: files})
	w.good(err)
}

// run runs a command line in the manager's checkout.
func (w *ward) run(want int, args ...string) string {
	w.t.Helper()
	stdout, stderr, code := w.try(w.t.Context(), args...)
	if code != want {
		w.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout
}

func (w *ward) try(ctx context.Context, args ...string) (stdout, stderr string, code int) {
	var out, complaints bytes.Buffer
	later := w.later
	app := App{In: strings.NewReader(""), Out: &out, Err: &complaints, Environ: w.environ, Dir: filepath.Dir(w.dir), Now: func() time.Time { return time.Now().Add(later) },
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	code = Main(ctx, args, app)
	return out.String(), complaints.String(), code
}

// look runs doctor and returns its checks that are not ok.
func (w *ward) look(want int, args ...string) []doctor.Check {
	w.t.Helper()
	var r doctor.Report
	w.good(json.Unmarshal([]byte(w.run(want, append([]string{"doctor", "--manager-dir", w.dir, "--repository", "provider/infra", "--json"}, args...)...)), &r))
	for _, c := range r.Checks {
		if !doctor.Known(c.ID) {
			w.t.Errorf("%s is not in doctor.All", c.ID)
		}
	}
	return slices.DeleteFunc(r.Checks, func(c doctor.Check) bool { return c.State == doctor.OK || c.ID == "tool.version" })
}

func brief(checks []doctor.Check) string {
	var lines []string
	for _, c := range checks {
		lines = append(lines, fmt.Sprintf("%s %s [%s]", c.State, c.ID, c.Subject))
	}
	return strings.Join(lines, "\n")
}

// TestDoctorOfAHealthyManager: nothing is wrong, and the number of requests stays in its bounds.
func TestDoctorOfAHealthyManager(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	before := len(w.hub.Calls())
	if got := brief(w.look(0)); got != "" {
		t.Errorf("the manager alone:\n%s", got)
	}
	if n := len(w.hub.Calls()) - before; n > 12 {
		t.Errorf("%d requests for the manager", n)
	}
	got := brief(w.look(0, "--all", "--probe"))
	want := "unknown customer.secrets [shop (acme/shop)]\nunknown customer.variables [shop (acme/shop)]"
	if got != want {
		t.Errorf("with the customer:\n%s", got)
	}
	before = len(w.hub.Calls())
	w.look(0, "--customer", "shop")
	customers := 0
	for _, c := range w.hub.Calls()[before:] {
		if strings.HasPrefix(c.Path, "/repos/acme/") {
			customers++
		}
		if c.Write() {
			t.Errorf("a write: %s %s", c.Method, c.Path)
		}
	}
	if customers > 6 || len(w.hub.Calls())-before-customers > 12 {
		t.Errorf("%d requests for the customer, %d for the manager", customers, len(w.hub.Calls())-before-customers)
	}
}

// TestDoctorFindsWhatIsWrong breaks one thing at a time, and doctor names this one alone.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(w *ward)
		want  string
	}{
		"no ruleset": {func(w *ward) { w.manager.DropRulesets() }, "fail manager.ruleset [provider/infra]"},
		"rules of an unknown type": {func(w *ward) {
			w.manager.DropRulesets()
			w.manager.AddRuleset(hub.Ruleset{Rules: []hub.Rule{{Type: "deletion"}, {Type: "creation"}}})
		}, "fail manager.ruleset [provider/infra]"},
		"Actions off":      {func(w *ward) { w.manager.SetActions(hub.ActionsSettings{Disabled: true}) }, "fail manager.actions [provider/infra]"},
		"selected actions": {func(w *ward) { w.manager.SetActions(hub.ActionsSettings{Allowed: "selected"}) }, "warn manager.actions [provider/infra]"},
		"a disabled schedule": {func(w *ward) { w.good(w.manager.SetWorkflowState("sweep.yml", "disabled_inactivity")) },
			"fail manager.workflow-state [provider/infra]"},
		"an edited workflow": {func(w *ward) { w.edit(".github/workflows/sweep.yml", "\n# changed\n") }, "warn manager.workflow-files [provider/infra]"},
		"a missing workflow": {func(w *ward) { w.good(os.Remove(filepath.Join(w.dir, ".github/workflows/sweep.yml"))) }, "fail manager.workflow-files [provider/infra]"},
		"no secret":          {func(w *ward) { w.manager.SetSecrets("SOURCE_REPOS_PAT") }, "warn manager.secrets [provider/infra]"},
		"no reviewers": {func(w *ward) { w.good(w.manager.SetEnvironment("production-apply", protected(false))) },
			"fail environment.reviewers [production-apply]"},
		"a bypass": {func(w *ward) {
			rules := protected(true)
			rules.NoBypass = false
			w.good(w.manager.SetEnvironment("production-apply", rules))
		}, "fail environment.bypass [production-apply]"},
		"any branch": {func(w *ward) { w.good(w.manager.SetEnvironment("staging-plan", hub.EnvironmentRules{})) }, "fail environment.branches [staging-plan]"},
		"another branch": {func(w *ward) {
			w.good(w.manager.SetEnvironment("staging-plan", hub.EnvironmentRules{Branches: []string{"dev"}}))
		},
			"fail environment.branches [staging-plan]"},
		"protected branches": {func(w *ward) {
			w.good(w.manager.SetEnvironment("staging-plan", hub.EnvironmentRules{ProtectedBranches: true}))
		},
			"warn environment.branches [staging-plan]"},
		"another key":          {func(w *ward) { w.environ = append(w.environ, "METAPIPE_KEY=short") }, "fail keys.seal [METAPIPE_KEY]"},
		"an archived customer": {func(w *ward) { w.customer.Archive(true) }, "fail customer.repository [shop (acme/shop)]"},
		"another repository": {func(w *ward) {
			w.write(filepath.Join(w.dir, "customers", "shop.yml"), "repository: acme/shop\nrepository_id: 5\n")
		},
			"fail customer.repository [shop (acme/shop)]"},
		"a renamed repository": {func(w *ward) { w.good(w.customer.Rename("store")) }, "warn customer.repository [shop (acme/shop)]"},
		"a bad file":           {func(w *ward) { w.commit(map[string]string{"infra/variables.yml": "environments: [\n"}) }, "fail customer.variables-file [shop (acme/shop)]"},
		"another path":         {func(w *ward) { w.edit("customers/shop.yml", "path: other\n") }, "fail customer.path [shop (acme/shop)]"},
		"an old trigger":       {func(w *ward) { w.commit(map[string]string{".github/workflows/trigger-infra.yml": "on: push\n"}) }, "warn customer.workflow [shop (acme/shop)]"},
		"a disabled trigger": {func(w *ward) { w.good(w.customer.SetWorkflowState("trigger-infra.yml", "disabled_manually")) },
			"fail customer.workflow-state [shop (acme/shop)]"},
		"a missing permission": {func(w *ward) {
			rights := sourceRights()
			delete(rights, "statuses")
			w.environ = append(w.environ, "SOURCE_REPOS_PAT="+w.token("less", hub.FineGrained, "acme/shop", rights))
		}, "fail token.permission [SOURCE_REPOS_PAT in acme/shop]"},
		"a lock": {func(w *ward) {
			w.good(os.MkdirAll(filepath.Join(w.states, "shop", "staging"), 0o700))
			w.write(filepath.Join(w.states, "shop", "staging", ".terraform.tfstate.lock.info"), `{"ID":"5e1c0b1a-0000-4000-8000-000000000000","Operation":"OperationTypeApply","Who":"kim@laptop","Created":"2026-03-04T05:06:07Z"}`)
		}, "warn store.lock [shop/staging]"},
		"a file that the type forbids": {func(w *ward) {
			w.edit("metapipe.yml", "content: {enforce: true, default: infra}\n")
			w.commit(map[string]string{"main.tf": "\n", ".github/workflows/trigger-infra.yml": w.shipped, "infra/variables.yml": w.variables})
		}, "fail customer.content-type [shop (acme/shop)]"},
		"a property of no meaning": {func(w *ward) {
			w.edit("metapipe.yml", "properties: {}\n")
			w.customer.SetProperties(hub.Properties{"infrastructure_tools": []string{"magic"}})
			w.good(w.hub.AddOwner("acme", "robin"))
			owner, err := w.hub.AddToken(hub.Token{Name: "owner", Kind: hub.Classic, User: "robin", Scopes: []string{"repo", "admin:org"}})
			w.good(err)
			w.environ = append(w.environ, "SOURCE_REPOS_PAT="+owner.Secret)
		}, "fail customer.properties [shop (acme/shop)]"},
		"no access": {func(w *ward) {
			w.environ = append(w.environ, "SOURCE_REPOS_PAT="+w.token("blind", hub.FineGrained, "provider/infra", sourceRights()))
		}, "fail customer.repository [shop (acme/shop)]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWard(t)
			c.spoil(w)
			code := 0
			if strings.HasPrefix(c.want, "fail") {
				code = ExitFindings
			}
			got := slices.DeleteFunc(w.look(code, "--all", "--probe"), func(one doctor.Check) bool {
				return one.State == doctor.Unknown && (one.ID == "customer.secrets" || one.ID == "customer.variables")
			})
			if brief(got) != c.want {
				t.Errorf("got\n%s\nwant\n%s", brief(got), c.want)
			}
			for _, one := range got {
				if one.State == doctor.Fail && one.Remedy == "" {
					t.Errorf("%+v has no remedy", one)
				}
			}
		})
	}
}

func (w *ward) edit(file, more string) {
	w.t.Helper()
	file = filepath.Join(w.dir, filepath.FromSlash(file))
	text, err := os.ReadFile(file)
	w.good(err)
	w.write(file, string(text)+more)
}

func (w *ward) commit(files map[string]string) {
	w.t.Helper()
	ch := hub.Change{Message: "Change", Author: "robin", Files: map[string]hub.File{}}
	for name, text := range files {
		ch.Files[name] = hub.File{Content: []byte(text)}
	}
	_, err := w.customer.Commit("main", ch)
	w.good(err)
}

// TestDoctorOnPlans: what the plan of the owner lacks fails with what to do, and is not taken for a missing permission.
func TestDoctorOnPlans(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.good(w.hub.SetPlan("provider", hub.PlanFree))
	got := w.look(ExitFindings)
	if want := "fail manager.ruleset [provider/infra]\nfail environment.exists [provider/infra]"; brief(got) != want {
		t.Fatalf("got\n%s", brief(got))
	}
	for _, c := range got {
		if c.Needs != "" || !strings.Contains(c.Remedy, "GitHub Team or Enterprise") {
			t.Errorf("%+v", c)
		}
	}
}

// TestDoctorOfACustomer: the customer's side looks at its own repository and at the token for the manager.
func TestDoctorOfACustomer(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.environ = append(w.environ, "MANAGER_REPO_OWNER=provider", "MANAGER_REPO_NAME=infra",
		"GITHUB_TOKEN="+w.token("customer", hub.Classic, "acme/shop", nil),
		"MANAGER_REPO_PAT="+w.token("sender", hub.FineGrained, "provider/infra", map[string]string{"contents": "write"}))
	look := func(want int) []doctor.Check {
		t.Helper()
		var r doctor.Report
		w.good(json.Unmarshal([]byte(w.run(want, "doctor", "--role", "customer", "--repository", "acme/shop", "--probe", "--json")), &r))
		return slices.DeleteFunc(r.Checks, func(c doctor.Check) bool { return c.State == doctor.OK })
	}
	if got := brief(look(0)); got != "" {
		t.Errorf("got\n%s", got)
	}
	w.customer.SetVariable("MANAGER_REPO_NAME", "other")
	w.customer.SetSecrets()
	w.environ = append(w.environ, "MANAGER_REPO_PAT="+w.token("reader", hub.FineGrained, "provider/infra", map[string]string{"contents": "read"}))
	got := look(ExitFindings)
	want := "fail token.permission [MANAGER_REPO_PAT in provider/infra]\nwarn customer.secrets [acme/shop]\nfail customer.variables [acme/shop]"
	if brief(got) != want {
		t.Errorf("got\n%s", brief(got))
	}
	if len(got) > 0 && got[0].Needs != "contents: write of MANAGER_REPO_PAT, for trigger" {
		t.Errorf("%+v", got[0])
	}
}
