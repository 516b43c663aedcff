package cli

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// leastOf are the permissions that a command needs of a token, as doctor says.
func leastOf(command, token string) map[string]string {
	least := map[string]string{}
	for _, r := range doctor.Rights() {
		if r.Command == command && r.Token == token {
			least[r.Permission] = r.Level
		}
	}
	return least
}

// operate gives a yard fine-grained tokens with these permissions.
func (y *yard) operate(own, source map[string]string) {
	y.t.Helper()
	y.good(y.hub.AddOwner("acme", "robin"))
	y.environ = append(y.environ, "GITHUB_TOKEN="+y.token("operator of the manager", hub.FineGrained, "provider/infra", own),
		"SOURCE_REPOS_PAT="+y.token("operator of the customer", hub.FineGrained, "acme/store", source))
}

// ofOperator are the checks that are not ok of the tokens that onboard and offboard write with.
func (y *yard) ofOperator(want int, command string, more ...string) []doctor.Check {
	y.t.Helper()
	return slices.DeleteFunc(y.look(want, more...), func(c doctor.Check) bool {
		return c.ID != "token.permission" || !strings.Contains(c.Needs, command)
	})
}

// TestOperatorRights: with the permissions that doctor lists a command does all that it can, and without any one of
// them it fails, and doctor names this one, of which token, and for which command.
func TestOperatorRights(t *testing.T) {
	t.Parallel()
	commands := map[string]struct {
		begin func(*yard)
		args  func(*yard) []string
		flag  []string
	}{
		"onboard":  {func(y *yard) { y.give() }, func(y *yard) []string { return y.onboard(append(all, "--apply")...) }, []string{"--onboard", "acme/store"}},
		"offboard": {(*yard).onboarded, func(y *yard) []string { return y.leave("--apply") }, []string{"--offboard", "store"}},
	}
	for command, c := range commands {
		own, source := leastOf(command, doctor.OwnToken), leastOf(command, doctor.SourceToken)
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			c.begin(y)
			y.operate(own, source)
			checks := slices.DeleteFunc(y.ofOperator(ExitFindings, command, append(c.flag, "--probe")...), func(c doctor.Check) bool {
				return strings.HasPrefix(c.Needs, "workflows: write") && c.State == doctor.Unknown
			})
			if got := brief(checks); got != "" {
				t.Errorf("with the least permissions: %s", got)
			}
			y.run(0, c.args(y)...)
		})
		for token, least := range map[string]map[string]string{doctor.OwnToken: own, doctor.SourceToken: source} {
			for _, permission := range slices.Sorted(maps.Keys(least)) {
				t.Run(command+" without "+permission+" of "+token, func(t *testing.T) {
					t.Parallel()
					y := newYard(t)
					c.begin(y)
					less := maps.Clone(least)
					delete(less, permission)
					if token == doctor.OwnToken {
						y.operate(less, source)
					} else {
						y.operate(own, less)
					}
					var named []string
					for _, one := range y.ofOperator(ExitFindings, command, append(c.flag, "--probe")...) {
						named = append(named, one.Needs)
						if one.State == doctor.OK || one.Remedy == "" {
							t.Errorf("%+v", one)
						}
					}
					want := doctor.Permission(permission, least[permission]) + " of " + token + ", for "
					if permission != "workflows" {
						named = slices.DeleteFunc(named, func(n string) bool { return strings.HasPrefix(n, "workflows: write") })
					}
					if len(named) != 1 || !strings.HasPrefix(named[0], want) || !strings.Contains(named[0], command) {
						t.Errorf("got %q, want %q", named, want)
					}
					if _, stderr, code := y.try(t.Context(), c.args(y)...); code == 0 {
						t.Errorf("%s works without it: %s", command, stderr)
					}
				})
			}
		}
	}
}

// TestOperatorScopes: scopes and roles that are missing, of the token that stands in for the one of customers.
func TestOperatorScopes(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	inStore := func(want int) []doctor.Check {
		return slices.DeleteFunc(y.ofOperator(want, "onboard", "--onboard", "acme/store"), func(c doctor.Check) bool { return c.Subject != "GITHUB_TOKEN in acme/store" })
	}
	y.environ = append(y.environ, "SOURCE_REPOS_PAT=")
	if got := inStore(0); brief(got) != "" {
		t.Errorf("%+v", got)
	}
	y.good(y.store.Grant("robin", hub.Write))
	if got := inStore(0); len(got) != 1 || got[0].State != doctor.Warn || got[0].Needs != "the role Admin of the user of GITHUB_TOKEN, for onboard (--required-check)" {
		t.Errorf("%+v", got)
	}
	y.environ = append(y.environ, "GITHUB_TOKEN="+y.person("repo", "admin:org"))
	if got := inStore(ExitFindings); len(got) != 1 || got[0].Needs != "scope workflow of GITHUB_TOKEN, for onboard" {
		t.Errorf("%+v", got)
	}
}

// TestOperatorRequests: without --probe there are at most six requests, all of them reads, and a token that cannot
// even read is named.
func TestOperatorRequests(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	source := leastOf("onboard", doctor.SourceToken)
	delete(source, "secrets")
	y.operate(leastOf("onboard", doctor.OwnToken), source)
	before := len(y.hub.Calls())
	var failed []string
	for _, c := range y.ofOperator(ExitFindings, "onboard", "--onboard", "acme/store") {
		if c.State == doctor.Fail {
			failed = append(failed, c.Needs)
		}
	}
	if want := []string{"secrets: write of SOURCE_REPOS_PAT, for onboard"}; !slices.Equal(failed, want) {
		t.Errorf("%q", failed)
	}
	customers := 0
	for _, c := range y.hub.Calls()[before:] {
		if strings.HasPrefix(c.Path, "/repos/acme/") {
			customers++
		}
	}
	if w := y.writes(before); len(w) > 0 || customers > 6 {
		t.Errorf("%d requests, %v", customers, w)
	}
	y.refusesDoctor("--role", "customer", "--onboard", "acme/store")
	y.refusesDoctor("--onboard", "store")
	y.refusesDoctor("--offboard", "stroe")
}

func (y *yard) refusesDoctor(args ...string) {
	y.t.Helper()
	if _, stderr, code := y.try(y.t.Context(), append([]string{"doctor", "--manager-dir", y.dir, "--repository", "provider/infra"}, args...)...); code != ExitUsage {
		y.t.Errorf("%v: exit code %d: %s", args, code, stderr)
	}
}
