package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	"github.com/metapipe/metapipe/pkg/workflow"
)

// workflowRun is one run of one side's workflow.
type workflowRun struct {
	who   story.Who
	repo  *hub.Repo
	run   hub.Run
	event json.RawMessage
	// sha and ref are GITHUB_SHA and GITHUB_REF: on a pull request those of its
	// test merge. head and base are its branches.
	sha, ref, head, base string
}

// refName is GITHUB_REF_NAME.
func (w *workflowRun) refName() string {
	for _, prefix := range []string{"refs/heads/", "refs/pull/"} {
		if name, ok := strings.CutPrefix(w.ref, prefix); ok {
			return name
		}
	}
	return w.ref
}

// token is a credential that a run has under the name of a secret.
type token struct {
	secret string
	hub.Token
}

// stage is what a run meets in place of GitHub: the double, the reviewer, and the one who writes the story down.
type stage struct {
	*rehearsal
	run     *workflowRun
	approve Approve
	masks   *runner.Masks
	secrets map[string]string
	vars    map[string]string
	cancel  context.CancelFunc

	gate sync.Mutex // one question at a time

	mu        sync.Mutex
	tokens    []*countedToken     // of the run and of its jobs
	jobs      map[string]*onStage // by path
	results   []stepResult        // of the commands of metapipe, in the order of their ends
	printed   bool                // one of its steps was printed
	summaries []shownSummary      // of the jobs that have ended
	rejected  string              // target that a reviewer said no to
	errs      []error
}

// countedToken is a token and how many of its calls have been counted.
type countedToken struct {
	hub.Token
	job  string // path of the job that it belongs to; empty: the run
	seen int
}

// shownSummary is the summary of a job, as a reviewer sees it.
type shownSummary struct{ target, file, text string }

// onStage is a job that runs.
type onStage struct {
	bearer string
	number int // of the last step that was shown
	events map[*runner.Step]*event
	lines  map[*runner.Step][]runner.Shown // of actions
}

// newStage makes the tokens of a run.
func (s *rehearsal) newStage(run *workflowRun, approve Approve, tokens ...token) (*stage, error) {
	st := &stage{rehearsal: s, run: run, approve: approve, masks: runner.NewMasks(s.masks), secrets: map[string]string{}, vars: map[string]string{}, jobs: map[string]*onStage{}}
	for _, t := range tokens {
		t.Name = fmt.Sprintf("%s of %s run %d", t.secret, run.who, run.run.Number)
		made, err := s.setup.hub.AddToken(t.Token)
		if err != nil {
			return nil, err
		}
		st.secrets[t.secret] = made.Secret
		st.tokens = append(st.tokens, &countedToken{Token: made})
	}
	return st, nil
}

// play executes the workflow at file for the run.
func (st *stage) play(ctx context.Context, file string, environ []string) (runner.Result, error) {
	repo, run := st.run.repo, st.run.run
	if err := repo.SetRun(run.ID, "in_progress", ""); err != nil {
		return runner.Result{}, err
	}
	files, err := st.setup.files(repo, st.run.sha)
	if err != nil {
		return runner.Result{}, err
	}
	w, err := runner.Load(files, file)
	if err != nil {
		return runner.Result{}, err
	}
	st.setup.leftOut(repo, w)
	event, err := st.run.asEvent()
	if err != nil {
		return runner.Result{}, err
	}
	if !w.Listens(event) {
		return runner.Result{}, fmt.Errorf("%s of %s does not start on this %s: look at its `on`", file, repo.Slug(), event.Name)
	}
	ctx, st.cancel = context.WithCancel(ctx)
	defer st.cancel()
	dir := filepath.Join(st.setup.work, fmt.Sprintf("%s-%d", st.run.who, run.Number))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return runner.Result{}, fmt.Errorf("make the directory of a run: %w", err)
	}
	r := &runner.Run{Workflow: w, Repository: files, Event: event, GitHub: st.github(w), Environ: environ, Dir: dir, Host: st, Masks: st.masks, Actions: st.setup.actions(), Groups: st.groups(repo)}
	result, err := r.Play(ctx)
	for _, t := range st.tokens {
		st.setup.hub.RevokeToken(t.Name)
	}
	st.countRest()
	conclusion := result.Conclusion
	if err != nil || conclusion == "" {
		conclusion = runner.Failure
	}
	return result, errors.Join(append(st.errs, err, repo.SetRun(run.ID, "completed", conclusion), os.RemoveAll(dir))...)
}

