package github_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// rightsOfCommand are the permissions that a command needs of a token, in a repository and in its organization.
func rightsOfCommand(command, token string) map[string]string {
	set := map[string]string{}
	for _, r := range doctor.Rights() {
		if r.Token == token && (r.Command == command || command == "") && set[r.Permission] != "write" {
			set[r.Permission] = r.Level
		}
	}
	return set
}

// tokensOfCommands are the pairs of a command and a token.
func tokensOfCommands() [][2]string {
	var pairs [][2]string
	for _, r := range doctor.Rights() {
		if pair := [2]string{r.Command, r.Token}; !slices.Contains(pairs, pair) {
			pairs = append(pairs, pair)
		}
	}
	return pairs
}

// examined lets doctor look at acme/shop with a token of these permissions.
func (w *fixture) examined(t *testing.T, kind hub.TokenKind, token string, commands []string, permissions map[string]string) []doctor.Check {
	t.Helper()
	name := fmt.Sprint(kind, token, commands, slices.Sorted(maps.Keys(permissions)))
	user := "kim"
	if kind == hub.App {
		user = "robot[bot]"
	}
	secret := must(w.hub.AddToken(hub.Token{Name: name, Kind: kind, User: user, Repositories: []string{"acme/shop"}, Permissions: permissions}))(t).Secret
	client := w.client(func(o *github.Options) { o.Token = secret })
	access := doctor.Access{Name: token, GitHub: client, Commands: commands}
	d := doctor.Doctor{Probe: true, Now: w.now}
	checks := d.Customer(t.Context(), access, doctor.Customer{Repository: acme, Path: "infra", Workflow: ".github/workflows/deploy.yml"})
	return append(checks, d.Organization(t.Context(), access, "acme")...)
}

// lacking are the permissions that failed checks name.
func lacking(checks []doctor.Check) (named []string) {
	for _, c := range checks {
		if c.ID == "token.permission" && c.State != doctor.OK {
			named = append(named, string(c.State)+" "+c.Needs)
		}
	}
	return named
}

// TestDoctorNamesTheMissingPermission: with the least permissions of each command nothing is missing, and with any one of them
// removed doctor names this one, the token and the commands.
func TestDoctorNamesTheMissingPermission(t *testing.T) {
	t.Parallel()
	for _, kind := range []hub.TokenKind{hub.FineGrained, hub.App, hub.Actions} {
		for _, pair := range tokensOfCommands() {
			t.Run(string(kind)+" "+pair[0]+" "+pair[1], func(t *testing.T) {
				t.Parallel()
				w := newFixture(t)
				check(t, w.hub.AddOwner("acme", "kim"))
				check(t, w.customer.Grant("kim", hub.Admin))
				must(w.hub.AddUser(hub.User{Login: "robot[bot]", Type: hub.Bot}))(t)
				before := w.picture(t)
				full := rightsOfCommand(pair[0], pair[1])
				commands := []string{pair[0]}
				if named, want := lacking(w.examined(t, kind, pair[1], commands, full)), withoutOne(pair, ""); !slices.Equal(named, want) {
					t.Errorf("with all permissions: got %q, want %q", named, want)
				}
				for _, gone := range slices.Sorted(maps.Keys(full)) {
					if gone == "metadata" {
						continue // every token has it
					}
					rest := maps.Clone(full)
					delete(rest, gone)
					named := lacking(w.examined(t, kind, pair[1], commands, rest))
					slices.Sort(named)
					if want := withoutOne(pair, gone); !slices.Equal(named, want) {
						t.Errorf("without %s: got %q, want %q", gone, named, want)
					}
				}
				if after := w.picture(t); after != before {
					t.Errorf("the look has changed something:\n%s\n%s", before, after)
				}
			})
		}
	}
}

