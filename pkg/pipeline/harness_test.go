package pipeline_test

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
	"github.com/metapipe/metapipe/pkg/store"
)

// world is one manager and one customer with a real store, real sealing, a
// hub that keeps what it is told, and an engine whose states have serials.
type world struct {
	t        *testing.T
	now      time.Time
	store    pipeline.Store
	sealer   pipeline.Sealer
	hub      *hub
	engine   *engine
	customer pipeline.Customer
	dir      string
	run      int64
	manager  pipeline.Repository // whose runs the sweep looks after
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	directory, err := store.NewDirectory(filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	manager := pipeline.Manager{
		Environments: []pipeline.EnvironmentRule{{Name: "staging", Branches: []string{"main"}}, {Name: "production", Branches: []string{"main"}, Gated: true}},
		Trust:        pipeline.TrustRequired,
		Limits:       pipeline.Limits{PlanTTL: time.Hour},
	}
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), store: directory, sealer: sealer, dir: dir, run: 100,
		customer: pipeline.Customer{Name: "acme", Repository: pipeline.Slug{Owner: "acme", Name: "app"}, RepositoryID: 7, Path: "infra", Root: "terraform", Manager: manager}}
	w.hub, w.manager = newHub(w), pipeline.Repository{Slug: managerSlug, ID: managerID}
	w.engine = &engine{states: map[string]uint64{}}
	return w
}

// tick moves the clock on: no two requests are accepted at the same instant.
func (w *world) tick() time.Time { w.now = w.now.Add(time.Second); return w.now }

func (w *world) logf(format string, args ...any) { w.t.Logf(format, args...) }

var managerSlug = pipeline.Slug{Owner: "ops", Name: "manager"}

const managerID = 99

const managerCommit = pipeline.SHA("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")

// ask builds what trigger would send for a commit of the hub.
func (w *world) ask(commit pipeline.SHA, event string) pipeline.DispatchRequest {
	w.run++
	a := pipeline.DispatchRequest{Version: 1, Repository: "acme/app", RepositoryID: 7, Path: "infra", Event: event, Commit: commit,
		Ref: "refs/heads/main", Mode: pipeline.ModeApply, RunID: w.run, RunAttempt: 1}
	a.ID = a.OwnID()
	if event == "pull_request" {
		a.PullRequest, a.Ref, a.Mode = 5, "refs/pull/5/merge", pipeline.ModePlan
		w.hub.pulls[5] = pipeline.PullRequest{Number: 5, State: "open", Head: commit, HeadBranch: "change", HeadRepoID: 7, BaseBranch: "main"}
	}
	w.hub.runs[w.run] = pipeline.WorkflowRun{ID: w.run, Attempt: 1, Event: event, Status: "in_progress", HeadSHA: commit, Path: intake.TriggerWorkflow, Actor: "dev", StartedBy: dev, TriggeredBy: dev, RepoID: 7, CreatedAt: w.now, UpdatedAt: w.now}
	return a
}

// send is the manager's prepare job for an ask.
func (w *world) send(a pipeline.DispatchRequest) (pipeline.Request, error) {
	w.tick()
	return w.fetcher().Run(context.Background(), w.fetchInput(a, w.claims(a)))
}

