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
	ManagerSlug     = "provider/infra"
	CustomerSlug    = "acme/shop"
	ManagerWorkflow = ".github/workflows/infra-deploy.yml"
)

// ManagerFiles is a manager in four files. What a customer's file asks for can
// make its plan wait (slow: a URL) and its apply run a command.
var ManagerFiles = map[string]string{
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

const VariablesYML = "name: shop\nenvironments:\n  staging: {}\n"

// Setup is a manager and a customer on the double of GitHub. The commands run in it
// as processes, each in a job of its own as on Actions.
type Setup struct {
	Sees              []string // the repositories of the token for customers; nil: the customer's
	T                 *testing.T
	Hub               *hubtest.Server
	Manager, Customer *hub.Repo
	Key, Store        string
	Environ           []string // further variables of every job

	Mu   sync.Mutex
	Jobs int
	Seen []string // every log and every summary
}

// New makes the two repositories. files are laid over managerFiles; an
// empty one is left out.
func New(t *testing.T, files map[string]string) *Setup {
	t.Helper()
	return NewAt(t, files, nil)
}

// NewAt is newWorld with a clock of GitHub's; nil is the real one.
func NewAt(t *testing.T, files map[string]string, now func() time.Time) *Setup {
	t.Helper()
	w := &Setup{T: t, Hub: hubtest.Start(t, hub.Options{Now: now}), Store: filepath.Join(t.TempDir(), "store"), Key: base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))}
	Check(t, os.Mkdir(w.Store, 0o700)) // drift and sweep make none
	for _, u := range []hub.User{
		{Login: "casey", Type: hub.Person}, {Login: "robin", Type: hub.Person}, {Login: "metapipe-bot", Type: hub.Person},
		{Login: "acme", Type: hub.Organization}, {Login: "provider", Type: hub.Organization},
	} {
		Must(w.Hub.AddUser(u))(t)
	}
	w.Manager = Must(w.Hub.AddRepo("provider", "infra", hub.RepoOptions{Private: true}))(t)
	w.Customer = Must(w.Hub.AddRepo("acme", "shop", hub.RepoOptions{ID: 4711, Private: true}))(t)
	Check(t, w.Manager.Grant("robin", hub.Write))
	Check(t, w.Manager.Grant("metapipe-bot", hub.Write))
	Check(t, w.Customer.Grant("casey", hub.Write))
	Check(t, w.Customer.Grant("metapipe-bot", hub.Write))
	Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}}))
	Check(t, w.Customer.AddWorkflow(hub.Workflow{Path: intake.TriggerWorkflow, Name: "Trigger"}))
	Check(t, w.Manager.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	all := map[string]string{}
	for _, set := range []map[string]string{ManagerFiles, files} {
		for name, text := range set {
			all[name] = text
		}
	}
	w.Commit(w.Manager, "main", all)
	w.Commit(w.Customer, "main", map[string]string{"README.md": "shop\n"})
	return w
}

// Commit adds files to a branch; those without content are left out.
func (w *Setup) Commit(repo *hub.Repo, branch string, files map[string]string) string {
	w.T.Helper()
	change := hub.Change{Files: map[string]hub.File{}, Message: "Change " + branch}
	for name, text := range files {
		if text != "" {
			change.Files[name] = hub.File{Content: []byte(text)}
		}
	}
	return Must(repo.Commit(branch, change))(w.T)
}

// WorkflowRun is a run in one of the repositories, with what its jobs are told.
type WorkflowRun struct {
	Repo           *hub.Repo
	Run            hub.Run
	Event          json.RawMessage
	SHA, Ref       string
	Head, Base     string
	PermitsIDToken bool
}

// Push commits files to a branch of the customer and starts the run of it.
func (w *Setup) Push(branch string, files map[string]string) WorkflowRun {
	w.T.Helper()
	before, err := w.Customer.Head(branch)
	if err != nil {
		before = hub.ZeroSHA
	}
	return w.PushedFrom(branch, before, w.Commit(w.Customer, branch, files))
}

// Pushed starts the run of a commit that stands on a branch already.
func (w *Setup) Pushed(branch, after string) WorkflowRun {
	w.T.Helper()
	return w.PushedFrom(branch, Must(w.Customer.CommitOf(after))(w.T).Parents[0], after)
}