// withoutOne is what doctor says where one permission of a command is missing; "": none is. What only a flag needs is a
// warning, and whether a token may write workflow files is never known.
func withoutOne(pair [2]string, gone string) (want []string) {
	for _, r := range doctor.Rights() {
		if [2]string{r.Command, r.Token} != pair {
			continue
		}
		line := doctor.Permission(r.Permission, r.Level) + " of " + r.Token + ", for " + r.Command
		switch {
		case r.Permission == "workflows":
			want = append(want, "unknown "+line)
		case r.Permission == gone && r.For != "":
			want = append(want, "warn "+line+" ("+r.For+")")
		case r.Permission == gone:
			want = append(want, "fail "+line)
		}
	}
	slices.Sort(want)
	return want
}

// picture is everything that could be changed in the customer's repository.
func (w *fixture) picture(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%+v", w.hub.Snapshot().Repositories)
}

// TestDoctorWithEveryPermission: one token for all commands, and each removed permission is named with the commands that lack it.
func TestDoctorWithEveryPermission(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	check(t, w.hub.AddOwner("acme", "kim"))
	check(t, w.customer.Grant("kim", hub.Admin))
	var commands []string
	for _, pair := range tokensOfCommands() {
		if pair[1] == doctor.SourceToken && pair[0] != "onboard" && pair[0] != "offboard" { // those of a person
			commands = append(commands, pair[0])
		}
	}
	full := rightsOfCommand("", doctor.SourceToken)
	for gone, want := range map[string]string{
		"":                               "",
		"actions":                        "fail actions: read of SOURCE_REPOS_PAT, for fetch-vars",
		"contents":                       "fail contents: read of SOURCE_REPOS_PAT, for compliance, drift, fetch-vars, sync",
		"deployments":                    "fail deployments: write of SOURCE_REPOS_PAT, for drift, fetch-vars, report, sweep",
		"issues":                         "fail issues: write of SOURCE_REPOS_PAT, for compliance, drift",
		"members":                        "fail members: read of SOURCE_REPOS_PAT, for compliance, sync",
		"organization_custom_properties": "fail organization-custom-properties: write of SOURCE_REPOS_PAT, for compliance, properties, sync",
		"statuses":                       "fail statuses: write of SOURCE_REPOS_PAT, for fetch-vars, report, sweep",
	} {
		rest := maps.Clone(full)
		delete(rest, gone)
		if got := strings.Join(lacking(w.examined(t, hub.FineGrained, doctor.SourceToken, commands, rest)), "; "); got != want {
			t.Errorf("without %q: got %q, want %q", gone, got, want)
		}
	}
	// GitHub takes issues: write for a comment on a pull request too. What is missing then is to read pull requests.
	delete(full, "pull_requests")
	got := lacking(w.examined(t, hub.FineGrained, doctor.SourceToken, commands, full))
	if want := "fail pull-requests: write of SOURCE_REPOS_PAT, for fetch-vars, report, sweep"; len(got) != 1 || got[0] != want {
		t.Errorf("without pull_requests: %q, want %q", got, want)
	}
}