func (w *world) fetchInput(a pipeline.DispatchRequest, claims pipeline.Claims) intake.FetchInput {
	token, err := json.Marshal(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := json.Marshal(pipeline.Payload{Request: a, Proof: pipeline.Proof{Token: string(token)}})
	if err != nil {
		w.t.Fatal(err)
	}
	return intake.FetchInput{Event: pipeline.Event{Name: "repository_dispatch", Payload: payload}, Manager: managerSlug, ManagerCommit: managerCommit,
		Run: pipeline.Run{Repository: managerSlug, RepositoryID: managerID, ID: a.RunID + 1000, Attempt: 1, URL: "https://hub/run", CreatedAt: w.now}}
}

// claims are those that the runner would sign for the ask.
func (w *world) claims(a pipeline.DispatchRequest) pipeline.Claims {
	return pipeline.Claims{Audience: a.Audience(managerSlug), RepositoryID: 7, RunID: a.RunID, RunAttempt: a.RunAttempt, EventName: a.Event, Ref: a.Ref, SHA: a.Commit,
		JTI: fmt.Sprint("token-", a.RunID, "-", a.ID), IssuedAt: w.now}
}

func (w *world) fetcher() *intake.FetchVars {
	return &intake.FetchVars{GitHub: w.hub, Customers: w, Store: w.store, Sealer: w.sealer, Parse: parse, Verify: verify,
		Now: func() time.Time { return w.now }, Logf: w.logf, Runs: w.hub,
		Close: func(_ context.Context, old pipeline.Request) error { w.report(old, true); return nil }}
}

func (w *world) Customer(name pipeline.CustomerName) (pipeline.Customer, bool) {
	return w.customer, name == w.customer.Name
}

func (w *world) ByRepository(id int64) []pipeline.Customer {
	if id == w.customer.RepositoryID {
		return []pipeline.Customer{w.customer}
	}
	return nil
}

// verify stands for the signature check: the token is the claims themselves.
func verify(_ context.Context, token, audience string, _ time.Time) (pipeline.Claims, error) {
	var c pipeline.Claims
	if err := json.Unmarshal([]byte(token), &c); err != nil {
		return c, err
	}
	if c.Audience != audience {
		return c, fmt.Errorf("audience is %q", c.Audience)
	}
	return c, nil
}

func (w *world) target(request pipeline.Request, env pipeline.Environment) pipeline.TargetInput {
	return pipeline.TargetInput{Customer: w.customer, Request: request.ID, Environment: env, ManagerDir: w.dir, ManagerCommit: managerCommit,
		RunDir: filepath.Join(w.t.TempDir(), "run"), Backend: pipeline.State{}.Target(w.customer.Name, env, "/state"), Run: pipeline.Run{Repository: managerSlug, ID: 1, URL: "https://hub/run"}}
}

func (w *world) plan(request pipeline.Request, env pipeline.Environment) (deploy.TargetResult, error) {
	w.tick()
	return w.planner().Run(context.Background(), w.target(request, env))
}

func (w *world) planner() *deploy.Planner {
	return &deploy.Planner{Store: w.store, Sealer: w.sealer, Engine: w.engine, Parse: parse, Now: func() time.Time { return w.now }}
}

// contains reports whether all texts stand in s.
func contains(s string, texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(s, text) })
}

func (w *world) applier() *deploy.Applier {
	return &deploy.Applier{Store: w.store, Sealer: w.sealer, Engine: w.engine, Parse: parse, Gate: w.hub, Now: func() time.Time { return w.now }}
}

func (w *world) apply(in pipeline.TargetInput) (deploy.TargetResult, error) {
	w.tick()
	return w.applier().Run(context.Background(), in)
}

func (w *world) report(request pipeline.Request, final bool) pipeline.Report {
	w.t.Helper()
	w.tick()
	r := &publish.Reporter{GitHub: w.hub, Store: w.store, Sealer: w.sealer, Renderer: plain{}, Now: func() time.Time { return w.now }, Logf: w.logf}
	report, _, err := r.Run(context.Background(), publish.ReportInput{Manager: managerSlug, Customer: w.customer, Request: request.ID, Final: final})
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// reportAs is a report that may fail.
func (w *world) reportAs(in publish.ReportInput) (pipeline.Report, error) {
	w.t.Helper()
	w.tick()
	in.Manager = managerSlug
	r := &publish.Reporter{GitHub: w.hub, Store: w.store, Sealer: w.sealer, Renderer: plain{}, Now: func() time.Time { return w.now }, Logf: w.logf}
	report, _, err := r.Run(context.Background(), in)
	return report, err
}

// close is how a sweep ends a request.
func (w *world) close(_ context.Context, c sweep.CloseRequest) error {
	_, err := w.reportAs(publish.ReportInput{Customer: c.Customer, Request: c.Request.ID, Final: true, Cancelled: c.Cancelled, Unseen: c.Unseen})
	return err
}

// departed is a customer as the record of a request knows it.
func (w *world) departed(r pipeline.Request) pipeline.Customer {
	return pipeline.Customer{Name: r.Customer, File: "the record", Repository: r.Repository.Slug, RepositoryID: r.Repository.ID, Path: "infra", Manager: w.customer.Manager}
}

// must fails the test on an error and returns the value.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// parse accepts lines "<environment> <value>"; anything else is a problem.
func parse(_ pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
	d := document{file: file}
	for i, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		name, _, ok := strings.Cut(line, " ")
		position := pipeline.Position{File: file, Line: i + 1, Column: 1}
		if !ok {
			return nil, pipeline.Problems{{Position: position, Rule: "syntax", Message: "want two words"}}
		}
		d.environments = append(d.environments, pipeline.DeclaredEnvironment{Name: name, Position: position})
	}
	d.raw = string(raw)
	return d, nil
}

