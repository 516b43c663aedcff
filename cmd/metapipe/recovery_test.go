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

var RecoveryPages = filepath.Join("docs", "RECOVERY.md")

// Page is a page of docs/RECOVERY.md whose commands are played one by one.
type Page struct {
	T        *testing.T
	Commands []string
	Run      func(exit int, args ...string) Result
}

var indentedFence = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```")

// RecoveryPage reads the commands of a page. names are pairs of a placeholder and what
// stands for it.
func RecoveryPage(t *testing.T, title string, names ...string) *Page {
	t.Helper()
	return PageOf(t, RecoveryPages, title, names...)
}

// PageOf is recoveryPage for another file.
func PageOf(t *testing.T, file, title string, names ...string) *Page {
	t.Helper()
	text := string(Must(os.ReadFile(filepath.Join(Root(t), file)))(t))
	_, page, found := strings.Cut(text, "\n## "+title+"\n")
	if !found {
		t.Fatalf("%s has no page %q", file, title)
	}
	page, _, _ = strings.Cut(page, "\n## ")
	r := &Page{T: t}
	for _, block := range indentedFence.FindAllStringSubmatch(page, -1) {
		for line := range strings.Lines(block[1]) {
			if line = strings.TrimSpace(line); line != "" {
				r.Commands = append(r.Commands, strings.NewReplacer(names...).Replace(line))
			}
		}
	}
	if len(r.Commands) == 0 {
		t.Fatalf("the page %q has no command", title)
	}
	return r
}

// Next plays the next command of the page.
func (r *Page) Next(exit int) Result {
	r.T.Helper()
	if len(r.Commands) == 0 {
		r.T.Fatal("the page has no further command")
	}
	command := r.Commands[0]
	r.Commands = r.Commands[1:]
	args := Words(command)
	if args[0] != "metapipe" {
		r.T.Fatalf("%q is no command of metapipe", command)
	}
	return r.Run(exit, args[1:]...)
}

// Words splits a command as a shell does, as far as the pages need it.
func Words(command string) []string {
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

// Done fails the test when a command of the page was not played.
func (r *Page) Done() {
	r.T.Helper()
	if len(r.Commands) > 0 {
		r.T.Errorf("not played: %q", r.Commands)
	}
}

// TestRecoverLostState plays the page about a lost state, with a bucket.
func TestRecoverLostState(t *testing.T) {
	t.Parallel()
	b, w := NewTenant(t), New(t, Impatient)
	r := b.Accepted(w)
	b.Do(r, 0, store.RolePlan, r.Args("plan", "staging")...)
	b.Do(r, 0, store.RoleApply, r.Args("apply", "staging")...)
	b.Do(r, 0, store.RoleReport, "report", "--customer", r.Customer, "--request", r.ID, "--final")
	page := RecoveryPage(t, "A state is lost", "NAME", "shop", "ENVIRONMENT", "staging")
	page.Run = func(exit int, args ...string) Result {
		t.Helper()
		return w.NewJob(r.Run).With(b.Root()...).Do(exit, args...)
	}
	restore := []string{"state", "restore", "--customer", "shop", "--environment", "staging"}
	page.Run(4, restore...).Says(t, "VERSION", "has a state")
	lose := func() {
		key := "shop/staging/terraform.tfstate"
		Must(b.Server.Client(b.Server.Root()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(t)
	}
	lose()
	r = b.AcceptedFile(w, "# again\n"+VariablesYML)
	b.Do(r, 4, store.RolePlan, r.Args("plan", "staging")...).Want(t, "reason=state-lost")
	page.Next(0).Says(t, "LOST")
	page.Next(0).Says(t, "VERSION", "yes")
	page.Run(2, append(restore, "--version", "no-such-version", "--apply")...).Says(t, "has no version")
	page.Next(0).Says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
	page.Run(0, "ledger", "--customer", "shop", "--environment", "staging").Says(t, "restored")
	if strings.Contains(page.Run(0, "state", "list").Log, "LOST") {
		t.Error("a restored state is still called lost")
	}
	b.Do(r, 0, store.RolePlan, r.Args("plan", "staging")...).Want(t, "outcome=no-changes")
	lose()
	page.Next(0).Says(t, "accepted for shop/staging: no state")
	r = b.AcceptedFile(w, "# anew\n"+VariablesYML)
	b.Do(r, 0, store.RolePlan, r.Args("plan", "staging")...).Want(t, "outcome=waiting", "create=2")
	page.Done()
}