// TestDoctorOfClassicTokens: what is missing of a token with scopes is a scope, or the role of its user.
func TestDoctorOfClassicTokens(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	must(w.hub.AddUser(hub.User{Login: "reader"}))(t)
	check(t, w.customer.Grant("reader", hub.Read))
	for name, c := range map[string]struct {
		user   string
		scopes []string
		want   string
	}{
		"all":      {"kim", []string{"repo"}, ""},
		"reader":   {"reader", []string{"repo"}, "token.permission write access of the user of SOURCE_REPOS_PAT, for report"},
		"no scope": {"kim", []string{"repo:status"}, "customer.repository access of SOURCE_REPOS_PAT to acme/shop"},
	} {
		secret := must(w.hub.AddToken(hub.Token{Name: name, Kind: hub.Classic, User: c.user, Scopes: c.scopes, Expires: w.now().Add(time.Hour)}))(t).Secret
		client := w.client(func(o *github.Options) { o.Token = secret })
		access := doctor.Access{Name: doctor.SourceToken, GitHub: client, Commands: []string{"report"}}
		d := doctor.Doctor{Now: w.now}
		var failed []string
		for _, one := range d.Customer(t.Context(), access, doctor.Customer{Repository: acme, Path: "infra", Workflow: ".github/workflows/deploy.yml"}) {
			if one.State == doctor.Fail && (one.ID == "token.permission" || one.ID == "customer.repository") {
				failed = append(failed, one.ID+" "+one.Needs)
			}
		}
		if got := strings.Join(failed, "; "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		token := d.Token(access)
		if len(token) != 2 || token[1].State != doctor.Warn || token[0].Evidence != "a token with scopes" {
			t.Errorf("%s: %+v", name, token)
		}
	}
}

// TestDoctorOfAnUnknownToken: a token that GitHub does not know fails as such.
func TestDoctorOfAnUnknownToken(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	client := w.client(func(o *github.Options) { o.Token = "github_pat_0123456789" })
	checks := doctor.Doctor{Now: w.now}.Customer(t.Context(), doctor.Access{Name: doctor.SourceToken, GitHub: client}, doctor.Customer{Repository: pipeline.Slug{Owner: "acme", Name: "shop"}})
	if len(checks) != 2 || checks[0].ID != "token.expiry" || checks[0].State != doctor.Fail || checks[1].State != doctor.Unknown {
		t.Errorf("%+v", checks)
	}
}

// TestDoctorOfAnApp: the installation says which permissions there are, without a try, and the token of the look can only read.
func TestDoctorOfAnApp(t *testing.T) {
	t.Parallel()
	commands := []string{"fetch-vars", "report", "sweep", "drift"}
	full := map[string]string{"actions": "read", "contents": "read", "deployments": "write", "issues": "write", "pull_requests": "write", "statuses": "write"}
	look := func(t *testing.T, w *fixture, permissions map[string]string, more func()) []doctor.Check {
		t.Helper()
		id, key, err := w.hub.AddApp(hub.GitHubApp{Slug: "carrier", Owner: "acme", Repositories: []string{"acme/shop"}, Permissions: permissions})
		check(t, err)
		more()
		client := w.client(func(o *github.Options) {
			o.Token, o.App = "", must(github.ParseApp(fmt.Sprint(id), string(key)))(t)
		})
		before := len(w.hub.Calls())
		checks := doctor.Doctor{Now: w.now}.Customer(t.Context(), doctor.Access{Name: doctor.SourceToken, GitHub: client, App: true, Commands: commands},
			doctor.Customer{Repository: acme, Path: "infra", Workflow: ".github/workflows/deploy.yml", Variables: func(string, []byte) pipeline.Problems { return nil }})
		if n := len(w.hub.Calls()) - before; n > 6 {
			t.Errorf("%d requests", n)
		}
		return checks
	}
	for gone, want := range map[string]string{
		"":              "",
		"actions":       "fail actions: read of SOURCE_REPOS_PAT, for fetch-vars",
		"contents":      "fail contents: read of SOURCE_REPOS_PAT, for drift, fetch-vars",
		"deployments":   "fail deployments: write of SOURCE_REPOS_PAT, for drift, fetch-vars, report, sweep",
		"issues":        "fail issues: write of SOURCE_REPOS_PAT, for drift",
		"pull_requests": "fail pull-requests: write of SOURCE_REPOS_PAT, for fetch-vars, report, sweep",
		"statuses":      "fail statuses: write of SOURCE_REPOS_PAT, for fetch-vars, report, sweep",
	} {
		t.Run("without "+gone, func(t *testing.T) {
			t.Parallel()
			w := newFixture(t)
			must(w.customer.Commit("main", hub.Change{Message: "Add", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte("a: 1\n")}}}))(t)
			rest := maps.Clone(full)
			delete(rest, gone)
			if got := strings.Join(lacking(look(t, w, rest, func() {})), "; "); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("suspended", func(t *testing.T) {
		t.Parallel()
		w := newFixture(t)
		checks := look(t, w, full, func() { w.hub.SuspendApp("carrier", true) })
		if len(checks) != 1 || checks[0].ID != "customer.app" || checks[0].State != doctor.Fail || !strings.Contains(checks[0].Evidence, "suspended") {
			t.Errorf("%+v", checks)
		}
	})
	t.Run("not installed", func(t *testing.T) {
		t.Parallel()
		w := newFixture(t)
		id, key, err := w.hub.AddApp(hub.GitHubApp{Slug: "carrier", Owner: "acme", Repositories: []string{"acme/secret"}, Permissions: full})
		check(t, err)
		client := w.client(func(o *github.Options) { o.Token, o.App = "", must(github.ParseApp(fmt.Sprint(id), string(key)))(t) })
		checks := doctor.Doctor{Now: w.now}.Customer(t.Context(), doctor.Access{Name: doctor.SourceToken, GitHub: client, App: true}, doctor.Customer{Repository: acme})
		if len(checks) != 1 || checks[0].ID != "customer.app" || checks[0].State != doctor.Fail || !strings.Contains(checks[0].Remedy, "install the App") {
			t.Errorf("%+v", checks)
		}
	})
}

// TestDoctorWithoutProbe: whether a fine-grained token can write is not known, and the permission is named.
func TestDoctorWithoutProbe(t *testing.T) {
	t.Parallel()
	w := newFixture(t)
	secret := must(w.hub.AddToken(hub.Token{Name: "fine", Kind: hub.FineGrained, User: "kim", Repositories: []string{"acme/shop"}, Permissions: rightsOfCommand("", doctor.SourceToken)}))(t).Secret
	client := w.client(func(o *github.Options) { o.Token = secret })
	checks := doctor.Doctor{Now: w.now}.Customer(t.Context(), doctor.Access{Name: doctor.SourceToken, GitHub: client, Commands: []string{"report"}}, doctor.Customer{Repository: acme, Path: "infra", Workflow: ".github/workflows/deploy.yml"})
	got := strings.Join(lacking(checks), "; ")
	want := "unknown deployments: write of SOURCE_REPOS_PAT, for report; unknown pull-requests: write of SOURCE_REPOS_PAT, for report; unknown statuses: write of SOURCE_REPOS_PAT, for report"
	if got != want {
		t.Errorf("got %q", got)
	}
	for _, c := range w.hub.Calls() {
		if c.Write() && strings.HasPrefix(c.Path, "/repos/acme") {
			t.Errorf("a write without --probe: %s %s", c.Method, c.Path)
		}
	}
}

// TestDoctorOfSingleSignOn: an organization with single sign-on hides its repositories from a token that is not authorized.
func TestDoctorOfSingleSignOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ header, message, remedy string }{
		"single sign-on": {"required; url=https://github.com/orgs/acme/sso?authorization_request=x", "Resource protected by organization SAML enforcement.", "https://github.com/orgs/acme/sso"},
		"restrictions":   {"", "Although you appear to have the correct authorization credentials, the `acme` organization has enabled OAuth App access restrictions", "third-party access"},
	} {
		client := serve(t, map[string]http.HandlerFunc{"GET /repos/acme/shop": func(out http.ResponseWriter, r *http.Request) {
			if c.header != "" {
				out.Header().Set("X-GitHub-SSO", c.header)
			}
			answer(403, fmt.Sprintf(`{"message":%q}`, c.message))(out, r)
		}}).client(t)
		checks := doctor.Doctor{Now: time.Now}.Customer(t.Context(), doctor.Access{Name: doctor.SourceToken, GitHub: client}, doctor.Customer{Repository: acme})
		if len(checks) != 1 || checks[0].ID != "customer.repository" || checks[0].State != doctor.Fail || !strings.Contains(checks[0].Remedy, c.remedy) {
			t.Errorf("%s: %+v", name, checks)
		}
	}
}
