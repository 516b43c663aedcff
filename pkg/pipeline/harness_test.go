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

// Setup is one manager and one customer with a real store, real sealing, a
// double of GitHub that keeps what is written to it, and an engine whose states have serials.
type Setup struct {
	T          *testing.T
	Now        time.Time
	Store      pipeline.Store
	Sealer     pipeline.Sealer
	Hub        *Hub
	Engine     *Engine
	Current    pipeline.Customer
	ManagerDir string
	LastRun    int64
	manager    pipeline.Repository // whose runs the sweep looks after
}

// New makes a setup without any request. Its directory goes away with the test.
func New(t *testing.T) *Setup {
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
	w := &Setup{T: t, Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Store: directory, Sealer: sealer, ManagerDir: dir, LastRun: 100,
		Current: pipeline.Customer{Name: "acme", Repository: pipeline.Slug{Owner: "acme", Name: "app"}, RepositoryID: 7, Path: "infra", Root: "terraform", Manager: manager}}
	w.Hub, w.manager = newHub(w), pipeline.Repository{Slug: ManagerSlug, ID: ManagerID}
	w.Engine = &Engine{States: map[string]uint64{}}
	return w
}

// Tick moves the clock on: no two requests are accepted at the same instant.
func (w *Setup) Tick() time.Time { w.Now = w.Now.Add(time.Second); return w.Now }

// Logf writes to the log of the test.
func (w *Setup) Logf(format string, args ...any) { w.T.Logf(format, args...) }

// ManagerSlug is the repository of the manager.
var ManagerSlug = pipeline.Slug{Owner: "ops", Name: "manager"}

// ManagerID is the id of that repository.
const ManagerID = 99

// ManagerCommit is the commit that the manager runs at.
const ManagerCommit = pipeline.SHA("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")

// Dispatch builds what trigger would send for a commit of the hub.
func (w *Setup) Dispatch(commit pipeline.SHA, event string) pipeline.DispatchRequest {
	w.LastRun++
	a := pipeline.DispatchRequest{Version: 1, Repository: "acme/app", RepositoryID: 7, Path: "infra", Event: event, Commit: commit,
		Ref: "refs/heads/main", Mode: pipeline.ModeApply, RunID: w.LastRun, RunAttempt: 1}
	a.ID = a.OwnID()
	if event == "pull_request" {
		a.PullRequest, a.Ref, a.Mode = 5, "refs/pull/5/merge", pipeline.ModePlan
		w.Hub.Pulls[5] = pipeline.PullRequest{Number: 5, State: "open", Head: commit, HeadBranch: "change", HeadRepoID: 7, BaseBranch: "main"}
	}
	w.Hub.Runs[w.LastRun] = pipeline.WorkflowRun{ID: w.LastRun, Attempt: 1, Event: event, Status: "in_progress", HeadSHA: commit, Path: intake.TriggerWorkflow, Actor: "dev", StartedBy: Dev, TriggeredBy: Dev, RepoID: 7, CreatedAt: w.Now, UpdatedAt: w.Now}
	return a
}

// Send is the manager's prepare job for a dispatch request.
func (w *Setup) Send(a pipeline.DispatchRequest) (pipeline.Request, error) {
	w.Tick()
	return w.Fetcher().Run(context.Background(), w.FetchInput(a, w.Claims(a)))
}

// FetchInput is the input of fetch-vars for a dispatch with this token.
func (w *Setup) FetchInput(a pipeline.DispatchRequest, claims pipeline.Claims) intake.FetchInput {
	token, err := json.Marshal(claims)
	if err != nil {
		w.T.Fatal(err)
	}
	payload, err := json.Marshal(pipeline.Payload{Request: a, Proof: pipeline.Proof{Token: string(token)}})
	if err != nil {
		w.T.Fatal(err)
	}
	return intake.FetchInput{Event: pipeline.Event{Name: "repository_dispatch", Payload: payload}, Manager: ManagerSlug, ManagerCommit: ManagerCommit,
		Run: pipeline.Run{Repository: ManagerSlug, RepositoryID: ManagerID, ID: a.RunID + 1000, Attempt: 1, URL: "https://hub/run", CreatedAt: w.Now}}
}

