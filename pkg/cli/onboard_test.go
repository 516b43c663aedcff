package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// yard is a ward with a repository that is no customer yet.
type yard struct {
	*ward
	store *hub.Repo
}

func newYard(t *testing.T) *yard {
	t.Helper()
	y := &yard{ward: newWard(t)}
	y.store = y.repo("acme", "store")
	_, err := y.store.Commit("main", hub.Change{Message: "Begin", Author: "robin", Files: map[string]hub.File{"README.md": {Content: []byte("x\n")}, "infra/notes.md": {Content: []byte("y\n")}}})
	y.good(err)
	y.good(y.hub.AddOwner("acme", "robin"))
	y.good(y.hub.DefineProperties("acme", hub.PropertyDefinition{Name: "customer_tier", Type: "single_select", Allowed: []string{"startup", "enterprise"}, EditableBy: hub.OrgActors}))
	_, err = y.manager.Commit("main", hub.Change{Message: "Register", Author: "robin", Files: map[string]hub.File{"customers/shop.yml": {Content: []byte(y.text("customers/shop.yml"))}}})
	y.good(err)
	text := y.text("metapipe.yml")
	y.ward.write(filepath.Join(y.dir, "metapipe.yml"), text+"\nproperties: {}\n")
	y.environ = append(slices.DeleteFunc(slices.Clone(y.environ), func(e string) bool {
		return strings.HasPrefix(e, "GITHUB_TOKEN=") || strings.HasPrefix(e, "SOURCE_REPOS_PAT=")
	}),
		"GITHUB_TOKEN="+y.person("repo", "workflow", "admin:org"))
	return y
}

func (y *yard) text(name string) string {
	y.t.Helper()
	raw, err := os.ReadFile(filepath.Join(y.dir, filepath.FromSlash(name)))
	y.good(err)
	return string(raw)
}

func (y *yard) person(scopes ...string) string {
	y.t.Helper()
	t, err := y.hub.AddToken(hub.Token{Name: "person " + strings.Join(scopes, " "), Kind: hub.Classic, User: "robin", Scopes: scopes})
	y.good(err)
	return t.Secret
}

func (y *yard) onboard(more ...string) []string {
	return append([]string{"onboard", "acme/store", "--repository", "provider/infra", "--manager-dir", y.dir}, more...)
}

// all are the flags that make every kind of row.
var all = []string{"--tier", "startup", "--required-check", "--environments", "staging"}

const secretText = "ghp_of_the_customer"

// everything is what of both repositories onboarding can change.
func (y *yard) everything() string {
	y.t.Helper()
	var b strings.Builder
	for _, path := range []string{"/repos/acme/store/actions/secrets", "/repos/acme/store/actions/variables", "/repos/acme/store/rulesets", "/repos/acme/store/properties/values",
		"/repos/acme/store/pulls", "/repos/provider/infra/pulls"} {
		fmt.Fprintf(&b, "%s %s\n", path, volatile.ReplaceAllString(y.get(path), "X"))
	}
	for _, r := range []*hub.Repo{y.store, y.manager} {
		for _, branch := range []string{"main", "metapipe/onboard", "metapipe/onboard-store", "metapipe/offboard-store", "metapipe/offboard-shop"} {
			sha, err := r.Head(branch)
			if err != nil {
				continue
			}
			commit, err := r.CommitOf(sha)
			y.good(err)
			fmt.Fprintf(&b, "%s %s %s %q\n", r.Slug(), branch, commit.Tree, commit.Message)
		}
	}
	return b.String()
}

// volatile are numbers, commits, times and addresses that differ between two runs.
var volatile = regexp.MustCompile(`"(id|number|node_id|sha|merge_commit_sha|[a-z_]*_at|[a-z_]*url|href)":("[^"]*"|[0-9]+)|[0-9a-f]{40}|http://[0-9.:]+[^"]*`)

func (y *yard) get(path string) string {
	y.t.Helper()
	req, err := http.NewRequestWithContext(y.t.Context(), http.MethodGet, y.hub.URL()+path, nil)
	y.good(err)
	req.Header.Set("Authorization", "Bearer "+y.own())
	resp, err := http.DefaultClient.Do(req)
	y.good(err)
	text, err := io.ReadAll(resp.Body)
	y.good(errors.Join(err, resp.Body.Close()))
	return string(text)
}

func (y *yard) give() *yard {
	y.environ = append(y.environ, "MANAGER_REPO_PAT="+secretText)
	return y
}

func (y *yard) content(branch, name string) string {
	y.t.Helper()
	files, err := y.manager.Files(branch)
	y.good(err)
	return string(files[name].Content)
}