// groups are the concurrency groups of a repository.
func (s *rehearsal) groups(repo *hub.Repo) *runner.Groups {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.concurrency == nil {
		s.concurrency = map[*hub.Repo]*runner.Groups{}
	}
	if s.concurrency[repo] == nil {
		s.concurrency[repo] = &runner.Groups{}
	}
	return s.concurrency[repo]
}

// asEvent is what happened, as the filters of workflows see it.
func (w *workflowRun) asEvent() (runner.Event, error) {
	e := runner.Event{Name: w.run.Event, Branch: w.base}
	if err := json.Unmarshal(w.event, &e.Payload); err != nil {
		return e, fmt.Errorf("read the event of run %d: %w", w.run.Number, err)
	}
	e.Type, _ = e.Payload["action"].(string)
	if e.Name == "push" {
		e.Branch, e.Paths = w.refName(), pushedPaths(w.event)
	}
	return e, nil
}

// pushedPaths are the files that the commits of a push change.
func pushedPaths(event json.RawMessage) (paths []string) {
	var push struct {
		Commits []struct{ Added, Modified, Removed []string }
	}
	if err := json.Unmarshal(event, &push); err != nil {
		return nil
	}
	for _, c := range push.Commits {
		paths = append(append(append(paths, c.Added...), c.Modified...), c.Removed...)
	}
	return paths
}

// github is the context github, but for what differs from job to job.
func (st *stage) github(w *runner.Workflow) map[string]any {
	run, repo := st.run.run, st.run.repo
	owner, _, _ := strings.Cut(repo.Slug(), "/")
	server := st.setup.hub.URL()
	return map[string]any{
		"repository": repo.Slug(), "repository_id": strconv.FormatInt(repo.ID(), 10), "repository_owner": owner, "sha": st.run.sha, "ref": st.run.ref, "ref_name": st.run.refName(), "ref_type": "branch",
		"head_ref": st.run.head, "base_ref": st.run.base, "run_id": strconv.FormatInt(run.ID, 10), "run_attempt": strconv.Itoa(run.Attempt), "run_number": strconv.Itoa(run.Number),
		"workflow": nameOf(w), "workflow_ref": repo.Slug() + "/" + run.Path + "@" + st.run.ref, "workflow_sha": st.run.sha, "actor": run.Actor, "actor_id": strconv.FormatInt(st.setup.hub.AccountID(run.Actor), 10),
		"triggering_actor": run.TriggeringActor, "server_url": server, "api_url": server, "graphql_url": server + "/graphql",
	}
}

// Settings has no secrets and variables of environments.
func (st *stage) Settings(environment string) runner.Settings {
	if environment != "" {
		return runner.Settings{}
	}
	return runner.Settings{Secrets: st.secrets, Variables: st.vars}
}

// Admit is the gate of an environment.
func (st *stage) Admit(ctx context.Context, j *runner.Job) (bool, error) {
	repo, id := st.run.repo, st.run.run.ID
	at, err := repo.EnterEnvironment(id, j.Path, j.Environment)
	if err != nil || at == hub.GateOpen {
		return err == nil, err
	}
	st.gate.Lock()
	defer st.gate.Unlock()
	if at, err = repo.EnterEnvironment(id, j.Path, j.Environment); err != nil {
		return false, err
	}
	switch at {
	case hub.GateOpen:
		return true, nil
	case hub.GateRejected:
		if st.rejected == "" {
			st.narrator.say(story.GitHub, story.Failed, "environment "+j.Environment, "does not admit this branch")
		}
		return false, nil
	}
	yes, why, err := st.review(ctx, j)
	if err != nil {
		return false, err
	}
	if err := repo.Review(id, j.Environment, approver, yes, why); err != nil {
		return false, err
	}
	if !yes {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.rejected = targetOf(j).Name()
		return false, nil
	}
	at, err = repo.AwaitEnvironment(ctx, id, j.Path, j.Environment)
	if err != nil {
		return false, fmt.Errorf("wait for the gate of %s: %w", j.Environment, err)
	}
	return at == hub.GateOpen, nil
}

// targetOf is the target that a job works on, by the inputs of its workflow.
func targetOf(j *runner.Job) pipeline.Target {
	env, _ := j.Inputs["environment"].(string)
	stack, _ := j.Inputs["stack"].(string)
	if env == "" {
		env = strings.TrimSuffix(j.Environment, "-"+string(pipeline.WorkApply))
	}
	return pipeline.Target{Environment: pipeline.Environment(env), Stack: pipeline.StackName(stack)}
}

