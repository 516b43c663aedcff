package cli

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// bare is a ward whose repositories have no settings yet.
func bareWard(t *testing.T) *ward {
	t.Helper()
	w := newWard(t)
	w.manager.DropRulesets()
	w.manager.DropEnvironments()
	w.manager.SetActions(hub.ActionsSettings{Disabled: true, WriteToken: true})
	return w
}

func (w *ward) setUp(more ...string) []string {
	return append([]string{"init", w.dir, "--github", "provider/infra", "--reviewer", "robin"}, more...)
}

// settingsOf are all settings of the manager's repository.
func (w *ward) settingsOf() string {
	w.t.Helper()
	var b strings.Builder
	for _, path := range []string{"/actions/permissions", "/actions/permissions/workflow", "/actions/variables", "/environments", "/environments/staging-plan/deployment-branch-policies",
		"/environments/production-apply/deployment-branch-policies", "/rulesets", "/rules/branches/main"} {
		req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.hub.URL()+"/repos/provider/infra"+path, nil)
		w.good(err)
		req.Header.Set("Authorization", "Bearer "+w.own())
		resp, err := http.DefaultClient.Do(req)
		w.good(err)
		text, err := io.ReadAll(resp.Body)
		w.good(errors.Join(err, resp.Body.Close()))
		fmt.Fprintf(&b, "%s %d %s\n", path, resp.StatusCode, unstable.ReplaceAllString(strings.ReplaceAll(string(text), w.hub.URL(), ""), `"$1":0`))
	}
	return b.String()
}

// unstable are numbers and times that differ between two servers.
var unstable = regexp.MustCompile(`"(id|ruleset_id|node_id|created_at|updated_at|url|html_url|ruleset_source)":("[^"]*"|[0-9]+)`)

func (w *ward) own() string {
	for _, e := range w.environ {
		if value, found := strings.CutPrefix(e, "GITHUB_TOKEN="); found {
			return value
		}
	}
	return ""
}

// TestInitGitHub: the plan is shown first, --apply writes it, a second run writes nothing, and doctor finds nothing but what no
// request can change.
func TestInitGitHub(t *testing.T) {
	t.Parallel()
	w := bareWard(t)
	w.environ = append(w.environ, "TF_STATE_BUCKET=")
	empty := w.settingsOf()
	out := w.run(0, w.setUp()...)
	if w.settingsOf() != empty {
		t.Error("a plan that is only shown has changed something")
	}
	for _, want := range []string{"environment production-apply", "ruleset metapipe", "workflow-permissions", "bypass"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	w.run(0, w.setUp("--apply", "--undo", filepath.Join(filepath.Dir(w.dir), "undo.json"))...)
	done := w.settingsOf()
	if got, want := brief(w.look(ExitFindings)), "fail environment.bypass [production-apply]"; got != want {
		t.Errorf("doctor: %s", got)
	}
	before := len(w.hub.Calls())
	w.run(0, w.setUp("--apply")...)
	for _, c := range w.hub.Calls()[before:] {
		if c.Write() {
			t.Errorf("the second run writes: %s %s", c.Method, c.Path)
		}
	}
	if w.settingsOf() != done {
		t.Error("the second run has changed something")
	}
	w.run(0, "init", w.dir, "--github", "provider/infra", "--from", filepath.Join(filepath.Dir(w.dir), "undo.json"), "--apply")
	if got := w.settingsOf(); got != empty {
		t.Errorf("taken back:\n%s\nwas:\n%s", got, empty)
	}
}

// TestInitGitHubKeeps: what is stricter, and what is not known here, stays.
func TestInitGitHubKeeps(t *testing.T) {
	t.Parallel()
	w := bareWard(t)
	if _, err := w.hub.AddUser(hub.User{Login: "kim"}); err != nil {
		t.Fatal(err)
	}
	w.good(w.manager.Grant("kim", hub.Read))
	w.good(w.manager.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"kim"}, WaitTimer: time.Hour, PreventSelfReview: true, Branches: []string{"release/*"}}))
	w.manager.AddRuleset(hub.Ruleset{Name: "metapipe", Rules: []hub.Rule{{Type: "required_linear_history"}}})
	w.run(0, w.setUp("--apply")...)
	got := w.settingsOf()
	for _, want := range []string{`"wait_timer":60`, `"login":"kim"`, `"login":"robin"`, `"prevent_self_review":true`, `"name":"release/*"`, `"name":"main"`, `required_linear_history`, `non_fast_forward`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

// TestInitGitHubInterrupted: a run that is killed before or after any of its writes can be run again, and the end is the same.
func TestInitGitHubInterrupted(t *testing.T) {
	t.Parallel()
	whole := bareWard(t)
	before := len(whole.hub.Calls())
	whole.run(0, whole.setUp("--apply")...)
	want, writes := whole.settingsOf(), 0
	for _, c := range whole.hub.Calls()[before:] {
		if c.Write() {
			writes++
		}
	}
	if writes < 8 {
		t.Fatalf("only %d writes", writes)
	}
	for n := range writes {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, lost reply %t", n+1, lost), func(t *testing.T) {
				t.Parallel()
				w := bareWard(t)
				w.killRun(n+1, lost, w.setUp("--apply"))
				w.later = 10 * time.Minute
				w.run(0, w.setUp("--apply")...)
				if got := w.settingsOf(); got != want {
					t.Error(cmp.Diff(want, got))
				}
			})
		}
	}
}

// TestInitGitHubOnPlans: what the plan of the owner lacks is said, with what to do.
func TestInitGitHubOnPlans(t *testing.T) {
	t.Parallel()
	for plan, want := range map[hub.Plan]string{hub.PlanTeam: "private repositories need GitHub Enterprise", hub.PlanFree: "Upgrade to GitHub"} {
		w := bareWard(t)
		w.good(w.hub.SetPlan("provider", plan))
		stdout, stderr, code := w.try(t.Context(), w.setUp("--apply")...)
		if code != ExitFailed || !strings.Contains(stdout+stderr, want) {
			t.Errorf("%s: exit code %d, no %q in\n%s%s", plan, code, want, stdout, stderr)
		}
	}
}

// TestInitGitHubRefuses: flags and names that cannot be meant.
func TestInitGitHubRefuses(t *testing.T) {
	t.Parallel()
	w := bareWard(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"init", w.dir, "--reviewer", "robin"}, "add --github OWNER/REPO"},
		{[]string{"init", w.dir, "--github", "infra"}, "write it as OWNER/REPO"},
		{[]string{"init", w.dir, "--github", "provider/infra"}, "name who approves with --reviewer LOGIN"},
		{[]string{"init", w.dir, "--github", "provider/infra", "--reviewer", "nemo"}, "is no person on GitHub"},
		{[]string{"init", w.dir, "--github", "provider/infra", "--reviewer", "acme"}, "is no person on GitHub"},
		{[]string{"init", w.dir, "--github", "provider/infra", "--customer"}, "cannot be used together"},
		{[]string{"init", w.dir, "--github", "provider/infra", "--undo", "x"}, "--undo needs --apply"},
	} {
		if _, stderr, code := w.try(t.Context(), c.args...); code != ExitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, no %q in %s", c.args, code, c.want, stderr)
		}
	}
	dir := filepath.Join(t.TempDir(), "fresh")
	w.run(0, "init", dir, "--github", "provider/infra", "--reviewer", "robin")
	if _, err := os.Stat(filepath.Join(dir, "metapipe.yml")); err != nil {
		t.Errorf("a new manager has no files: %v", err)
	}
}
