package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

var at = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func doctorAt() Doctor { return Doctor{Now: func() time.Time { return at }} }

// refused is an answer that a permission is missing for.
type refused struct{ permission string }

func (r refused) Error() string {
	return "HTTP 403: Resource not accessible by integration\n→ give it"
}
func (r refused) Needed() (string, bool) { return r.permission, true }

// world is a GitHub whose answers are its fields; err is that of everything but the repository.
type world struct {
	GitHub
	credential   Credential
	repository   Repository
	environments []Environment
	branches     []string
	rules        []string
	err          error
	asked        int
}

func (w *world) Credential() Credential { return w.credential }
func (w *world) Settings(context.Context, pipeline.Slug) (Repository, error) {
	w.asked++
	return w.repository, nil
}
func (w *world) BranchRules(context.Context, pipeline.Slug, string) ([]string, error) {
	w.asked++
	return w.rules, w.err
}
func (w *world) Workflows(context.Context, pipeline.Slug) ([]Workflow, error) {
	w.asked++
	return []Workflow{}, w.err
}
func (w *world) ActionsPermissions(context.Context, pipeline.Slug) (ActionsPermissions, error) {
	w.asked++
	return ActionsPermissions{Enabled: true}, w.err
}
func (w *world) WorkflowPermissions(context.Context, pipeline.Slug) (WorkflowPermissions, error) {
	w.asked++
	return WorkflowPermissions{Token: "read"}, w.err
}
func (w *world) Environments(context.Context, pipeline.Slug) ([]Environment, error) {
	w.asked++
	return w.environments, w.err
}
func (w *world) DeploymentBranches(context.Context, pipeline.Slug, string) ([]string, error) {
	w.asked++
	return w.branches, w.err
}
func (w *world) SecretNames(context.Context, pipeline.Slug) ([]string, error) {
	w.asked++
	return nil, w.err
}
func (w *world) Variables(context.Context, pipeline.Slug) (map[string]string, error) {
	w.asked++
	return nil, w.err
}
func (w *world) SubjectClaim(context.Context, pipeline.Slug) (pipeline.SubjectClaim, error) {
	w.asked++
	return pipeline.SubjectClaim{Default: true}, w.err
}

func healthy() *world {
	return &world{
		credential: Credential{Kind: Classic, Scopes: []string{"repo"}, Now: at, Here: at},
		repository: Repository{Repository: pipeline.Repository{Slug: pipeline.Slug{Owner: "provider", Name: "infra"}, ID: 5, DefaultBranch: "main"}, Private: true, Push: true},
		rules:      []string{"pull_request", "non_fast_forward"}, branches: []string{"main"},
	}
}

// manager looks at a manager with these environments in metapipe.yml.
func manager(t *testing.T, w *world, rules ...pipeline.EnvironmentRule) []Check {
	t.Helper()
	return doctorAt().Manager(t.Context(), Access{Name: OwnToken, GitHub: w, Commands: []string{"apply"}}, Manager{Repository: w.repository.Slug, Environments: rules})
}

// not lists the checks that are not ok.
func not(checks []Check) string {
	var list []string
	for _, c := range checks {
		if c.State != OK {
			list = append(list, fmt.Sprintf("%s %s [%s]", c.State, c.ID, c.Subject))
		}
	}
	return strings.Join(list, "\n")
}

// TestBudgetOfTheManager: however many environments there are, doctor asks at most 12 times, about gates first.
func TestBudgetOfTheManager(t *testing.T) {
	t.Parallel()
	w := healthy()
	var rules []pipeline.EnvironmentRule
	for i := range 9 {
		name := pipeline.Environment(fmt.Sprintf("e%d", i))
		rules = append(rules, pipeline.EnvironmentRule{Name: name})
		for _, work := range []string{"-plan", "-apply"} {
			w.environments = append(w.environments, Environment{Name: string(name) + work, Branches: NamedBranches})
		}
	}
	checks := manager(t, w, rules...)
	if w.asked > budget {
		t.Errorf("%d requests", w.asked)
	}
	unread := 0
	for _, c := range checks {
		if c.ID == "environment.branches" && c.State == Unknown {
			unread++
		}
		if c.ID == "environment.branches" && c.Subject == "e0-apply" && c.State != OK {
			t.Errorf("the first gate: %+v", c)
		}
	}
	if unread == 0 || !strings.Contains(not(checks), "e8-plan") {
		t.Errorf("nothing is said of what was not read:\n%s", not(checks))
	}
}