// Claims are those that the runner would sign for the request.
func (w *Setup) Claims(a pipeline.DispatchRequest) pipeline.Claims {
	return pipeline.Claims{Audience: a.Audience(ManagerSlug), RepositoryID: 7, RunID: a.RunID, RunAttempt: a.RunAttempt, EventName: a.Event, Ref: a.Ref, SHA: a.Commit,
		JTI: fmt.Sprint("token-", a.RunID, "-", a.ID), IssuedAt: w.Now}
}

// Fetcher is the fetch-vars command.
func (w *Setup) Fetcher() *intake.FetchVars {
	return &intake.FetchVars{GitHub: w.Hub, Customers: w, Store: w.Store, Sealer: w.Sealer, Parse: ParseVariables, Verify: verify,
		Now: func() time.Time { return w.Now }, Logf: w.Logf, Runs: w.Hub,
		Close: func(_ context.Context, old pipeline.Request) error { w.Report(old, true); return nil }}
}

// Customer finds the customer by name.
func (w *Setup) Customer(name pipeline.CustomerName) (pipeline.Customer, bool) {
	return w.Current, name == w.Current.Name
}

// ByRepository finds the customer by the id of its repository.
func (w *Setup) ByRepository(id int64) []pipeline.Customer {
	if id == w.Current.RepositoryID {
		return []pipeline.Customer{w.Current}
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

// Target is the input of a plan or an apply of one environment.
func (w *Setup) Target(request pipeline.Request, env pipeline.Environment) pipeline.TargetInput {
	return pipeline.TargetInput{Customer: w.Current, Request: request.ID, Environment: env, ManagerDir: w.ManagerDir, ManagerCommit: ManagerCommit,
		RunDir: filepath.Join(w.T.TempDir(), "run"), Backend: pipeline.State{}.Target(w.Current.Name, env, "/state"), Run: pipeline.Run{Repository: ManagerSlug, ID: 1, URL: "https://hub/run"}}
}

// Plan plans one target of a request.
func (w *Setup) Plan(request pipeline.Request, env pipeline.Environment) (deploy.TargetResult, error) {
	w.Tick()
	return w.Planner().Run(context.Background(), w.Target(request, env))
}

// Planner is the plan command.
func (w *Setup) Planner() *deploy.Planner {
	return &deploy.Planner{Store: w.Store, Sealer: w.Sealer, Engine: w.Engine, Parse: ParseVariables, Now: func() time.Time { return w.Now }}
}

// ContainsAll reports whether all texts stand in s.
func ContainsAll(s string, texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(s, text) })
}

// Applier is the apply command.
func (w *Setup) Applier() *deploy.Applier {
	return &deploy.Applier{Store: w.Store, Sealer: w.Sealer, Engine: w.Engine, Parse: ParseVariables, Gate: w.Hub, Now: func() time.Time { return w.Now }}
}

// Apply applies the plan of one target.
func (w *Setup) Apply(in pipeline.TargetInput) (deploy.TargetResult, error) {
	w.Tick()
	return w.Applier().Run(context.Background(), in)
}

// Report reports on a request and fails the test on an error.
func (w *Setup) Report(request pipeline.Request, final bool) pipeline.Report {
	w.T.Helper()
	w.Tick()
	r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: PlainRenderer{}, Now: func() time.Time { return w.Now }, Logf: w.Logf}
	report, _, err := r.Run(context.Background(), publish.ReportInput{Manager: ManagerSlug, Customer: w.Current, Request: request.ID, Final: final})
	if err != nil {
		w.T.Fatal(err)
	}
	return report
}

// ReportAs is a report that may fail.
func (w *Setup) ReportAs(in publish.ReportInput) (pipeline.Report, error) {
	w.T.Helper()
	w.Tick()
	in.Manager = ManagerSlug
	r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: PlainRenderer{}, Now: func() time.Time { return w.Now }, Logf: w.Logf}
	report, _, err := r.Run(context.Background(), in)
	return report, err
}

// CloseRequest is how a sweep ends a request.
func (w *Setup) CloseRequest(_ context.Context, c sweep.CloseRequest) error {
	_, err := w.ReportAs(publish.ReportInput{Customer: c.Customer, Request: c.Request.ID, Final: true, Cancelled: c.Cancelled, Unseen: c.Unseen})
	return err
}

// Departed is a customer as the record of a request knows it.
func (w *Setup) Departed(r pipeline.Request) pipeline.Customer {
	return pipeline.Customer{Name: r.Customer, File: "the record", Repository: r.Repository.Slug, RepositoryID: r.Repository.ID, Path: "infra", Manager: w.Current.Manager}
}