// Open makes the token of a job.
func (st *stage) Open(_ context.Context, j *runner.Job) (runner.Grant, error) {
	permissions := map[string]string{}
	for scope, level := range j.Permissions {
		if scope != "id-token" {
			permissions[strings.ReplaceAll(scope, "-", "_")] = level
		}
	}
	made, err := st.setup.hub.AddToken(hub.Token{Kind: hub.Actions, Name: fmt.Sprintf("GITHUB_TOKEN of %s run %d, job %s", st.run.who, st.run.run.Number, j.Path), Repositories: []string{st.run.repo.Slug()}, Permissions: permissions})
	if err != nil {
		return runner.Grant{}, err
	}
	g, on := runner.Grant{Token: made.Secret}, &onStage{events: map[*runner.Step]*event{}, lines: map[*runner.Step][]runner.Shown{}}
	if j.Permissions["id-token"] == "write" {
		job := hub.IDTokenJob{Repo: st.run.repo, RunID: st.run.run.ID, Job: j.ID, Ref: st.run.ref, SHA: st.run.sha, HeadRef: st.run.head, BaseRef: st.run.base, Environment: j.Environment}
		if j.File != st.run.run.Path {
			job.JobWorkflowRef = st.run.repo.Slug() + "/" + j.File + "@" + st.run.ref
		}
		if g.IDTokenURL, g.IDTokenBearer, err = st.setup.hub.OpenJob(job); err != nil {
			return runner.Grant{}, err
		}
		on.bearer = g.IDTokenBearer
	}
	st.mu.Lock()
	st.tokens = append(st.tokens, &countedToken{Token: made, job: j.Path})
	st.jobs[j.Path] = on
	st.mu.Unlock()
	_, err = st.run.repo.SetJob(st.run.run.ID, j.Name, "in_progress", "")
	return g, err
}

// Close ends a job: its token is worth nothing any more, as on GitHub.
func (st *stage) Close(j *runner.Job) error {
	st.mu.Lock()
	on := st.jobs[j.Path]
	for _, t := range st.tokens {
		if t.job == j.Path {
			st.setup.hub.RevokeToken(t.Name)
		}
	}
	st.mu.Unlock()
	if on.bearer != "" {
		st.setup.hub.CloseJob(on.bearer)
	}
	if j.Problem != "" {
		st.narrator.say(st.run.who, story.Waiting, j.Name, j.Problem)
	}
	var kept error
	if j.Summary != "" {
		shown := shownSummary{targetOf(j).Name(), st.fileName(j) + ".md", j.Summary}
		kept = st.folder.write([]byte(j.Summary), string(st.run.who), "summaries", shown.file)
		st.mu.Lock()
		st.summaries = append(st.summaries, shown)
		st.mu.Unlock()
	}
	_, err := st.run.repo.SetJob(st.run.run.ID, j.Name, "completed", j.Result)
	return errors.Join(err, kept, st.run.repo.LeaveEnvironment(st.run.run.ID, j.Path, j.Result == runner.Success), os.RemoveAll(j.Dir))
}

// fileName names a job in the folder of results.
func (st *stage) fileName(j *runner.Job) string {
	return fmt.Sprintf("run-%d-%s", st.run.run.Number, safeName(strings.NewReplacer(" / ", "-", "/", "-", " ", "-").Replace(j.Name)))
}

// Checkout takes the repository of the run; there are no others here.
func (st *stage) Checkout(_ context.Context, _ *runner.Job, repository, ref, dir string) error {
	if !strings.EqualFold(repository, st.run.repo.Slug()) {
		return fmt.Errorf("the repository %s is not part of the rehearsal", repository)
	}
	return st.run.repo.Checkout(ref, dir)
}

// Begin shows a script. Actions are shown when they fail.
func (st *stage) Begin(s *runner.Step) func(runner.Shown) {
	if s.Uses != "" {
		return func(line runner.Shown) {
			st.mu.Lock()
			defer st.mu.Unlock()
			on := st.jobs[s.Job.Path]
			on.lines[s] = append(on.lines[s], line)
		}
	}
	return st.show(s).line
}