type document struct {
	file, raw    string
	environments []pipeline.DeclaredEnvironment
}

func (d document) Environments() []pipeline.DeclaredEnvironment { return d.environments }
func (d document) Locate(...string) (pipeline.Position, bool) {
	return pipeline.Position{File: d.file, Line: 1}, true
}
func (d document) Effective(pipeline.Environment) (pipeline.EffectiveConfig, error) {
	return pipeline.EffectiveConfig{Source: []byte(d.raw)}, nil
}

// engine plans "make the state say what the variables say". States have serials,
// and a plan of an older serial is refused, as Terraform does.
type engine struct {
	states   map[string]uint64
	contents string // what was applied last
	planErr  error
	applyErr error
	applies  int

	notStarted error  // of an apply that could change nothing
	says       string // in the log

	duringPlan, duringApply func()

	outputs []pipeline.Output // further ones of an apply

	plans func(pipeline.Job)      // sees the job of a plan
	finds func(*pipeline.Planned) // what a plan finds in the place of the state
}

func (e *engine) Plan(_ context.Context, job pipeline.Job) (pipeline.Planned, error) {
	fmt.Fprint(job.Log, e.says)
	if e.plans != nil {
		e.plans(job)
	}
	if e.planErr != nil {
		return pipeline.Planned{Plan: pipeline.Plan{Diagnostics: []pipeline.Diagnostic{{Summary: "broken"}}}}, e.planErr
	}
	if e.duringPlan != nil {
		e.duringPlan()
	}
	config, err := job.Variables.Effective(job.Environment)
	if err != nil {
		return pipeline.Planned{}, err
	}
	p := pipeline.Planned{Tool: pipeline.ToolVersion{Name: "terraform", Version: "1.11.4"}, ManagerTree: "tree", Resources: 2, State: pipeline.StateVersion{Lineage: "l", Serial: e.states[job.Backend.String()]}}
	if key := job.Backend.String() + "\n" + string(config.Source); key != e.contents {
		p.Plan.Changes = []pipeline.ResourceChange{{Address: "a.b", Type: "a", Action: pipeline.ActionUpdate}}
		p.Plan.Counts.Update = 1
	}
	if e.finds != nil {
		e.finds(&p)
	}
	mac := job.MAC()
	mac.Write(config.Source)
	p.Fingerprint = hex.EncodeToString(mac.Sum(nil))
	for _, f := range []struct {
		name string
		path *string
	}{{"plan", &p.PlanFile}, {"json", &p.JSONFile}, {"bundle", &p.BundleFile}} {
		*f.path = filepath.Join(job.Dir, f.name)
		if err := os.WriteFile(*f.path, append([]byte(f.name+":"), config.Source...), 0o600); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (e *engine) Apply(_ context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if plan.Receipt.State.Serial != e.states[job.Backend.String()] {
		return pipeline.Applied{}, &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: "the state has changed"}
	}
	if shown, err := os.ReadFile(plan.JSONFile); err != nil || !strings.HasPrefix(string(shown), "json:") {
		return pipeline.Applied{}, fmt.Errorf("the plan JSON was not restored: %q %w", shown, err)
	}
	fmt.Fprint(job.Log, e.says)
	if e.notStarted != nil {
		return pipeline.Applied{}, e.notStarted
	}
	e.applies++
	if e.duringApply != nil {
		e.duringApply()
	}
	done := []pipeline.AppliedResource{{Address: "a.b", Action: pipeline.ActionUpdate, Failed: e.applyErr != nil}}
	if e.applyErr != nil {
		return pipeline.Applied{Started: true, Done: done}, e.applyErr
	}
	b, err := os.ReadFile(plan.PlanFile)
	if err != nil {
		return pipeline.Applied{}, err
	}
	e.states[job.Backend.String()]++
	e.contents = job.Backend.String() + "\n" + strings.TrimPrefix(string(b), "plan:")
	left := &pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: e.states[job.Backend.String()]}, Resources: 2}
	outputs := append([]pipeline.Output{{Name: "url", Value: `"https://x"`}, {Name: "password", Sensitive: true}}, e.outputs...)
	return pipeline.Applied{Started: true, Done: done, State: left, Outputs: outputs}, nil
}

