package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hubrun"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// workflowRun is one run of one side's workflow.
type workflowRun struct {
	who story.Who
	*hubrun.Run
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
	// secretsIn is the environment that has the secrets; empty: the repository has them.
	secretsIn string
	vars      map[string]string

	gate sync.Mutex // one question at a time

	mu        sync.Mutex
	tokens    []*countedToken     // of the run and of its jobs
	jobs      map[string]*onStage // by path
	results   []stepResult        // of the commands of metapipe, in the order of their ends
	printed   bool                // one of its steps was printed
	summaries []shownSummary      // of the jobs that have ended
	rejected  string              // target that a reviewer said no to
	ungated   string              // a job that applied at another gate than that of its target
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
	number int // of the last step that was shown
	events map[*runner.Step]*event
	lines  map[*runner.Step][]runner.Shown // of actions
	failed string                          // the first step of somebody's own that has failed
}

// newStage makes the tokens of a run.
func (s *rehearsal) newStage(run *workflowRun, approve Approve, tokens ...token) (*stage, error) {
	st := &stage{rehearsal: s, run: run, approve: approve, masks: runner.NewMasks(s.masks), secrets: map[string]string{}, vars: map[string]string{}, jobs: map[string]*onStage{}}
	for _, t := range tokens {
		t.Name = fmt.Sprintf("%s of %s run %d", t.secret, run.who, run.Record.Number)
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
func (st *stage) play(ctx context.Context, file string, environ []string) error {
	repo, run := st.run.Repo, st.run.Record
	if err := repo.SetRun(run.ID, "in_progress", ""); err != nil {
		return err
	}
	files, err := st.setup.files(repo, st.run.SHA)
	if err != nil {
		return err
	}
	w, err := runner.Load(files, file)
	if err != nil {
		return err
	}
	st.setup.leftOut(repo, w)
	event, err := st.run.Event(nil)
	if err != nil {
		return err
	}
	if !w.Listens(event) {
		return fmt.Errorf("%s of %s does not start on this %s: look at its `on`", file, repo.Slug(), event.Name)
	}
	dir := filepath.Join(st.setup.work, fmt.Sprintf("%s-%d", st.run.who, run.Number))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of a run: %w", err)
	}
	r := &runner.Run{Workflow: w, Repository: files, Event: event, GitHub: st.run.GitHub(w), Environ: environ, Dir: dir, Host: st, Masks: st.masks, Actions: st.setup.actions(), Groups: st.groups(repo)}
	result, err := r.Play(ctx)
	for _, t := range st.tokens {
		st.setup.hub.RevokeToken(t.Name)
	}
	st.countRest()
	conclusion := result.Conclusion
	if err != nil || conclusion == "" {
		conclusion = runner.Failure
	}
	return errors.Join(append(st.errs, err, repo.SetRun(run.ID, "completed", conclusion), os.RemoveAll(dir))...)
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

// Settings has no variables of environments.
func (st *stage) Settings(environment string) (s runner.Settings) {
	if environment == "" {
		s.Variables = st.vars
	}
	if environment == st.secretsIn {
		s.Secrets = st.secrets
	}
	return s
}

// Admit is the gate of an environment.
func (st *stage) Admit(ctx context.Context, j *runner.Job) (bool, error) {
	repo, id := st.run.Repo, st.run.Record.ID
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
	g, token, err := st.run.Open(j)
	if err != nil {
		return g, err
	}
	st.mu.Lock()
	st.tokens = append(st.tokens, &countedToken{Token: token, job: j.Path})
	st.jobs[j.Path] = &onStage{events: map[*runner.Step]*event{}, lines: map[*runner.Step][]runner.Shown{}}
	st.mu.Unlock()
	_, err = st.run.Repo.SetJob(st.run.Record.ID, j.Name, "in_progress", "")
	return g, err
}

// Close ends a job, and keeps its summary.
func (st *stage) Close(j *runner.Job) error {
	closed := st.run.Close(j)
	if j.Problem != "" {
		st.narrator.say(st.run.who, story.Waiting, j.Name, j.Problem)
	}
	st.mu.Lock()
	if on := st.jobs[j.Path]; on != nil && on.failed != "" && j.Result == runner.Failure {
		st.rehearsal.failedStep(on.failed)
	}
	st.mu.Unlock()
	var kept error
	if j.Summary != "" {
		shown := shownSummary{targetOf(j).Name(), st.fileName(j) + ".md", j.Summary}
		kept = st.folder.write([]byte(j.Summary), string(st.run.who), "summaries", shown.file)
		st.mu.Lock()
		st.summaries = append(st.summaries, shown)
		st.mu.Unlock()
	}
	_, err := st.run.Repo.SetJob(st.run.Record.ID, j.Name, "completed", j.Result)
	return errors.Join(closed, err, kept, os.RemoveAll(j.Dir))
}

// fileName names a job in the folder of results.
func (st *stage) fileName(j *runner.Job) string {
	return fmt.Sprintf("run-%d-%s", st.run.Record.Number, safeName(strings.NewReplacer(" / ", "-", "/", "-", " ", "-").Replace(j.Name)))
}

// Checkout takes the repository of the run.
func (st *stage) Checkout(_ context.Context, _ *runner.Job, repository, ref, dir string) error {
	return st.run.Checkout(repository, ref, dir)
}
