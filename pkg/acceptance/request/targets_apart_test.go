package request

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/cli"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// Names that are easy to confuse once they are joined: a-b in c, and a in b-c.
var (
	crowdCustomers    = []string{"a", "b", "c", "ab", "abc", "a-b", "b-c", "a-c", "a-b-c", "c-b"}
	crowdEnvironments = []string{"a", "b", "c", "b-c", "ab"}
)

const crowdRoot = `
variable "mark" { type = string }
variable "secret" { type = string }
variable "environment" { type = string }
variable "source_repo" { type = string }
variable "config" { type = any }

locals { file = yamldecode(file("${path.module}/source-variables.yml")) }

resource "terraform_data" "target" {
  input            = "${var.mark} ${local.file.name} ${var.config.name} ${var.source_repo} ${var.environment} ${local.file.here}"
  triggers_replace = [sensitive(var.secret)]
}

output "mark" { value = terraform_data.target.output }
output "file" { value = local.file.environments[var.environment].mark }
output "secret" {
  value     = var.secret
  sensitive = true
}
`

// crowded is one target among many.
type crowded struct {
	customer, env, mark, secret string
	repo                        *hub.Repo
	j                           *fixture.Job
	request                     string
}

func (c *crowded) name() string { return c.customer + "/" + c.env }

// marksOf are texts that belong to one target each.
func marksOf(customer, env string) (mark, secret string) {
	sum := sha256.Sum256([]byte(customer + "\x00" + env))
	return "mark" + hex.EncodeToString(sum[:8]), "secret" + hex.EncodeToString(sum[8:16])
}

var anyMark = regexp.MustCompile(`(mark|secret)[0-9a-f]{16}`)

// own fails when a text holds the mark of another target, or no mark where want.
func (c *crowded) own(t *testing.T, what, text string, want bool) {
	t.Helper()
	for _, found := range anyMark.FindAllString(text, -1) {
		if found != c.mark {
			t.Errorf("%s of %s holds %s, which is not its own", what, c.name(), found)
		}
	}
	if want && !strings.Contains(text, c.mark) {
		t.Errorf("%s of %s lacks its own value", what, c.name())
	}
}

// newCrowd makes a manager with all customers, and an operator's run for each
// target.
func newCrowd(t *testing.T) (*fixture.Setup, []*crowded) {
	t.Helper()
	w := fixture.New(t, nil)
	manager := map[string]string{"terraform/main.tf": crowdRoot, "metapipe.yml": "environments:\n"}
	for _, env := range crowdEnvironments {
		manager["metapipe.yml"] += fmt.Sprintf("  - {name: %s, branches: [main]}\n", env)
	}
	repos, slugs := map[string]*hub.Repo{}, []string{}
	for i, customer := range crowdCustomers {
		repo := fixture.Must(w.Hub.AddRepo("acme", "of-"+customer, hub.RepoOptions{ID: int64(9000 + i), Private: true}))(t)
		fixture.Check(t, repo.Grant("metapipe-bot", hub.Write))
		variables := "name: of-" + customer + "\nhere: \"in {{ environment }}\"\nenvironments:\n"
		for _, env := range crowdEnvironments {
			mark, secret := marksOf(customer, env)
			variables += fmt.Sprintf("  %s: {mark: %s, secret: %s}\n", env, mark, secret)
		}
		w.Commit(repo, "main", map[string]string{"infra/variables.yml": variables})
		manager["customers/"+customer+".yml"] = fmt.Sprintf("repository: %s\nrepository_id: %d\n", repo.Slug(), repo.ID())
		repos[customer], slugs = repo, append(slugs, repo.Slug())
	}
	sha := w.Commit(w.Manager, "main", manager)
	token := w.Token(hub.Token{Name: "source of all", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: slugs,
		Permissions: fixture.Permissions("contents actions", "statuses pull_requests issues deployments")})
	fixture.Check(t, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Manual: true}))
	var crowd []*crowded
	for _, customer := range crowdCustomers {
		for _, env := range crowdEnvironments {
			run := fixture.Must(w.Manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: fixture.ManagerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "robin", Status: "in_progress"}))(t)
			event := fixture.Must(w.Manager.ManualEvent(fixture.ManagerWorkflow, "main", map[string]string{"customer": customer}, "robin"))(t)
			c := &crowded{customer: customer, env: env, repo: repos[customer],
				j: w.NewJob(fixture.WorkflowRun{Repo: w.Manager, Run: run, Event: event, SHA: sha, Ref: "refs/heads/main"}).With("SOURCE_REPOS_PAT=" + token)}
			c.mark, c.secret = marksOf(customer, env)
			crowd = append(crowd, c)
		}
	}
	return w, crowd
}

// inside runs a command in this very process and returns its job summary.
func (c *crowded) inside(t *testing.T, step string, args ...string) string {
	t.Helper()
	dir := filepath.Join(c.j.Dir, step)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Error(err)
		return ""
	}
	var log, complaints bytes.Buffer
	environ := append(c.j.Environ(), "GITHUB_OUTPUT="+filepath.Join(dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"))
	exit := cli.Main(t.Context(), args, cli.App{In: strings.NewReader(""), Out: &log, Err: &complaints, Environ: environ, Dir: c.j.Workspace(), Now: time.Now,
		Sleep: func(ctx context.Context, d time.Duration) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(d):
				return nil
			}
		}})
	if exit != 0 {
		t.Errorf("%s of %s ended with exit code %d:\n%s%s", step, c.name(), exit, log.String(), complaints.String())
	}
	c.own(t, "the log of "+step, fixture.Unmasked(log.String())+complaints.String(), false)
	summary, err := os.ReadFile(filepath.Join(dir, "summary"))
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	return string(summary)
}

