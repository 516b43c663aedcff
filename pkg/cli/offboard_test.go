package cli

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func (y *yard) leave(more ...string) []string {
	return append([]string{"offboard", "store", "--repository", "provider/infra", "--manager-dir", y.dir}, more...)
}

// register brings the file of the customer onto the manager's default branch and into its checkout.
func (y *yard) register() {
	y.t.Helper()
	text := fmt.Sprintf("repository: acme/store\nrepository_id: %d\nenvironments: [staging]\n", y.id(y.store))
	_, err := y.manager.Commit("main", hub.Change{Message: "Register", Author: "robin", Files: map[string]hub.File{"customers/store.yml": {Content: []byte(text)}}})
	y.good(err)
	y.ward.write(filepath.Join(y.dir, "customers", "store.yml"), text)
}

// onboarded makes everything of a customer, and registers it.
func (y *yard) onboarded() {
	y.t.Helper()
	y.give()
	y.run(0, y.onboard(append(all, "--apply")...)...)
	y.register()
}

// TestOffboard: the customer's rights end, its file is marked by a pull request, and a second run writes nothing.
func TestOffboard(t *testing.T) {
	t.Parallel()
	y := newYard(t).give()
	y.run(0, y.onboard(append(all, "--apply")...)...)
	_, err := y.manager.MergePull(1, hub.MergeCommit, "robin")
	y.good(err)
	content := y.content("main", "customers/store.yml")
	y.ward.write(filepath.Join(y.dir, "customers", "store.yml"), content)
	leave := y.leave()
	before := len(y.hub.Calls())
	if y.run(0, leave...); len(y.writes(before)) > 0 {
		t.Errorf("a plan writes: %v", y.writes(before))
	}
	y.run(0, append(leave, "--apply")...)
	left := y.get("/repos/acme/store/actions/secrets") + y.get("/repos/acme/store/actions/variables") + y.get("/repos/acme/store/rulesets") + y.get("/repos/acme/store/properties/values")
	if strings.Contains(left, "MANAGER_") || strings.Contains(left, "metapipe") || strings.Contains(left, "startup") {
		t.Errorf("%s", left)
	}
	before = len(y.hub.Calls())
	y.run(0, append(leave, "--apply")...)
	if again := y.writes(before); len(again) > 0 {
		t.Errorf("the second run writes: %v", again)
	}
	marked := y.content("metapipe/offboard-store", "customers/store.yml")
	if marked != content+"offboarded: true\n" {
		t.Errorf("%s", marked)
	}
	y.ward.write(filepath.Join(y.dir, "customers", "store.yml"), marked)
	y.run(0, "validate", "--manager-dir", y.dir)
}

// TestOffboardUnseen: a repository that is gone leaves the mark alone.
func TestOffboardUnseen(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.run(0, y.onboard("--apply")...) // makes the store
	y.environ = append(y.environ, "SOURCE_REPOS_PAT="+y.token("blind", hub.FineGrained, "acme/store", sourceRights()))
	out := y.run(0, "offboard", "shop", "--repository", "provider/infra", "--manager-dir", y.dir, "--apply")
	if !strings.Contains(out, "acme/shop is not visible to the token") || !strings.Contains(out, "pull request metapipe/offboard-shop") {
		t.Error(out)
	}
	if _, err := y.manager.Head("metapipe/offboard-shop"); err != nil {
		t.Error(err)
	}
}