// hub is GitHub as far as the use cases see it.
type hub struct {
	w            *world
	files        map[pipeline.SHA]string // variables.yml by commit
	unreachable  map[pipeline.SHA]bool
	runs         map[int64]pipeline.WorkflowRun
	pulls        map[int]pipeline.PullRequest
	merged       map[pipeline.SHA]int
	statuses     map[string]pipeline.Status // "<sha> <context>"
	comments     []pipeline.Comment
	deployments  []pipeline.Deployment
	searches     int   // for deployments of any commit
	room         int   // bytes that a payload may have; 0: any number
	unsearchable error // what such a search answers
	reviewers    int
	wait         int // minutes
	approvals    []deploy.Approval
	dispatched   []json.RawMessage
	paths        []string
	incomplete   bool // paths is not all
	onPoll       func()
	writes       int
	cancelled    []int64
	forced       []int64
	reads        int // of runs
	line         []pipeline.SHA
	compared     int
	undelivered  error                            // what a dispatch answers
	unreadable   error                            // what a look at the statuses answers
	attempts     map[int64][]pipeline.WorkflowRun // earlier ones
	blind        error                            // what is said of the manager's repository and its runs
	managerHead  pipeline.SHA
	managerID    int64                               // of the repository that has the manager's name now
	unlisted     error                               // what a list of runs answers
	deleted      map[string]bool                     // branches
	refuses      func(op string) error               // what a write answers, by its name and object
	repository   func() (pipeline.Repository, error) // instead of the customer's
}

// The people of the tests.
var (
	dev   = pipeline.Account{ID: 31, Login: "dev"}
	robin = pipeline.Account{ID: 32, Login: "robin"}
	bot   = pipeline.Account{ID: 33, Login: "metapipe-bot"}
)

// approved is what an account said to one environment.
func approved(by pipeline.Account, env string) deploy.Approval {
	return deploy.Approval{Login: by.Login, User: by, Approved: true, Environments: []string{env}}
}

func (h *hub) RunAttempt(ctx context.Context, repo pipeline.Slug, id int64, attempt int) (pipeline.WorkflowRun, error) {
	for _, run := range h.attempts[id] {
		if run.Attempt == attempt {
			return run, nil
		}
	}
	return h.WorkflowRun(ctx, repo, id)
}

// unseen is GitHub's 404.
func unseen() error { return &pipeline.NotVisibleError{Err: errors.New("HTTP 404: Not Found")} }

// absent is what is known not to be there.
func absent() error { return &pipeline.GoneError{Err: errors.New("it does not exist")} }

func (h *hub) refused(op string) error {
	if h.refuses == nil {
		return nil
	}
	return h.refuses(op)
}

func newHub(w *world) *hub {
	return &hub{w: w, files: map[pipeline.SHA]string{}, unreachable: map[pipeline.SHA]bool{}, runs: map[int64]pipeline.WorkflowRun{1: {ID: 1, Attempt: 1, Status: "in_progress", StartedBy: bot, TriggeredBy: bot}}, attempts: map[int64][]pipeline.WorkflowRun{}, approvals: []deploy.Approval{approved(robin, "staging-apply"), approved(robin, "production-apply")}, pulls: map[int]pipeline.PullRequest{},
		managerID: managerID, deleted: map[string]bool{}, merged: map[pipeline.SHA]int{}, statuses: map[string]pipeline.Status{}, reviewers: 1}
}

// commit adds a commit with this variables.yml and returns its id.
func (h *hub) commit(variables string) pipeline.SHA {
	sum := sha256.Sum256([]byte(fmt.Sprint(len(h.files), variables)))
	sha := pipeline.SHA(hex.EncodeToString(sum[:20]))
	h.files[sha], h.line = variables, append(h.line, sha)
	return sha
}

func (h *hub) status(sha pipeline.SHA, statusContext string) pipeline.Status {
	return h.statuses[string(sha)+" "+strings.ToLower(statusContext)]
}

func (h *hub) Repository(_ context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	if repo.Equal(managerSlug) {
		return pipeline.Repository{Slug: managerSlug, ID: h.managerID, DefaultBranch: "main"}, h.blind
	}
	if h.repository != nil {
		return h.repository()
	}
	if !repo.Equal(h.w.customer.Repository) {
		return pipeline.Repository{}, unseen()
	}
	return pipeline.Repository{Slug: h.w.customer.Repository, ID: 7, DefaultBranch: "main"}, nil
}

