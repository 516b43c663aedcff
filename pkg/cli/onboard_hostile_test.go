package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func (y *yard) onboardAs(repo, name string, more ...string) []string {
	return append([]string{"onboard", repo, "--name", name, "--repository", "provider/infra", "--manager-dir", y.dir}, more...)
}

// refuses runs a command with --apply: it is a usage error that says why, and writes nothing.
func (y *yard) refuses(args []string, want ...string) {
	y.t.Helper()
	before := len(y.hub.Calls())
	_, stderr, code := y.try(y.t.Context(), append(args, "--apply")...)
	for _, w := range want {
		if code != ExitUsage || !strings.Contains(stderr, w) {
			y.t.Errorf("%v: exit code %d, no %q in %s", args, code, w, stderr)
		}
	}
	if w := y.writes(before); len(w) > 0 {
		y.t.Errorf("%v writes %v", args, w)
	}
}

// TestOnboardFormerName: the secret of a customer does not follow a redirect of GitHub, which may lead to someone
// else's repository.
func TestOnboardFormerName(t *testing.T) {
	t.Parallel()
	y := newYard(t).give()
	y.good(y.store.Transfer("robin"))
	y.good(y.store.Rename("market"))
	y.refuses(y.onboard(), "acme/store is called robin/market now", "name it robin/market")
	y.refuses(y.onboard("--undo"), "acme/store is called robin/market now")
	if _, err := y.store.OpenSecret("MANAGER_REPO_PAT"); err == nil {
		t.Error("the secret has followed the redirect")
	}
	y.good(y.manager.Rename("service"))
	y.refuses(y.onboardAs("robin/market", "crm"), "provider/infra is called provider/service now")
	y.run(0, y.onboardAs("robin/market", "crm", "--repository", "provider/service", "--apply")...)
	if got, want := y.get("/repos/robin/market/actions/variables"), `"service"`; !strings.Contains(got, want) {
		t.Errorf("no %s in %s", want, got)
	}
}

// TestOnboardRenamedCustomer: a repository is known by its id, so that it becomes no second customer under a new
// name, and what it needs for a customer that it holds is not taken back.
func TestOnboardRenamedCustomer(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.environ = append(y.environ, "SOURCE_REPOS_PAT=")
	y.good(y.customer.Rename("market"))
	y.refuses(y.onboardAs("acme/market", "market"), "acme/market is the customer shop already", "use --name shop")
	y.customer.SetVariable("METAPIPE_ONBOARD", "secret MANAGER_REPO_PAT,variable MANAGER_REPO_OWNER")
	before := len(y.hub.Calls())
	if out := y.run(0, y.onboardAs("acme/market", "market", "--undo", "--apply")...); !strings.Contains(out, "another customer lives in acme/market") || len(y.writes(before)) > 0 {
		t.Errorf("%v: %s", y.writes(before), out)
	}
}

// TestOnboardBranchNames: whatever git lets a default branch be called, the pull requests go there.
func TestOnboardBranchNames(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for i, branch := range []string{
		"release/2026.1", "refs/heads/main", "heads/main", "origin/main", "metapipe/onboard-x", "h\u00e9ad", "a#b", "a%2Fb", "a%2e%2e%2fb", "a&b=c", "a+b", `a"b`, "a'b", "a`b", "$(x)", "${{x}}", "-x", "@", "\u202eniam", "a\u200bb",
		"a;b", "a|b", "a<b>", "a,b", "a{b}", strings.Repeat("x", 200),
	} {
		name := "r" + string(rune('a'+i))
		r, err := y.hub.AddRepo("acme", name, hub.RepoOptions{DefaultBranch: branch, Private: true, Properties: hub.Properties{}})
		y.good(err)
		y.good(r.Grant("robin", hub.Admin))
		if _, err := r.Commit(branch, hub.Change{Message: "Begin", Author: "robin", Files: map[string]hub.File{"README.md": {Content: []byte("x\n")}}}); err != nil {
			t.Fatalf("%q: %v", branch, err)
		}
		if out, stderr, code := y.try(t.Context(), y.onboardAs("acme/"+name, name, "--apply")...); code != 0 {
			t.Errorf("%q: exit code %d: %s%s", branch, code, out, stderr)
			continue
		}
		var pulls []struct{ Base struct{ Ref string } }
		y.good(json.Unmarshal([]byte(y.get("/repos/acme/"+name+"/pulls")), &pulls))
		if len(pulls) != 1 || pulls[0].Base.Ref != branch {
			t.Errorf("%q: %+v", branch, pulls)
		}
	}
}

// TestOnboardExpressions: nothing of a schema becomes more than text in the first files of a customer.
func TestOnboardExpressions(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.ward.write(filepath.Join(y.dir, "schema", "variables.schema.json"), `{"type":"object","required":["a","environments"],"properties":{
		"a":{"type":"string","examples":["$(id) !!python/name:os.system \u003c!-- ::set-output name=x::y"]},"environments":{"type":"object"}}}`)
	y.run(0, y.onboard("--apply")...)
	files, err := y.store.Files("metapipe/onboard")
	y.good(err)
	if got, want := string(files["infra/variables.yml"].Content), `a: "$(id) !!python/name:os.system <!-- ::set-output name=x::y"`; !strings.Contains(got, want) {
		t.Errorf("no %q in %s", want, got)
	}
	for name, file := range files {
		if strings.HasPrefix(name, ".github/") && strings.Contains(string(file.Content), "python") {
			t.Errorf("%s: %s", name, file.Content)
		}
	}
}

// TestOnboardTemplates: the text of a pull request is that of metapipe, whatever template the repository has, and a
// template of its own stays.
func TestOnboardTemplates(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const hostile = "Approved by @robin\n\nMetapipe-Onboard: files store 1\n"
	_, err := y.store.Commit("main", hub.Change{Message: "Template", Author: "robin", Files: map[string]hub.File{".github/PULL_REQUEST_TEMPLATE.md": {Content: []byte(hostile)}}})
	y.good(err)
	out := y.run(0, y.onboard("--apply")...)
	if !strings.Contains(out, ".github/PULL_REQUEST_TEMPLATE.md of acme/store is not as shipped, and stays as it is") {
		t.Error(out)
	}
	if pulls := y.get("/repos/acme/store/pulls"); strings.Contains(pulls, "Approved by") || !strings.Contains(pulls, "Metapipe-Onboard: files store ") {
		t.Error(pulls)
	}
	files, err := y.store.Files("metapipe/onboard")
	y.good(err)
	if got := string(files[".github/PULL_REQUEST_TEMPLATE.md"].Content); got != hostile {
		t.Errorf("%q", got)
	}
}

// TestOnboardInTheWay: a link or a submodule where a file has to be is named, and nothing is written through it.
func TestOnboardInTheWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remove []string
		files  map[string]hub.File
		want   string
	}{
		"a link in place of the file":      {nil, map[string]hub.File{"infra/variables.yml": {Content: []byte("../README.md"), Mode: "120000"}}, "infra/variables.yml"},
		"a link in place of the directory": {[]string{"infra/notes.md"}, map[string]hub.File{"infra": {Content: []byte("docs"), Mode: "120000"}}, "infra"},
		"a directory in place of the file": {nil, map[string]hub.File{".github/workflows/trigger-infra.yml/x": {Content: []byte("x")}}, "trigger-infra.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			_, err := y.store.Commit("main", hub.Change{Message: "Way", Author: "robin", Remove: c.remove, Files: c.files})
			y.good(err)
			y.refuses(y.onboard(), c.want, "acme/store")
		})
	}
}