func (y *yard) writes(before int) (list []string) {
	for _, c := range y.hub.Calls()[before:] {
		if c.Write() {
			list = append(list, c.Method+" "+c.Path)
		}
	}
	return list
}

// TestOnboard: the plan is shown first, --apply writes it, a second run writes nothing, and --undo takes back all of it.
func TestOnboard(t *testing.T) {
	t.Parallel()
	y := newYard(t).give()
	empty := y.everything()
	out := y.run(0, y.onboard(all...)...)
	if got := y.everything(); got != empty {
		t.Errorf("a plan that is only shown has changed something: %s", cmp.Diff(empty, got))
	}
	for _, want := range []string{"pull request metapipe/onboard-store", "pull request metapipe/onboard", "customer_tier", "MANAGER_REPO_OWNER", "metapipe required check", "secret MANAGER_REPO_PAT"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	before := len(y.hub.Calls())
	out = y.run(0, y.onboard(append(all, "--apply")...)...)
	writes := y.writes(before)
	if last := writes[len(writes)-1]; last != "PUT /repos/acme/store/actions/secrets/MANAGER_REPO_PAT" {
		t.Errorf("the secret is not the last write: %v", writes)
	}
	if strings.Contains(out, secretText) {
		t.Error("the secret is shown")
	}
	if got, err := y.store.OpenSecret("MANAGER_REPO_PAT"); got != secretText || err != nil {
		t.Errorf("the secret is %q, %v", got, err)
	}
	done := y.everything()
	before = len(y.hub.Calls())
	y.run(0, y.onboard(append(all, "--apply")...)...)
	if again := y.writes(before); len(again) > 0 || y.everything() != done {
		t.Errorf("the second run writes: %v", again)
	}
	y.run(0, y.onboard("--undo", "--apply")...)
	if got := y.everything(); got != empty {
		t.Error("taken back: " + cmp.Diff(empty, got))
	}
	before = len(y.hub.Calls())
	y.run(0, y.onboard("--undo", "--apply")...)
	if again := y.writes(before); len(again) > 0 {
		t.Errorf("taken back twice: %v", again)
	}
}

// TestOnboardFiles: the pull requests hold what init --customer writes and a valid file of the customer; no default branch moves.
func TestOnboardFiles(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	heads := func() string {
		a, err := y.store.Head("main")
		b, errB := y.manager.Head("main")
		y.good(errors.Join(err, errB))
		return a + b
	}
	before := heads()
	y.run(0, y.onboard("--environments", "staging", "--apply")...)
	if heads() != before {
		t.Error("a default branch has moved")
	}
	var pulls []struct {
		Number int
		Title  string
		Body   string
	}
	y.good(json.Unmarshal([]byte(y.get("/repos/acme/store/pulls")), &pulls))
	if len(pulls) != 1 || !strings.Contains(pulls[0].Body, "Metapipe-Onboard: files store ") {
		t.Fatalf("%+v", pulls)
	}
	for _, r := range []struct {
		repo   *hub.Repo
		number int
	}{{y.store, pulls[0].Number}, {y.manager, 1}} {
		_, err := r.repo.MergePull(r.number, hub.MergeCommit, "robin")
		y.good(err)
	}
	files := y.get("/repos/acme/store/git/trees/main?recursive=1")
	for _, want := range []string{"infra/variables.yml", ".github/workflows/trigger-infra.yml", ".github/PULL_REQUEST_TEMPLATE.md", "infra/notes.md"} {
		if !strings.Contains(files, `"`+want+`"`) {
			t.Errorf("no %s in %s", want, files)
		}
	}
	content := y.content("main", "customers/store.yml")
	if want := fmt.Sprintf("repository: acme/store\nrepository_id: %d\nenvironments: [staging]\n", y.id(y.store)); content != want {
		t.Errorf("customers/store.yml: %s", content)
	}
	y.ward.write(filepath.Join(y.dir, "customers", "store.yml"), content)
	y.run(0, "validate", "--manager-dir", y.dir)
	out := y.run(0, y.onboard()...)
	if !strings.Contains(out, "customers/store.yml is in the manager already") || strings.Contains(out, "pull request metapipe") {
		t.Errorf("after the merge:\n%s", out)
	}
}

// TestOnboardInterrupted: a run that is killed before or after any of its writes can be run again, and the end is the same.
func TestOnboardInterrupted(t *testing.T) {
	t.Parallel()
	playEachCut(t, func(y *yard) { y.give() }, func(y *yard) []string { return y.onboard(append(all, "--apply")...) }, 11)
}

// TestOnboardUndoInterrupted is the same for the way back.
func TestOnboardUndoInterrupted(t *testing.T) {
	t.Parallel()
	playEachCut(t, func(y *yard) {
		y.give()
		y.run(0, y.onboard(append(all, "--apply")...)...)
	}, func(y *yard) []string { return y.onboard("--undo", "--apply") }, 9)
}

// playEachCut runs a command once as a whole, then kills it at each of its writes, before and after their effect, and runs it again.
func playEachCut(t *testing.T, begin func(*yard), args func(*yard) []string, least int) {
	t.Helper()
	whole := newYard(t)
	begin(whole)
	before := len(whole.hub.Calls())
	whole.run(0, args(whole)...)
	want, writes := whole.everything(), len(whole.writes(before))
	if writes < least {
		t.Fatalf("only %d writes", writes)
	}
	for n := range writes {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, lost reply %t", n+1, lost), func(t *testing.T) {
				t.Parallel()
				y := newYard(t)
				begin(y)
				y.killRun(n+1, lost, args(y))
				y.later = 10 * time.Minute
				y.run(0, args(y)...)
				if got := y.everything(); got != want {
					t.Error(cmp.Diff(want, got))
				}
			})
		}
	}
}