// Must fails the test on an error and returns the value.
func Must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ParseVariables accepts lines "<environment> <value>"; anything else is a problem.
func ParseVariables(_ pipeline.Customer, file string, raw []byte) (pipeline.Document, pipeline.Problems) {
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

// Engine plans "make the state say what the variables say". States have serials,
// and a plan of an older serial is refused, as Terraform does.
type Engine struct {
	States   map[string]uint64
	contents string // what was applied last
	PlanErr  error
	ApplyErr error
	Applies  int

	NotStarted error  // of an apply that could change nothing
	LogText    string // in the log

	DuringPlan, DuringApply func()

	Outputs []pipeline.Output // further ones of an apply

	SeePlan       func(pipeline.Job)      // sees the job of a plan
	ChangePlanned func(*pipeline.Planned) // what a plan finds in the place of the state
}

func (e *Engine) Plan(_ context.Context, job pipeline.Job) (pipeline.Planned, error) {
	fmt.Fprint(job.Log, e.LogText)
	if e.SeePlan != nil {
		e.SeePlan(job)
	}
	if e.PlanErr != nil {
		return pipeline.Planned{Plan: pipeline.Plan{Diagnostics: []pipeline.Diagnostic{{Summary: "broken"}}}}, e.PlanErr
	}
	if e.DuringPlan != nil {
		e.DuringPlan()
	}
	config, err := job.Variables.Effective(job.Environment)
	if err != nil {
		return pipeline.Planned{}, err
	}
	p := pipeline.Planned{Tool: pipeline.ToolVersion{Name: "terraform", Version: "1.11.4"}, ManagerTree: "tree", Resources: 2, State: pipeline.StateVersion{Lineage: "l", Serial: e.States[job.Backend.String()]}}
	if key := job.Backend.String() + "\n" + string(config.Source); key != e.contents {
		p.Plan.Changes = []pipeline.ResourceChange{{Address: "a.b", Type: "a", Action: pipeline.ActionUpdate}}
		p.Plan.Counts.Update = 1
	}
	if e.ChangePlanned != nil {
		e.ChangePlanned(&p)
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

func (e *Engine) Apply(_ context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	if plan.Receipt.State.Serial != e.States[job.Backend.String()] {
		return pipeline.Applied{}, &pipeline.RefusedError{Reason: pipeline.ReasonStaleState, Message: "the state has changed"}
	}
	if shown, err := os.ReadFile(plan.JSONFile); err != nil || !strings.HasPrefix(string(shown), "json:") {
		return pipeline.Applied{}, fmt.Errorf("the plan JSON was not restored: %q %w", shown, err)
	}
	fmt.Fprint(job.Log, e.LogText)
	if e.NotStarted != nil {
		return pipeline.Applied{}, e.NotStarted
	}
	e.Applies++
	if e.DuringApply != nil {
		e.DuringApply()
	}
	done := []pipeline.AppliedResource{{Address: "a.b", Action: pipeline.ActionUpdate, Failed: e.ApplyErr != nil}}
	if e.ApplyErr != nil {
		return pipeline.Applied{Started: true, Done: done}, e.ApplyErr
	}
	b, err := os.ReadFile(plan.PlanFile)
	if err != nil {
		return pipeline.Applied{}, err
	}
	e.States[job.Backend.String()]++
	e.contents = job.Backend.String() + "\n" + strings.TrimPrefix(string(b), "plan:")
	left := &pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: e.States[job.Backend.String()]}, Resources: 2}
	outputs := append([]pipeline.Output{{Name: "url", Value: `"https://x"`}, {Name: "password", Sensitive: true}}, e.Outputs...)
	return pipeline.Applied{Started: true, Done: done, State: left, Outputs: outputs}, nil
}

// Hub is GitHub as far as the use cases see it.
type Hub struct {
	w                *Setup
	files            map[pipeline.SHA]string // variables.yml by commit
	Unreachable      map[pipeline.SHA]bool
	Runs             map[int64]pipeline.WorkflowRun
	Pulls            map[int]pipeline.PullRequest
	Merged           map[pipeline.SHA]int
	StatusOf         map[string]pipeline.Status // "<sha> <context>"
	CommentList      []pipeline.Comment
	DeploymentList   []pipeline.Deployment
	Searches         int   // for deployments of any commit
	PayloadRoom      int   // bytes that a payload may have; 0: any number
	SearchError      error // what such a search answers
	Reviewers        int
	WaitMinutes      int // minutes
	ApprovalList     []deploy.Approval
	Dispatched       []json.RawMessage
	Paths            []string
	PathsIncomplete  bool // paths is not all
	OnPoll           func()
	Writes           int
	Cancelled        []int64
	Forced           []int64
	Reads            int // of runs
	CommitLine       []pipeline.SHA
	Compared         int
	DispatchError    error                            // what a dispatch answers
	StatusesError    error                            // what a look at the statuses answers
	Attempts         map[int64][]pipeline.WorkflowRun // earlier ones
	ManagerError     error                            // what is said of the manager's repository and its runs
	ManagerHead      pipeline.SHA
	ManagerID        int64                               // of the repository that has the manager's name now
	ListError        error                               // what a list of runs answers
	Deleted          map[string]bool                     // branches
	Refuse           func(op string) error               // what a write answers, by its name and object
	AnswerRepository func() (pipeline.Repository, error) // instead of the customer's
}

// The people of the tests.
var (
	Dev   = pipeline.Account{ID: 31, Login: "dev"}
	Robin = pipeline.Account{ID: 32, Login: "robin"}
	bot   = pipeline.Account{ID: 33, Login: "metapipe-bot"}
)

// Approved is what an account said to one environment.
func Approved(by pipeline.Account, env string) deploy.Approval {
	return deploy.Approval{Login: by.Login, User: by, Approved: true, Environments: []string{env}}
}

func (h *Hub) RunAttempt(ctx context.Context, repo pipeline.Slug, id int64, attempt int) (pipeline.WorkflowRun, error) {
	for _, run := range h.Attempts[id] {
		if run.Attempt == attempt {
			return run, nil
		}
	}
	return h.WorkflowRun(ctx, repo, id)
}

// NotVisible is GitHub's 404.
func NotVisible() error { return &pipeline.NotVisibleError{Err: errors.New("HTTP 404: Not Found")} }

// Gone is what is known not to be there.
func Gone() error { return &pipeline.GoneError{Err: errors.New("it does not exist")} }

func (h *Hub) refused(op string) error {
	if h.Refuse == nil {
		return nil
	}
	return h.Refuse(op)
}

func newHub(w *Setup) *Hub {
	return &Hub{w: w, files: map[pipeline.SHA]string{}, Unreachable: map[pipeline.SHA]bool{}, Runs: map[int64]pipeline.WorkflowRun{1: {ID: 1, Attempt: 1, Status: "in_progress", StartedBy: bot, TriggeredBy: bot}}, Attempts: map[int64][]pipeline.WorkflowRun{}, ApprovalList: []deploy.Approval{Approved(Robin, "staging-apply"), Approved(Robin, "production-apply")}, Pulls: map[int]pipeline.PullRequest{},
		ManagerID: ManagerID, Deleted: map[string]bool{}, Merged: map[pipeline.SHA]int{}, StatusOf: map[string]pipeline.Status{}, Reviewers: 1}
}

// Commit adds a commit with this variables.yml and returns its id.
func (h *Hub) Commit(variables string) pipeline.SHA {
	sum := sha256.Sum256([]byte(fmt.Sprint(len(h.files), variables)))
	sha := pipeline.SHA(hex.EncodeToString(sum[:20]))
	h.files[sha], h.CommitLine = variables, append(h.CommitLine, sha)
	return sha
}

// Status is the status of a commit in one context.
func (h *Hub) Status(sha pipeline.SHA, statusContext string) pipeline.Status {
	return h.StatusOf[string(sha)+" "+strings.ToLower(statusContext)]
}

func (h *Hub) Repository(_ context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	if repo.Equal(ManagerSlug) {
		return pipeline.Repository{Slug: ManagerSlug, ID: h.ManagerID, DefaultBranch: "main"}, h.ManagerError
	}
	if h.AnswerRepository != nil {
		return h.AnswerRepository()
	}
	if !repo.Equal(h.w.Current.Repository) {
		return pipeline.Repository{}, NotVisible()
	}
	return pipeline.Repository{Slug: h.w.Current.Repository, ID: 7, DefaultBranch: "main"}, nil
}

func (h *Hub) WorkflowRun(_ context.Context, repo pipeline.Slug, id int64) (pipeline.WorkflowRun, error) {
	h.Reads++
	run, ok := h.Runs[id]
	if !ok || repo.Equal(ManagerSlug) && h.ManagerError != nil {
		return pipeline.WorkflowRun{}, NotVisible()
	}
	return run, nil
}

func (h *Hub) ListsRuns(context.Context, pipeline.Slug) error {
	return errors.Join(h.ManagerError, h.ListError)
}

func (h *Hub) PullRequest(_ context.Context, _ pipeline.Slug, number int) (pipeline.PullRequest, error) {
	pr, ok := h.Pulls[number]
	if !ok {
		return pr, NotVisible()
	}
	return pr, nil
}

func (h *Hub) PullRequestsOf(_ context.Context, _ pipeline.Slug, sha pipeline.SHA) ([]pipeline.PullRequest, error) {
	if n, ok := h.Merged[sha]; ok {
		return []pipeline.PullRequest{{Number: n, State: "closed", Merged: true, BaseBranch: "main", MergeSHA: sha}}, nil
	}
	return nil, nil
}

func (h *Hub) Reachable(_ context.Context, _ pipeline.Slug, branch string, sha pipeline.SHA) (bool, error) {
	_, known := h.files[sha]
	if h.Deleted[branch] {
		return false, Gone()
	}
	return known && !h.Unreachable[sha] && branch != "gone", nil
}

// Compare knows one line of commits, in the order in which they were made, and
// those beside it that a push has thrown away.
func (h *Hub) Compare(_ context.Context, _ pipeline.Slug, base, head pipeline.SHA) (ahead, behind bool, err error) {
	h.Compared++
	b, a := slices.Index(h.CommitLine, base), slices.Index(h.CommitLine, head)
	if a < 0 || b < 0 {
		return false, false, NotVisible()
	}
	if h.Unreachable[base] != h.Unreachable[head] {
		return true, true, nil
	}
	return b < a, a < b, nil
}

func (h *Hub) BranchHead(_ context.Context, repo pipeline.Slug, _ string) (pipeline.SHA, error) {
	if repo.Equal(ManagerSlug) {
		return h.ManagerHead, h.ManagerError
	}
	for sha := range h.files {
		return sha, nil
	}
	return "", Gone()
}

func (h *Hub) File(_ context.Context, _ pipeline.Slug, ref, path string) (pipeline.File, error) {
	content, ok := h.files[pipeline.SHA(ref)]
	if !ok || content == "" {
		return pipeline.File{}, Gone()
	}
	sum := sha1.Sum([]byte(fmt.Sprintf("blob %d\x00%s", len(content), content)))
	return pipeline.File{Path: path, Blob: pipeline.SHA(hex.EncodeToString(sum[:])), Content: []byte(content)}, nil
}

func (h *Hub) SetStatus(_ context.Context, _ pipeline.Slug, sha pipeline.SHA, s pipeline.Status) error {
	if err := h.refused("status " + s.Context); err != nil {
		return err
	}
	if n := len([]rune(s.Description)); n > 140 {
		return fmt.Errorf("422: description has %d characters", n)
	}
	key := string(sha) + " " + strings.ToLower(s.Context)
	if h.StatusOf[key] != s {
		h.Writes++
	}
	h.StatusOf[key] = s
	return nil
}

func (h *Hub) Statuses(_ context.Context, _ pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error) {
	if h.StatusesError != nil {
		return nil, h.StatusesError
	}
	if h.OnPoll != nil {
		h.OnPoll()
	}
	var list []pipeline.Status
	for key, s := range h.StatusOf {
		if strings.HasPrefix(key, string(sha)+" ") {
			list = append(list, s)
		}
	}
	return list, nil
}

func (h *Hub) ChangedPaths(context.Context, pipeline.Slug, pipeline.SHA, pipeline.SHA) ([]string, bool, error) {
	return h.Paths, !h.PathsIncomplete, nil
}

func (h *Hub) PullRequestPaths(context.Context, pipeline.Slug, int) ([]string, bool, error) {
	return h.Paths, !h.PathsIncomplete, nil
}

func (h *Hub) Deployments(_ context.Context, _ pipeline.Slug, _ pipeline.SHA, environment string) ([]pipeline.Deployment, error) {
	var list []pipeline.Deployment
	for _, d := range h.DeploymentList {
		if d.Environment == environment {
			list = append(list, d)
		}
	}
	return list, nil
}

func (h *Hub) FindDeployment(_ context.Context, _ pipeline.Slug, environment string, fits func(pipeline.Deployment) bool) (pipeline.Deployment, bool, error) {
	h.Searches++
	for _, d := range slices.Backward(h.DeploymentList) {
		if (environment == "" || d.Environment == environment) && fits(d) {
			return d, true, h.SearchError
		}
	}
	return pipeline.Deployment{}, false, h.SearchError
}

func (h *Hub) Dispatch(_ context.Context, _ pipeline.Slug, _ string, payload json.RawMessage) error {
	if h.DispatchError != nil {
		return h.DispatchError
	}
	h.Dispatched = append(h.Dispatched, payload)
	return nil
}

func (h *Hub) CancelRun(_ context.Context, _ pipeline.Slug, id int64, force bool) error {
	h.Cancelled = append(h.Cancelled, id)
	if force {
		h.Forced = append(h.Forced, id)
	}
	return nil
}

func (h *Hub) PendingEnvironments(context.Context, pipeline.Slug, int64) ([]string, error) {
	return []string{"staging-apply"}, nil
}

func (h *Hub) Login(context.Context) (string, error) { return "metapipe-bot", nil }

func (h *Hub) Comments(context.Context, pipeline.Slug, int) ([]pipeline.Comment, error) {
	return h.CommentList, nil
}

func (h *Hub) CreateComment(_ context.Context, _ pipeline.Slug, _ int, body string) (pipeline.Comment, error) {
	if err := h.refused("comment"); err != nil {
		return pipeline.Comment{}, err
	}
	h.Writes++
	c := pipeline.Comment{ID: int64(len(h.CommentList) + 1), Author: "metapipe-bot", Body: body}
	h.CommentList = append(h.CommentList, c)
	return c, nil
}

func (h *Hub) EditComment(_ context.Context, _ pipeline.Slug, id int64, body string) (pipeline.Comment, error) {
	if err := h.refused("edit"); err != nil {
		return pipeline.Comment{}, err
	}
	h.Writes++
	for i := range h.CommentList {
		if h.CommentList[i].ID == id {
			h.CommentList[i].Body = body
			return h.CommentList[i], nil
		}
	}
	return pipeline.Comment{}, NotVisible()
}

func (h *Hub) DeleteComment(_ context.Context, _ pipeline.Slug, id int64) error {
	if err := h.refused("delete"); err != nil {
		return err
	}
	h.Writes++
	for i := range h.CommentList {
		if h.CommentList[i].ID == id {
			h.CommentList = append(h.CommentList[:i], h.CommentList[i+1:]...)
			return nil
		}
	}
	return nil
}

func (h *Hub) CreateDeployment(_ context.Context, _ pipeline.Slug, d pipeline.Deployment) (int64, error) {
	if err := h.refused("deployment"); err != nil {
		return 0, err
	}
	for _, old := range h.DeploymentList {
		if old.Payload.Request == d.Payload.Request && old.Environment == d.Environment {
			return old.ID, nil
		}
	}
	if text, err := json.Marshal(d.Payload); err != nil || h.PayloadRoom > 0 && len(text) > h.PayloadRoom {
		return 0, &pipeline.PermanentError{Cause: pipeline.CauseTooLarge, Err: errors.New("HTTP 413")}
	}
	h.Writes++
	d.ID = int64(len(h.DeploymentList) + 1)
	h.DeploymentList = append([]pipeline.Deployment{d}, h.DeploymentList...)
	return d.ID, nil
}

func (h *Hub) EnvironmentProtection(context.Context, pipeline.Slug, string) (bool, int, int, error) {
	return h.Reviewers > 0, h.Reviewers, h.WaitMinutes, nil
}

func (h *Hub) Approvals(context.Context, pipeline.Slug, int64) ([]deploy.Approval, error) {
	return h.ApprovalList, nil
}

// PlainRenderer renders only what the tests look at.
type PlainRenderer struct{}

func (PlainRenderer) Comment(r pipeline.Report) string {
	return "request " + string(r.Request.ID) + describe(r)
}
func (PlainRenderer) Summary(r pipeline.Report) string { return describe(r) }
func (PlainRenderer) Status(r pipeline.Report, env pipeline.Environment) string {
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