func TestGates(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	rule := pipeline.EnvironmentRule{Name: "live", Gated: true, WaitTimer: 5 * time.Minute, PreventSelfReview: true}
	good := Environment{Name: "live-apply", Reviewers: 1, Wait: 5 * time.Minute, PreventSelfReview: true, Bypass: &no, Branches: NamedBranches}
	for name, c := range map[string]struct {
		edit func(*Environment, *world)
		want string
	}{
		"good":            {func(*Environment, *world) {}, ""},
		"other case":      {func(e *Environment, _ *world) { e.Name = "Live-Apply" }, ""},
		"no reviewers":    {func(e *Environment, _ *world) { e.Reviewers = 0 }, "fail environment.reviewers [live-apply]"},
		"short timer":     {func(e *Environment, _ *world) { e.Wait = time.Minute }, "fail environment.wait-timer [live-apply]"},
		"self-review":     {func(e *Environment, _ *world) { e.PreventSelfReview = false }, "warn environment.self-review [live-apply]"},
		"bypass":          {func(e *Environment, _ *world) { e.Bypass = &yes }, "fail environment.bypass [live-apply]"},
		"bypass not said": {func(e *Environment, _ *world) { e.Bypass = nil }, "unknown environment.bypass [live-apply]"},
		"no branch":       {func(_ *Environment, w *world) { w.branches = nil }, "fail environment.branches [live-apply]"},
		"more branches":   {func(_ *Environment, w *world) { w.branches = []string{"main", "dev"} }, "warn environment.branches [live-apply]"},
		"a pattern":       {func(_ *Environment, w *world) { w.branches = []string{"m*"} }, "warn environment.branches [live-apply]"},
		"a tag":           {func(_ *Environment, w *world) { w.branches = []string{"tag:main"} }, "fail environment.branches [live-apply]"},
	} {
		w := healthy()
		e := good
		c.edit(&e, w)
		w.environments = []Environment{e, {Name: "live-plan", Branches: NamedBranches}}
		got := strings.ReplaceAll(not(manager(t, w, rule)), "[Live-Apply]", "[live-apply]")
		var mine []string
		for line := range strings.SplitSeq(got, "\n") {
			if !strings.Contains(line, "[live-plan]") {
				mine = append(mine, line)
			}
		}
		if strings.Join(mine, "\n") != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(mine, "\n"), c.want)
		}
	}
}

// TestUnknownNamesThePermission: what cannot be read is unknown, and never fine; the permission and the token are named.
func TestUnknownNamesThePermission(t *testing.T) {
	t.Parallel()
	w := healthy()
	w.err = refused{"administration=read"}
	for _, c := range manager(t, w, pipeline.EnvironmentRule{Name: "live"}) {
		switch c.ID {
		case "manager.repository", "clock", "token.kind", "token.expiry", "token.permission":
			continue
		}
		if c.State != Unknown || c.Needs != "administration: read of GITHUB_TOKEN" || c.Remedy == "" || strings.Contains(c.Evidence, "\n") {
			t.Errorf("%+v", c)
		}
	}
	w.err = errors.New("no route to host")
	for _, c := range manager(t, w, pipeline.EnvironmentRule{Name: "live"}) {
		if c.State == OK && c.ID != "manager.repository" && c.ID != "clock" && !strings.HasPrefix(c.ID, "token.") {
			t.Errorf("%+v", c)
		}
	}
}

// TestJobToken: the GITHUB_TOKEN of a job is not asked for what it cannot see, and what it lacks is no fault of the manager.
func TestJobToken(t *testing.T) {
	t.Parallel()
	w := healthy()
	w.credential = Credential{Kind: Job, Now: at, Here: at}
	checks := doctorAt().Manager(t.Context(), Access{Name: OwnToken, GitHub: w}, Manager{Repository: w.repository.Slug, Job: true})
	want := map[string]bool{"manager.actions": true, "manager.secrets": true, "manager.variables": true, "manager.workflow-token": true}
	for _, c := range checks {
		if (c.State == Unknown) != want[c.ID] {
			t.Errorf("%+v", c)
		}
	}
	if w.asked > 6 {
		t.Errorf("%d requests", w.asked)
	}
}

func TestClockAndExpiry(t *testing.T) {
	t.Parallel()
	for off, want := range map[time.Duration]State{0: OK, 20 * time.Second: OK, -2 * time.Minute: Warn, 10 * time.Minute: Fail, -time.Hour: Fail} {
		w := healthy()
		w.credential.Here = at.Add(off)
		if got := doctorAt().clock(Access{GitHub: w}); len(got) != 1 || got[0].State != want {
			t.Errorf("%s: %+v", off, got)
		}
	}
	w := healthy()
	w.credential.Now = time.Time{}
	if got := doctorAt().clock(Access{GitHub: w}); len(got) != 0 {
		t.Errorf("without an answer: %+v", got)
	}
	for left, want := range map[time.Duration]State{time.Hour: Warn, 13 * 24 * time.Hour: Warn, 30 * 24 * time.Hour: OK} {
		w.credential.Expires = at.Add(left)
		if got := doctorAt().Token(Access{Name: SourceToken, GitHub: w}); got[1].State != want {
			t.Errorf("%s: %+v", left, got)
		}
	}
	w.credential.Kind = Classic
	if got := doctorAt().Token(Access{Name: ManagerToken, GitHub: w}); got[0].State != Warn {
		t.Errorf("a classic token for the manager: %+v", got)
	}
}

// TestReportOrder: the checks come in the order of All, and every kind is there once.
func TestReportOrder(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range All {
		if seen[k.ID] || k.Looks == "" {
			t.Errorf("%+v", k)
		}
		seen[k.ID] = true
	}
	r := NewReport([]Check{{ID: "end-to-end", State: Fail}, {ID: "clock", State: Warn}, {ID: "token.kind", State: OK}, {ID: "token.kind", State: Unknown}})
	if r.Checks[0].ID != "clock" || r.Checks[3].ID != "end-to-end" || r.OK != 1 || r.Warned != 1 || r.Failed != 1 || r.Unknown != 1 {
		t.Errorf("%+v", r)
	}
}