// killRun runs a command until its nth write, and cuts every connection from there on.
func (w *ward) killRun(n int, lost bool, args []string) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	count, dead := 0, false
	var one sync.Mutex
	before := func(r *http.Request) bool {
		one.Lock()
		defer one.Unlock()
		if dead {
			return false
		}
		if r.Method != http.MethodGet {
			if count++; count == n && !lost {
				dead = true
				cancel()
			}
		}
		return !dead
	}
	after := func(r *http.Request) bool {
		one.Lock()
		defer one.Unlock()
		if lost && !dead && r.Method != http.MethodGet && count == n {
			dead = true
			cancel()
		}
		return !dead
	}
	w.hook(before, after)
	if _, stderr, code := w.try(ctx, args...); code == 0 {
		w.t.Fatalf("the run was not stopped: %s", stderr)
	}
	w.hook(nil, nil)
}

// TestOnboardKeeps: what is there with another content stays or stops the run, and --undo removes nothing that was there before.
func TestOnboardKeeps(t *testing.T) {
	t.Parallel()
	y := newYard(t).give()
	y.store.SetSecrets("MANAGER_REPO_PAT")
	y.store.SetVariable("MANAGER_REPO_OWNER", "provider")
	_, err := y.store.Commit("main", hub.Change{Message: "Own", Author: "robin", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte("environments: {}\n")}}})
	y.good(err)
	before := y.everything()
	out := y.run(0, y.onboard("--apply")...)
	if !strings.Contains(out, "infra/variables.yml of acme/store is not as shipped, and stays as it is") {
		t.Errorf("%s", out)
	}
	if _, err := y.store.OpenSecret("MANAGER_REPO_PAT"); err == nil {
		t.Error("the secret was replaced")
	}
	y.run(0, y.onboard("--undo", "--apply")...)
	if got := y.everything(); got != before {
		t.Error(cmp.Diff(before, got))
	}
	y.store.SetVariable("MANAGER_REPO_NAME", "other")
	if _, stderr, code := y.try(t.Context(), y.onboard("--apply")...); code != ExitUsage || !strings.Contains(stderr, "it may serve another manager") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestOnboardAfterOthers: commits of others on the branch stay, and a list that anyone can write removes nothing else.
func TestOnboardAfterOthers(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.run(0, y.onboard("--apply")...)
	_, err := y.store.Commit("metapipe/onboard", hub.Change{Message: "Edit", Author: "robin", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte("environments: {staging: {}}\n")}}})
	y.good(err)
	head, err := y.store.Head("metapipe/onboard")
	y.good(err)
	y.later = 10 * time.Minute
	if out := y.run(0, y.onboard("--apply")...); !strings.Contains(out, "has been changed by someone, and stays as it is") {
		t.Error(out)
	}
	y.store.SetSecrets("DATABASE")
	y.store.SetVariable("OTHER", "1")
	y.store.SetVariable("METAPIPE_ONBOARD", "secret DATABASE,variable OTHER,ruleset main,variable MANAGER_REPO_OWNER,security_contact")
	y.run(0, y.onboard("--undo", "--apply")...)
	if got, err := y.store.Head("metapipe/onboard"); got != head || err != nil {
		t.Errorf("the branch with the edit: %s, %v", got, err)
	}
	if got := y.get("/repos/acme/store/pulls"); strings.TrimSpace(got) != "[]" {
		t.Errorf("the pull request is open: %s", got)
	}
	left := y.get("/repos/acme/store/actions/secrets") + y.get("/repos/acme/store/actions/variables")
	if !strings.Contains(left, "DATABASE") || !strings.Contains(left, "OTHER") || strings.Contains(left, "MANAGER_REPO_OWNER") {
		t.Error(left)
	}
}