// show begins the event of a step.
func (st *stage) show(s *runner.Step) *event {
	command, line := workflow.CommandOf(s.Script)
	title, detail := s.Job.Name, shownLine(line, s)
	quiet := command == "" || command == "report"
	switch {
	case command == "":
		title, detail = title+" › "+s.Name, s.Uses
	case !strings.HasPrefix(s.Job.ID, command):
		title += " › " + command
	}
	var e *event
	if quiet {
		e = st.narrator.beginQuietly(st.run.who, title, detail)
	} else {
		e = st.narrator.begin(st.run.who, title, detail)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if command != "" && !st.printed {
		st.printed, e.anchor = true, story.RunAnchor(st.run.run.ID)
	}
	on := st.jobs[s.Job.Path]
	on.events[s] = e
	return e
}

var variable = regexp.MustCompile(`"?\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*|@))"?`)

// shownLine is a line of a script with the values of its variables, secrets hidden.
func shownLine(line string, s *runner.Step) string {
	line = variable.ReplaceAllStringFunc(strings.TrimSpace(line), func(hit string) string {
		name := strings.Trim(hit, `"${}`)
		if name == "@" {
			return ""
		}
		value := s.Env[name]
		if value == "" || strings.ContainsAny(value, " \t\n\"'") {
			return strconv.Quote(value)
		}
		return value
	})
	return s.Job.Masks.Hide(strings.TrimSpace(line))
}

// End writes down what came back from a step.
func (st *stage) End(s *runner.Step) {
	st.mu.Lock()
	on := st.jobs[s.Job.Path]
	e, lines := on.events[s], on.lines[s]
	st.mu.Unlock()
	if s.Uses != "" {
		if s.Problem == "" {
			return
		}
		e = st.show(s)
		for _, line := range lines {
			e.line(line)
		}
	}
	command, _ := workflow.CommandOf(s.Script)
	outputs, _ := s.Job.Masks.WithoutSecrets(s.Outputs)
	result := stepResult{command: command, exit: s.Exit, outputs: outputs, annotations: s.Annotations, summary: s.Summary, event: e, target: targetOf(s.Job).Name()}
	mark, answer := answerOf(result)
	switch {
	case s.Problem != "":
		mark, answer = story.Failed, s.Problem
	case command == "" && s.Exit == 0:
		mark, answer = story.Done, ""
	}
	e.end(mark, answer)
	e.showLog()
	if s.Summary != "" {
		e.show(story.Part{Kind: story.Summary, Title: "Job summary", Markdown: s.Summary})
	}
	st.mu.Lock()
	on.number++
	number := on.number
	if command != "" {
		st.results = append(st.results, result)
	}
	st.mu.Unlock()
	var errs []error
	if command != "" && command != "trigger" {
		errs = append(errs, st.tellNews(e))
	}
	st.countCalls(s, command)
	name := command
	if name == "" {
		name = "step"
	}
	errs = append(errs, st.folder.write([]byte(e.text.String()), string(st.run.who), "logs", fmt.Sprintf("%s-%02d-%s.log", st.fileName(s.Job), number, name)))
	st.mu.Lock()
	defer st.mu.Unlock()
	st.errs = append(st.errs, errs...)
}

// showLog puts the step's log below it, folded, if there is one.
func (e *event) showLog() {
	text := e.text.String()
	if text == "" {
		return
	}
	e.show(story.Part{Kind: story.Log, Title: "Log, " + count(strings.Count(text, "\n"), "line"), Text: "$ " + clean(e.detail) + "\n" + text})
}

// countCalls adds up what a step used its tokens for: that of its job, and those that it had under the name of a
// secret.
func (st *stage) countCalls(s *runner.Step, command string) {
	values := slices.Collect(maps.Values(s.Env))
	if command == "" {
		command = "step"
	}
	st.count(s.Job.Name+": "+command, func(t *countedToken) bool {
		return t.job == s.Job.Path || t.job == "" && slices.Contains(values, t.Secret)
	})
}

// countRest adds up what nobody has counted, so that no call is missing.
func (st *stage) countRest() { st.count("other", func(*countedToken) bool { return true }) }

func (st *stage) count(who string, of func(*countedToken) bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	c := stepCalls{Step: fmt.Sprintf("%s run %d, %s", st.run.who, st.run.run.Number, who), Calls: []hub.Call{}}
	all := st.setup.hub.Calls()
	for _, t := range st.tokens {
		if !of(t) {
			continue
		}
		used := 0
		for _, call := range all {
			if call.Token != t.Name {
				continue
			}
			if used++; used <= t.seen {
				continue
			}
			c.Calls = append(c.Calls, call)
			if call.Write() {
				c.Writes++
			} else {
				c.Reads++
			}
		}
		t.seen = max(t.seen, used)
	}
	if who == "other" && len(c.Calls) == 0 {
		return
	}
	st.rehearsal.mu.Lock()
	defer st.rehearsal.mu.Unlock()
	st.calls = append(st.calls, c)
}
