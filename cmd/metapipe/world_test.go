package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// TestTrafficIsValidated shows whether the requests of the commands were checked
// against GitHub's API description.
func TestTrafficIsValidated(t *testing.T) {
	t.Parallel()
	hubtest.Require(t)
}

const (
	managerSlug     = "provider/infra"
	customerSlug    = "acme/shop"
	managerWorkflow = ".github/workflows/infra-deploy.yml"
)

// managerFiles is a manager in four files. What a customer's file asks for can
// make its plan wait (slow: a URL) and its apply run a command.
var managerFiles = map[string]string{
	"metapipe.yml": `
environments:
  - {name: staging, branches: [main]}
  - {name: production, branches: [main], gated: true}
limits: {lock_timeout: 0s}
`,
	"customers/shop.yml": "repository: acme/shop\nrepository_id: 4711\n",
	"terraform/main.tf": `
variable "config" { type = any }
variable "environment" { type = string }

data "terraform_remote_state" "slow" {
  count   = try(var.config.slow, "") == "" ? 0 : 1
  backend = "http"
  config  = { address = var.config.slow }
}

resource "terraform_data" "first" {
  input = "${var.config.name} in ${var.environment}"
}

resource "terraform_data" "second" {
  input            = terraform_data.first.output
  triggers_replace = [sha256(var.config.name), try(var.config.command, "")]

  provisioner "local-exec" {
    command = try(var.config.command, "true")
  }
}

output "name" { value = terraform_data.first.output }

output "password" {
  value     = sha256("password of ${var.config.name}")
  sensitive = true
}
`,
}

const variablesYML = "name: shop\nenvironments:\n  staging: {}\n"

// world is a manager and a customer on the double of GitHub. The commands run in it
// as processes, each in a job of its own as on Actions.
type world struct {
	sees              []string // the repositories of the token for customers; nil: the customer's
	t                 *testing.T
	hub               *hubtest.Server
	manager, customer *hub.Repo
	key, store        string
	environ           []string // further variables of every job

	mu   sync.Mutex
	jobs int
	seen []string // every log and every summary
}

// newWorld makes the two repositories. files are laid over managerFiles; an
// empty one is left out.
func newWorld(t *testing.T, files map[string]string) *world {
	t.Helper()
	return newWorldAt(t, files, nil)
}