// TestOffboardedText: only the one key changes, or it is an error.
func TestOffboardedText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"repository: a/b\n":                                   "repository: a/b\noffboarded: true\n",
		"repository: a/b":                                     "repository: a/b\noffboarded: true\n",
		"offboarded: false # no\nrepository: a/b\n":           "offboarded: true\nrepository: a/b\n",
		"repository: a/b\noffboarded: true\n":                 "repository: a/b\noffboarded: true\n",
		"{repository: a/b}\n":                                 "",
		"drift:\n  ignore: []\n":                              "drift:\n  ignore: []\noffboarded: true\n",
		"role: |\n  offboarded: true\nrepository: a/b\n":      "role: |\n  offboarded: true\nrepository: a/b\noffboarded: true\n",
		"repository: a/b\nrole: |\n  x\n# the end, no more\n": "repository: a/b\nrole: |\n  x\n# the end, no more\noffboarded: true\n",
		"repository: a/b\n...\n":                              "",
	} {
		got, err := offboarded([]byte(text))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestOffboardInterrupted: a run that is killed before or after any of its writes can be run again, and the end is the same.
func TestOffboardInterrupted(t *testing.T) {
	t.Parallel()
	playEachCut(t, (*yard).onboarded, func(y *yard) []string { return y.leave("--apply") }, 10)
}

// TestOffboardTwiceAtOnce runs one offboard as a whole between any two writes of another one. Each may refuse
// what the other has begun; a later run has nothing to correct but what was refused, and the end is the same.
func TestOffboardTwiceAtOnce(t *testing.T) {
	t.Parallel()
	whole := newYard(t)
	whole.onboarded()
	before := len(whole.hub.Calls())
	whole.run(0, whole.leave("--apply")...)
	want, writes := whole.everything(), len(whole.writes(before))
	for n := range writes {
		t.Run(fmt.Sprintf("before write %d", n+1), func(t *testing.T) {
			t.Parallel()
			y := newYard(t)
			y.onboarded()
			var count, other atomic.Int32
			var within int
			var said string
			y.hook(func(r *http.Request) bool {
				if r.Method != http.MethodGet && other.Load() == 0 && int(count.Add(1)) == n+1 {
					other.Store(1)
					_, said, within = y.try(t.Context(), y.leave("--apply")...)
				}
				return true
			}, nil)
			_, stderr, code := y.try(t.Context(), y.leave("--apply")...)
			y.hook(nil, nil)
			if other.Load() == 0 {
				t.Fatal("the other run has not begun")
			}
			for _, ended := range []struct {
				code int
				said string
			}{{code, stderr}, {within, said}} {
				if !slices.Contains([]int{0, ExitFailed, ExitRefused}, ended.code) {
					t.Errorf("exit code %d: %s", ended.code, ended.said)
				}
			}
			y.later = 10 * time.Minute
			y.run(0, y.leave("--apply")...)
			if got := y.everything(); got != want {
				t.Error(cmp.Diff(want, got))
			}
			at := len(y.hub.Calls())
			y.run(0, y.leave("--apply")...)
			if again := y.writes(at); len(again) > 0 {
				t.Errorf("the last run writes: %v", again)
			}
		})
	}
}

// TestOffboardHalfOnboarded: whatever an onboard that was killed has made in the customer's repository is
// taken back, and all that was there before stays.
func TestOffboardHalfOnboarded(t *testing.T) {
	t.Parallel()
	whole := newYard(t).give()
	before := len(whole.hub.Calls())
	whole.run(0, whole.onboard(append(all, "--apply")...)...)
	for n := range whole.writes(before) {
		for _, lost := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, lost reply %t", n+1, lost), func(t *testing.T) {
				t.Parallel()
				y := newYard(t).give()
				y.store.SetSecrets("DATABASE")
				y.store.SetVariable("OTHER", "1")
				empty := y.ofStore()
				y.killRun(n+1, lost, y.onboard(append(all, "--apply")...))
				y.register()
				y.later = 10 * time.Minute
				y.run(0, y.leave("--apply")...)
				if got := y.ofStore(); got != empty {
					t.Error(cmp.Diff(empty, got))
				}
				if marked := y.content("metapipe/offboard-store", "customers/store.yml"); !strings.HasSuffix(marked, "offboarded: true\n") {
					t.Error(marked)
				}
			})
		}
	}
}

// ofStore is the part of everything in the customer's repository.
func (y *yard) ofStore() string {
	y.t.Helper()
	var kept []string
	for line := range strings.Lines(y.everything()) {
		if strings.HasPrefix(line, "/repos/acme/store") || strings.HasPrefix(line, "acme/store") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}