func (h *hub) WorkflowRun(_ context.Context, repo pipeline.Slug, id int64) (pipeline.WorkflowRun, error) {
	h.reads++
	run, ok := h.runs[id]
	if !ok || repo.Equal(managerSlug) && h.blind != nil {
		return pipeline.WorkflowRun{}, unseen()
	}
	return run, nil
}

func (h *hub) ListsRuns(context.Context, pipeline.Slug) error {
	return errors.Join(h.blind, h.unlisted)
}

func (h *hub) PullRequest(_ context.Context, _ pipeline.Slug, number int) (pipeline.PullRequest, error) {
	pr, ok := h.pulls[number]
	if !ok {
		return pr, unseen()
	}
	return pr, nil
}

func (h *hub) PullRequestsOf(_ context.Context, _ pipeline.Slug, sha pipeline.SHA) ([]pipeline.PullRequest, error) {
	if n, ok := h.merged[sha]; ok {
		return []pipeline.PullRequest{{Number: n, State: "closed", Merged: true, BaseBranch: "main", MergeSHA: sha}}, nil
	}
	return nil, nil
}

func (h *hub) Reachable(_ context.Context, _ pipeline.Slug, branch string, sha pipeline.SHA) (bool, error) {
	_, known := h.files[sha]
	if h.deleted[branch] {
		return false, absent()
	}
	return known && !h.unreachable[sha] && branch != "gone", nil
}

// Compare knows one line of commits, in the order in which they were made, and
// those beside it that a push has thrown away.
func (h *hub) Compare(_ context.Context, _ pipeline.Slug, base, head pipeline.SHA) (ahead, behind bool, err error) {
	h.compared++
	b, a := slices.Index(h.line, base), slices.Index(h.line, head)
	if a < 0 || b < 0 {
		return false, false, unseen()
	}
	if h.unreachable[base] != h.unreachable[head] {
		return true, true, nil
	}
	return b < a, a < b, nil
}

func (h *hub) BranchHead(_ context.Context, repo pipeline.Slug, _ string) (pipeline.SHA, error) {
	if repo.Equal(managerSlug) {
		return h.managerHead, h.blind
	}
	for sha := range h.files {
		return sha, nil
	}
	return "", absent()
}

func (h *hub) File(_ context.Context, _ pipeline.Slug, ref, path string) (pipeline.File, error) {
	content, ok := h.files[pipeline.SHA(ref)]
	if !ok || content == "" {
		return pipeline.File{}, absent()
	}
	sum := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(content), content)))
	return pipeline.File{Path: path, Blob: pipeline.SHA(hex.EncodeToString(sum[:])), Content: []byte(content)}, nil
}

func (h *hub) SetStatus(_ context.Context, _ pipeline.Slug, sha pipeline.SHA, s pipeline.Status) error {
	if err := h.refused("status " + s.Context); err != nil {
		return err
	}
	if n := len([]rune(s.Description)); n > 140 {
		return fmt.Errorf("422: description has %d characters", n)
	}
	key := string(sha) + " " + strings.ToLower(s.Context)
	if h.statuses[key] != s {
		h.writes++
	}
	h.statuses[key] = s
	return nil
}

func (h *hub) Statuses(_ context.Context, _ pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error) {
	if h.unreadable != nil {
		return nil, h.unreadable
	}
	if h.onPoll != nil {
		h.onPoll()
	}
	var list []pipeline.Status
	for key, s := range h.statuses {
		if strings.HasPrefix(key, string(sha)+" ") {
			list = append(list, s)
		}
	}
	return list, nil
}

func (h *hub) ChangedPaths(context.Context, pipeline.Slug, pipeline.SHA, pipeline.SHA) ([]string, bool, error) {
	return h.paths, !h.incomplete, nil
}

func (h *hub) PullRequestPaths(context.Context, pipeline.Slug, int) ([]string, bool, error) {
	return h.paths, !h.incomplete, nil
}

func (h *hub) Deployments(_ context.Context, _ pipeline.Slug, _ pipeline.SHA, environment string) ([]pipeline.Deployment, error) {
	var list []pipeline.Deployment
	for _, d := range h.deployments {
		if d.Environment == environment {
			list = append(list, d)
		}
	}
	return list, nil
}