// atOnce does something with all targets at the same time.
func atOnce(crowd []*crowded, do func(*crowded)) {
	var all sync.WaitGroup
	for _, c := range crowd {
		all.Go(func() { do(c) })
	}
	all.Wait()
}

// TestTargetsNeverMix deploys fifty targets at once, in one process, with the real
// commands and the real tool. Whatever is kept or told of a target is its own.
func TestTargetsNeverMix(t *testing.T) {
	t.Parallel()
	w, crowd := newCrowd(t)
	if len(crowd) != 50 {
		t.Fatalf("there are %d targets", len(crowd))
	}
	atOnce(crowd, func(c *crowded) {
		c.inside(t, "fetch-vars", "fetch-vars", "--customer", c.customer, "--environment", c.env)
	})
	if t.Failed() {
		return
	}
	for _, c := range crowd {
		c.request = fixture.ParseOutputs(t, fixture.ReadOptional(t, filepath.Join(c.j.Dir, "fetch-vars", "output")))["request-id"]
	}
	target := func(c *crowded, command string) []string {
		return []string{command, "--customer", c.customer, "--environment", c.env, "--request", c.request}
	}
	atOnce(crowd, func(c *crowded) {
		c.inside(t, "plan", target(c, "plan")...)
		c.own(t, "the plan", c.inside(t, "report-plan", "report", "--customer", c.customer, "--request", c.request), true)
	})
	for _, c := range crowd {
		c.plannedAlone(t, w)
	}
	if t.Failed() {
		return
	}
	atOnce(crowd, func(c *crowded) { c.inside(t, "apply", target(c, "apply")...) })
	atOnce(crowd, func(c *crowded) {
		c.own(t, "the summary", c.inside(t, "report", "report", "--customer", c.customer, "--request", c.request, "--final"), true)
	})
	for _, c := range crowd {
		state := w.State(c.name())
		own := strings.ReplaceAll(state, c.secret, "")
		c.own(t, "the state", own, true)
		if state == own || !strings.Contains(state, fmt.Sprintf("%s of-%s of-%s acme/of-%s %s in %s", c.mark, c.customer, c.customer, c.customer, c.env, c.env)) {
			t.Errorf("the state of %s is not made of its own values:\n%s", c.name(), state)
		}
		c.toldAlone(t)
	}
	nothingUnsealed(w, t)
}

// plannedAlone looks at the receipt of a target.
func (c *crowded) plannedAlone(t *testing.T, w *fixture.Setup) {
	t.Helper()
	receipts, err := filepath.Glob(filepath.Join(w.Store, c.customer, c.env, "plans", "*", "*", "planned.json"))
	if err != nil || len(receipts) != 1 {
		t.Errorf("%s has %d receipts, %v", c.name(), len(receipts), err)
		return
	}
	var planned struct {
		Record struct {
			Receipt struct {
				Request, Customer, Environment, Backend string
				RepositoryID                            int64 `json:"repository_id"`
			}
		}
	}
	fixture.Check(t, json.Unmarshal(fixture.Must(os.ReadFile(receipts[0]))(t), &planned))
	receipt := planned.Record.Receipt
	if receipt.Request != c.request || receipt.Customer != c.customer || receipt.Environment != c.env || receipt.RepositoryID != c.repo.ID() || receipt.Backend != w.StateFile(c.name()) {
		t.Errorf("the receipt of %s is %+v", c.name(), receipt)
	}
}

// toldAlone looks at what the customer is told.
func (c *crowded) toldAlone(t *testing.T) {
	t.Helper()
	printed := c.repo.Snapshot()
	deployments := 0
	for _, d := range printed.Deployments {
		if d.Environment != "infra/"+c.env {
			continue
		}
		deployments++
		c.own(t, "the deployment", string(d.Payload), true)
	}
	if deployments != 1 {
		t.Errorf("%s has %d deployments", c.name(), deployments)
	}
	last := map[string]string{}
	for _, statuses := range printed.Statuses {
		for _, s := range statuses {
			last[s.Context] = s.State
		}
	}
	if got := last["infra/terraform-deploy/"+c.env]; got != "success" {
		t.Errorf("the status of %s is %q", c.name(), got)
	}
}

// nothingUnsealed looks for values of variables.yml in every file of the store but
// the states.
func nothingUnsealed(w *fixture.Setup, t *testing.T) {
	t.Helper()
	files := 0
	fixture.Check(t, filepath.WalkDir(w.Store, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), "terraform.tfstate") {
			return err
		}
		files++
		raw, err := os.ReadFile(path)
		if found := anyMark.Find(raw); bytes.HasPrefix(found, []byte("secret")) {
			t.Errorf("%s holds %s in clear", path, found)
		}
		return err
	}))
	if files < 400 {
		t.Errorf("the store has %d files only", files)
	}
}