// newWorldAt is newWorld with a clock of GitHub's; nil is the real one.
func newWorldAt(t *testing.T, files map[string]string, now func() time.Time) *world {
	t.Helper()
	w := &world{t: t, hub: hubtest.Start(t, hub.Options{Now: now}), store: filepath.Join(t.TempDir(), "store"), key: base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))}
	check(t, os.Mkdir(w.store, 0o700)) // drift and sweep make none
	for _, u := range []hub.User{
		{Login: "casey", Type: hub.Person}, {Login: "robin", Type: hub.Person}, {Login: "metapipe-bot", Type: hub.Person},
		{Login: "acme", Type: hub.Organization}, {Login: "provider", Type: hub.Organization},
	} {
		must(w.hub.AddUser(u))(t)
	}
	w.manager = must(w.hub.AddRepo("provider", "infra", hub.RepoOptions{Private: true}))(t)
	w.customer = must(w.hub.AddRepo("acme", "shop", hub.RepoOptions{ID: 4711, Private: true}))(t)
	check(t, w.manager.Grant("robin", hub.Write))
	check(t, w.manager.Grant("metapipe-bot", hub.Write))
	check(t, w.customer.Grant("casey", hub.Write))
	check(t, w.customer.Grant("metapipe-bot", hub.Write))
	check(t, w.manager.AddWorkflow(hub.Workflow{Path: managerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}}))
	check(t, w.customer.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger"}))
	check(t, w.manager.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	all := map[string]string{}
	for _, set := range []map[string]string{managerFiles, files} {
		for name, text := range set {
			all[name] = text
		}
	}
	w.commit(w.manager, "main", all)
	w.commit(w.customer, "main", map[string]string{"README.md": "shop\n"})
	return w
}

// commit adds files to a branch; those without content are left out.
func (w *world) commit(repo *hub.Repo, branch string, files map[string]string) string {
	w.t.Helper()
	change := hub.Change{Files: map[string]hub.File{}, Message: "Change " + branch}
	for name, text := range files {
		if text != "" {
			change.Files[name] = hub.File{Content: []byte(text)}
		}
	}
	return must(repo.Commit(branch, change))(w.t)
}

// workflowRun is a run in one of the repositories, with what its jobs are told.
type workflowRun struct {
	repo           *hub.Repo
	run            hub.Run
	event          json.RawMessage
	sha, ref       string
	head, base     string
	permitsIDToken bool
}

// push commits files to a branch of the customer and starts the run of it.
func (w *world) push(branch string, files map[string]string) workflowRun {
	w.t.Helper()
	before, err := w.customer.Head(branch)
	if err != nil {
		before = hub.ZeroSHA
	}
	return w.pushedFrom(branch, before, w.commit(w.customer, branch, files))
}

// pushed starts the run of a commit that stands on a branch already.
func (w *world) pushed(branch, after string) workflowRun {
	w.t.Helper()
	return w.pushedFrom(branch, must(w.customer.CommitOf(after))(w.t).Parents[0], after)
}

func (w *world) pushedFrom(branch, before, after string) workflowRun {
	w.t.Helper()
	run := must(w.customer.StartRun(hub.NewRun{Event: "push", Path: intake.TriggerWorkflow, HeadSHA: after, HeadBranch: branch, Actor: "casey", Status: "in_progress"}))(w.t)
	return workflowRun{repo: w.customer, run: run, event: must(w.customer.PushEvent(branch, before, after, "casey"))(w.t), sha: after, ref: "refs/heads/" + branch, permitsIDToken: true}
}

// pull opens a pull request of a branch with files and starts the run of it.
func (w *world) pull(from *hub.Repo, branch string, files map[string]string) (workflowRun, int) {
	w.t.Helper()
	w.commit(from, branch, files)
	number := must(w.customer.OpenPull(hub.NewPull{Title: "Change", Author: "casey", Head: branch, HeadRepo: from}))(w.t)
	pr := must(w.customer.Pull(number))(w.t)
	run := must(w.customer.StartRun(hub.NewRun{Event: "pull_request", Path: intake.TriggerWorkflow, HeadSHA: pr.Head, HeadBranch: branch, HeadRepo: from, Actor: "casey", Status: "in_progress"}))(w.t)
	return workflowRun{repo: w.customer, run: run, event: must(w.customer.PullEvent(number, "opened", "casey"))(w.t), sha: pr.Merge,
		ref: "refs/pull/" + strconv.Itoa(number) + "/merge", head: branch, base: "main", permitsIDToken: true}, number
}

// queued takes the manager's run that a dispatch has made.
func (w *world) queued() workflowRun {
	w.t.Helper()
	q := must(w.hub.NextRun(w.t.Context()))(w.t)
	check(w.t, q.Repo.SetRun(q.Run.ID, "in_progress", ""))
	return workflowRun{repo: q.Repo, run: q.Run, event: q.Run.Payload, sha: q.Run.HeadSHA, ref: "refs/heads/main"}
}

// statuses are the last statuses of a commit by context, as "state: description".
func (w *world) statuses(sha string) map[string]string {
	last := map[string]string{}
	for _, s := range w.customer.Snapshot().Statuses[sha] {
		last[s.Context] = s.State + ": " + s.Description
	}
	return last
}

// wantStatus compares the begin of the last status of a context.
func (w *world) wantStatus(sha, statusContext, begin string) {
	w.t.Helper()
	if got := w.statuses(sha)[statusContext]; !strings.HasPrefix(got, begin) {
		w.t.Errorf("status %s of %s is %q, want %q", statusContext, sha[:7], got, begin)
	}
}

// wantNothingPending is the promise that nothing hangs.
func (w *world) wantNothingPending() {
	w.t.Helper()
	for sha := range w.customer.Snapshot().Statuses {
		for statusContext, status := range w.statuses(sha) {
			if strings.HasPrefix(status, "pending") {
				w.t.Errorf("%s of %s never ended: %s", statusContext, sha[:7], status)
			}
		}
	}
}

// writes are the calls since ResetCalls that changed something on GitHub.
func (w *world) writes() []string {
	var out []string
	for _, c := range w.hub.Calls() {
		if c.Write() {
			out = append(out, c.Method+" "+c.Path)
		}
	}
	return out
}

func (w *world) stateFile(target string) string {
	return filepath.Join(w.store, filepath.FromSlash(target), "terraform.tfstate")
}

// state is the content of a target's state, empty when there is none.
func (w *world) state(target string) string {
	w.t.Helper()
	b, err := os.ReadFile(w.stateFile(target))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	return string(b)
}

// must unwraps a result: must(f(x))(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