func (h *hub) FindDeployment(_ context.Context, _ pipeline.Slug, environment string, fits func(pipeline.Deployment) bool) (pipeline.Deployment, bool, error) {
	h.searches++
	for _, d := range slices.Backward(h.deployments) {
		if (environment == "" || d.Environment == environment) && fits(d) {
			return d, true, h.unsearchable
		}
	}
	return pipeline.Deployment{}, false, h.unsearchable
}

func (h *hub) Dispatch(_ context.Context, _ pipeline.Slug, _ string, payload json.RawMessage) error {
	if h.undelivered != nil {
		return h.undelivered
	}
	h.dispatched = append(h.dispatched, payload)
	return nil
}

func (h *hub) CancelRun(_ context.Context, _ pipeline.Slug, id int64, force bool) error {
	h.cancelled = append(h.cancelled, id)
	if force {
		h.forced = append(h.forced, id)
	}
	return nil
}

func (h *hub) PendingEnvironments(context.Context, pipeline.Slug, int64) ([]string, error) {
	return []string{"staging-apply"}, nil
}

func (h *hub) Login(context.Context) (string, error) { return "metapipe-bot", nil }

func (h *hub) Comments(context.Context, pipeline.Slug, int) ([]pipeline.Comment, error) {
	return h.comments, nil
}

func (h *hub) CreateComment(_ context.Context, _ pipeline.Slug, _ int, body string) (pipeline.Comment, error) {
	if err := h.refused("comment"); err != nil {
		return pipeline.Comment{}, err
	}
	h.writes++
	c := pipeline.Comment{ID: int64(len(h.comments) + 1), Author: "metapipe-bot", Body: body}
	h.comments = append(h.comments, c)
	return c, nil
}

func (h *hub) EditComment(_ context.Context, _ pipeline.Slug, id int64, body string) (pipeline.Comment, error) {
	if err := h.refused("edit"); err != nil {
		return pipeline.Comment{}, err
	}
	h.writes++
	for i := range h.comments {
		if h.comments[i].ID == id {
			h.comments[i].Body = body
			return h.comments[i], nil
		}
	}
	return pipeline.Comment{}, unseen()
}

func (h *hub) DeleteComment(_ context.Context, _ pipeline.Slug, id int64) error {
	if err := h.refused("delete"); err != nil {
		return err
	}
	h.writes++
	for i := range h.comments {
		if h.comments[i].ID == id {
			h.comments = append(h.comments[:i], h.comments[i+1:]...)
			return nil
		}
	}
	return nil
}

func (h *hub) CreateDeployment(_ context.Context, _ pipeline.Slug, d pipeline.Deployment) (int64, error) {
	if err := h.refused("deployment"); err != nil {
		return 0, err
	}
	for _, old := range h.deployments {
		if old.Payload.Request == d.Payload.Request && old.Environment == d.Environment {
			return old.ID, nil
		}
	}
	if text, err := json.Marshal(d.Payload); err != nil || h.room > 0 && len(text) > h.room {
		return 0, &pipeline.PermanentError{Cause: pipeline.CauseTooLarge, Err: errors.New("HTTP 413")}
	}
	h.writes++
	d.ID = int64(len(h.deployments) + 1)
	h.deployments = append([]pipeline.Deployment{d}, h.deployments...)
	return d.ID, nil
}

func (h *hub) EnvironmentProtection(context.Context, pipeline.Slug, string) (bool, int, int, error) {
	return h.reviewers > 0, h.reviewers, h.wait, nil
}

func (h *hub) Approvals(context.Context, pipeline.Slug, int64) ([]deploy.Approval, error) {
	return h.approvals, nil
}

// plain renders only what the tests look at.
type plain struct{}

func (plain) Comment(r pipeline.Report) string {
	return "request " + string(r.Request.ID) + describe(r)
}
func (plain) Summary(r pipeline.Report) string { return describe(r) }
func (plain) Status(r pipeline.Report, env pipeline.Environment) string {
	if env == "" {
		return "overall" + describe(r) + strings.Repeat(" and so on", 20)
	}
	return string(env)
}

func describe(r pipeline.Report) string {
	s := ""
	for _, t := range r.Targets {
		s += fmt.Sprintf(" %s=%s", t.Environment, t.Outcome)
	}
	return s
}
