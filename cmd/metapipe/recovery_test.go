package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/store"
)

var recoveryPages = filepath.Join("docs", "RECOVERY.md")

// recovery is a page of docs/RECOVERY.md whose commands are played one by one.
type recovery struct {
	t        *testing.T
	commands []string
	run      func(exit int, args ...string) result
}

var indentedFence = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```")

// recoveryPage reads the commands of a page. names are pairs of a placeholder and what
// stands for it.
func recoveryPage(t *testing.T, title string, names ...string) *recovery {
	t.Helper()
	return pageOf(t, recoveryPages, title, names...)
}

// pageOf is recoveryPage for another file.
func pageOf(t *testing.T, file, title string, names ...string) *recovery {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join(root(t), file)))(t))
	_, page, found := strings.Cut(text, "\n## "+title+"\n")
	if !found {
		t.Fatalf("%s has no page %q", file, title)
	}
	page, _, _ = strings.Cut(page, "\n## ")
	r := &recovery{t: t}
	for _, block := range indentedFence.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimSpace(line); line != "" {
				r.commands = append(r.commands, strings.NewReplacer(names...).Replace(line))
			}
		}
	}
	if len(r.commands) == 0 {
		t.Fatalf("the page %q has no command", title)
	}
	return r
}

// next plays the next command of the page.
func (r *recovery) next(exit int) result {
	r.t.Helper()
	if len(r.commands) == 0 {
		r.t.Fatal("the page has no further command")
	}
	command := r.commands[0]
	r.commands = r.commands[1:]
	args := words(command)
	if args[0] != "metapipe" {
		r.t.Fatalf("%q is no command of metapipe", command)
	}
	return r.run(exit, args[1:]...)
}

// words splits a command as a shell does, as far as the pages need it.
func words(command string) []string {
	var args []string
	for i, part := range strings.Split(command, `"`) {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return args
}

// done fails the test when a command of the page was not played.
func (r *recovery) done() {
	r.t.Helper()
	if len(r.commands) > 0 {
		r.t.Errorf("not played: %q", r.commands)
	}
}

// TestRecoverLostState plays the page about a lost state, with a bucket.
func TestRecoverLostState(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, impatient)
	r := b.accepted(w)
	b.do(r, 0, store.RolePlan, r.args("plan", "staging")...)
	b.do(r, 0, store.RoleApply, r.args("apply", "staging")...)
	b.do(r, 0, store.RoleReport, "report", "--customer", r.customer, "--request", r.id, "--final")
	page := recoveryPage(t, "A state is lost", "NAME", "shop", "ENVIRONMENT", "staging")
	page.run = func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(r.run).with(b.root()...).do(exit, args...)
	}
	restore := []string{"state", "restore", "--customer", "shop", "--environment", "staging"}
	page.run(4, restore...).says(t, "VERSION", "has a state")
	lose := func() {
		key := "shop/staging/terraform.tfstate"
		must(b.server.Client(b.server.Root()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.bucket.Name, Key: &key}))(t)
	}
	lose()
	r = b.acceptedFile(w, "# again\n"+variablesYML)
	b.do(r, 4, store.RolePlan, r.args("plan", "staging")...).want(t, "reason=state-lost")
	page.next(0).says(t, "LOST")
	page.next(0).says(t, "VERSION", "yes")
	page.run(2, append(restore, "--version", "no-such-version", "--apply")...).says(t, "has no version")
	page.next(0).says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
	page.run(0, "ledger", "--customer", "shop", "--environment", "staging").says(t, "restored")
	if strings.Contains(page.run(0, "state", "list").log, "LOST") {
		t.Error("a restored state is still called lost")
	}
	b.do(r, 0, store.RolePlan, r.args("plan", "staging")...).want(t, "outcome=no-changes")
	lose()
	page.next(0).says(t, "accepted for shop/staging: no state")
	r = b.acceptedFile(w, "# anew\n"+variablesYML)
	b.do(r, 0, store.RolePlan, r.args("plan", "staging")...).want(t, "outcome=waiting", "create=2")
	page.done()
}