func (w *Setup) PushedFrom(branch, before, after string) WorkflowRun {
	w.T.Helper()
	run := Must(w.Customer.StartRun(hub.NewRun{Event: "push", Path: intake.TriggerWorkflow, HeadSHA: after, HeadBranch: branch, Actor: "casey", Status: "in_progress"}))(w.T)
	return WorkflowRun{Repo: w.Customer, Run: run, Event: Must(w.Customer.PushEvent(branch, before, after, "casey"))(w.T), SHA: after, Ref: "refs/heads/" + branch, PermitsIDToken: true}
}

// Pull opens a pull request of a branch with files and starts the run of it.
func (w *Setup) Pull(from *hub.Repo, branch string, files map[string]string) (WorkflowRun, int) {
	w.T.Helper()
	w.Commit(from, branch, files)
	number := Must(w.Customer.OpenPull(hub.NewPull{Title: "Change", Author: "casey", Head: branch, HeadRepo: from}))(w.T)
	pr := Must(w.Customer.Pull(number))(w.T)
	run := Must(w.Customer.StartRun(hub.NewRun{Event: "pull_request", Path: intake.TriggerWorkflow, HeadSHA: pr.Head, HeadBranch: branch, HeadRepo: from, Actor: "casey", Status: "in_progress"}))(w.T)
	return WorkflowRun{Repo: w.Customer, Run: run, Event: Must(w.Customer.PullEvent(number, "opened", "casey"))(w.T), SHA: pr.Merge,
		Ref: "refs/pull/" + strconv.Itoa(number) + "/merge", Head: branch, Base: "main", PermitsIDToken: true}, number
}

// Queued takes the manager's run that a dispatch has made.
func (w *Setup) Queued() WorkflowRun {
	w.T.Helper()
	q := Must(w.Hub.NextRun(w.T.Context()))(w.T)
	Check(w.T, q.Repo.SetRun(q.Run.ID, "in_progress", ""))
	return WorkflowRun{Repo: q.Repo, Run: q.Run, Event: q.Run.Payload, SHA: q.Run.HeadSHA, Ref: "refs/heads/main"}
}

// Statuses are the last statuses of a commit by context, as "state: description".
func (w *Setup) Statuses(sha string) map[string]string {
	last := map[string]string{}
	for _, s := range w.Customer.Snapshot().Statuses[sha] {
		last[s.Context] = s.State + ": " + s.Description
	}
	return last
}

// WantStatus compares the begin of the last status of a context.
func (w *Setup) WantStatus(sha, statusContext, begin string) {
	w.T.Helper()
	if got := w.Statuses(sha)[statusContext]; !strings.HasPrefix(got, begin) {
		w.T.Errorf("status %s of %s is %q, want %q", statusContext, sha[:7], got, begin)
	}
}

// WantNothingPending is the promise that nothing hangs.
func (w *Setup) WantNothingPending() {
	w.T.Helper()
	for sha := range w.Customer.Snapshot().Statuses {
		for statusContext, status := range w.Statuses(sha) {
			if strings.HasPrefix(status, "pending") {
				w.T.Errorf("%s of %s never ended: %s", statusContext, sha[:7], status)
			}
		}
	}
}

// Writes are the calls since ResetCalls that changed something on GitHub.
func (w *Setup) Writes() []string {
	var out []string
	for _, c := range w.Hub.Calls() {
		if c.Write() {
			out = append(out, c.Method+" "+c.Path)
		}
	}
	return out
}

func (w *Setup) StateFile(target string) string {
	return filepath.Join(w.Store, filepath.FromSlash(target), "terraform.tfstate")
}

// State is the content of a target's state, empty when there is none.
func (w *Setup) State(target string) string {
	w.T.Helper()
	b, err := os.ReadFile(w.StateFile(target))
	if err != nil && !os.IsNotExist(err) {
		w.T.Fatal(err)
	}
	return string(b)
}

// Must unwraps a result: must(f(x))(t).
func Must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		Check(t, err)
		return v
	}
}

func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