// TestOnboardRefuses: what cannot be a customer, and flags that cannot be meant; nothing is written.
func TestOnboardRefuses(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	for _, c := range []struct {
		args   []string
		before func(y *yard)
		want   string
	}{
		{[]string{"onboard"}, nil, "metapipe onboard OWNER/REPO"},
		{[]string{"onboard", "store"}, nil, "write it as OWNER/REPO"},
		{[]string{"onboard", "acme/../x"}, nil, "write it as OWNER/REPO"},
		{[]string{"onboard", "acme/${{x}}"}, nil, "write it as OWNER/REPO"},
		{y.onboard("--name", "_metapipe"), nil, "choose one with --name"},
		{y.onboard("--name", "../x"), nil, "choose one with --name"},
		{y.onboard("--name", "shop"), nil, "choose another name with --name"},
		{y.onboard("--environments", "stagin"), nil, `environment "stagin" does not exist`},
		{y.onboard("--undo", "--tier", "startup"), nil, "cannot be used together"},
		{y.onboard("--tier", "gold"), nil, "customer_tier"},
		{y.onboard("--secret-file", "nothing-there"), nil, "--secret-file"},
		{[]string{"onboard", "provider/infra", "--repository", "provider/infra", "--manager-dir", y.dir}, nil, "is the manager itself"},
		{[]string{"onboard", "acme/shop", "--name", "other", "--repository", "provider/infra", "--manager-dir", y.dir}, nil, "use --name shop"},
		{y.onboard(), func(y *yard) { y.store.Archive(true) }, "is archived"},
	} {
		if c.before != nil {
			c.before(y)
		}
		before := len(y.hub.Calls())
		if _, stderr, code := y.try(t.Context(), append(c.args, "--apply")...); code != ExitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, no %q in %s", c.args, code, c.want, stderr)
		}
		if w := y.writes(before); len(w) > 0 {
			t.Errorf("%v writes %v", c.args, w)
		}
	}
}

// TestOnboardOtherKinds: a fork, a repository of a person, an empty one, and a branch that is not ours.
func TestOnboardOtherKinds(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.repo("robin", "own")
	for _, c := range []struct {
		begin func() string
		more  []string
		want  string
	}{
		{func() string {
			fork, err := y.store.Fork("robin", "store")
			y.good(err)
			return fork.Slug()
		}, nil, "is a fork"},
		{func() string { return "robin/own" }, []string{"--tier", "startup"}, "belongs to a person"},
		{func() string { return y.repo("acme", "hollow").Slug() }, nil, "make a first one, such as a README"},
		{func() string {
			_, err := y.store.Commit("metapipe/onboard", hub.Change{Message: "mine\n\nMetapipe-Onboard: files store 1", Author: "robin", Files: map[string]hub.File{"z": {Content: []byte("z")}}})
			y.good(err)
			return "acme/store"
		}, nil, "was not made for this"},
		{func() string {
			_, err := y.store.Commit("main", hub.Change{Message: "File", Author: "robin", Remove: []string{"infra"}, Files: map[string]hub.File{"infra": {Content: []byte("z")}}})
			y.good(err)
			return "acme/store"
		}, nil, "infra is a file, and has to be a directory"},
	} {
		before := len(y.hub.Calls())
		args := append([]string{"onboard", c.begin(), "--name", "fresh", "--repository", "provider/infra", "--manager-dir", y.dir, "--apply"}, c.more...)
		if _, stderr, code := y.try(t.Context(), args...); code != ExitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("exit code %d, no %q in %s", code, c.want, stderr)
		}
		if w := y.writes(before); len(w) > 0 {
			t.Errorf("%s: %v", c.want, w)
		}
	}
}

// TestOnboardWithoutRights: a token without the right to write workflows is told so.
func TestOnboardWithoutRights(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.environ = append(y.environ, "SOURCE_REPOS_PAT="+y.person("repo"))
	_, stderr, code := y.try(t.Context(), y.onboard("--apply")...)
	stdout := y.run(ExitFailed, y.onboard("--apply")...)
	if code != ExitFailed || !strings.Contains(stderr+stdout, "workflow") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
}
