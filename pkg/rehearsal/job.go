package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
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
	told                 bool // one of its steps was told of
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

// job is one job of a run: a fresh checkout in a directory of its own.
type job struct {
	*stage
	run       *workflowRun
	name      string
	dir       string // everything below is the job's
	workspace string // the checkout
	secrets   map[string]string
	idToken   [2]string // URL and bearer to ask for ID tokens; empty without
	masks     *masks
	tokens    []string // names of its tokens in the call log
	seen      int      // calls of these tokens that were counted
	count     int      // steps so far
	outputs   map[string]string
	summary   strings.Builder
	failed    bool
}

// token is a credential that a job gets under the name of a secret.
type token struct {
	secret string // name of the environment variable
	hub.Token
}

// newJob checks the repository out and makes the job's tokens.
func (s *stage) newJob(run *workflowRun, name string, tokens ...token) (*job, error) {
	j := &job{stage: s, run: run, name: name, secrets: map[string]string{}, masks: &masks{parent: s.masks}, outputs: map[string]string{}}
	j.dir = filepath.Join(s.scene.work, safeName(fmt.Sprintf("%s-%d-%s", run.who, run.run.Number, name)))
	j.workspace = filepath.Join(j.dir, "workspace")
	for _, dir := range []string{j.workspace, filepath.Join(j.dir, "temp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the directory of job %s: %w", name, err)
		}
	}
	if err := run.repo.Checkout(run.sha, j.workspace); err != nil {
		return nil, err
	}
	if err := os.WriteFile(j.eventFile(), run.event, 0o600); err != nil {
		return nil, fmt.Errorf("write the event file of job %s: %w", name, err)
	}
	for _, t := range tokens {
		t.Name = fmt.Sprintf("%s of %s run %d, job %s", t.secret, run.who, run.run.Number, name)
		made, err := s.scene.hub.AddToken(t.Token)
		if err != nil {
			return nil, err
		}
		j.secrets[t.secret] = made.Secret
		j.masks.add(made.Secret)
		j.tokens = append(j.tokens, made.Name)
	}
	_, err := run.repo.SetJob(run.run.ID, name, "in_progress", "")
	return j, err
}

func (j *job) eventFile() string { return filepath.Join(j.dir, "event.json") }

// close ends the job: its tokens are worth nothing any more, as on GitHub, and
// its directory is gone.
func (j *job) close(cancelled bool) error {
	conclusion := "success"
	switch {
	case cancelled:
		conclusion = "cancelled"
	case j.failed:
		conclusion = "failure"
	}
	for _, name := range j.tokens {
		j.scene.hub.RevokeToken(name)
	}
	if j.idToken[1] != "" {
		j.scene.hub.CloseJob(j.idToken[1])
	}
	_, err := j.run.repo.SetJob(j.run.run.ID, j.name, "completed", conclusion)
	var kept error
	if j.summary.Len() > 0 {
		kept = j.folder.write([]byte(j.summary.String()), string(j.run.who), "summaries", j.fileName()+".md")
	}
	return errors.Join(err, kept, os.RemoveAll(j.dir))
}

// fileName names the job in the folder of results.
func (j *job) fileName() string { return fmt.Sprintf("run-%d-%s", j.run.run.Number, j.name) }

// environ is what the runner gives to a step (GitHub's page "Variables").
func (j *job) environ(stepDir string, extra map[string]string) []string {
	run, repo := j.run.run, j.run.repo
	owner, _, _ := strings.Cut(repo.Slug(), "/")
	server := j.scene.hub.URL()
	values := map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": run.Event, "GITHUB_EVENT_PATH": j.eventFile(),
		"GITHUB_REPOSITORY": repo.Slug(), "GITHUB_REPOSITORY_ID": strconv.FormatInt(repo.ID(), 10), "GITHUB_REPOSITORY_OWNER": owner,
		"GITHUB_SHA": j.run.sha, "GITHUB_REF": j.run.ref, "GITHUB_REF_NAME": j.run.refName(), "GITHUB_REF_TYPE": "branch",
		"GITHUB_HEAD_REF": j.run.head, "GITHUB_BASE_REF": j.run.base,
		"GITHUB_RUN_ID": strconv.FormatInt(run.ID, 10), "GITHUB_RUN_ATTEMPT": strconv.Itoa(run.Attempt), "GITHUB_RUN_NUMBER": strconv.Itoa(run.Number),
		"GITHUB_WORKFLOW": run.Name, "GITHUB_WORKFLOW_REF": repo.Slug() + "/" + run.Path + "@" + j.run.ref, "GITHUB_WORKFLOW_SHA": j.run.sha,
		"GITHUB_JOB": j.name, "GITHUB_ACTOR": run.Actor, "GITHUB_TRIGGERING_ACTOR": run.Actor,
		"GITHUB_SERVER_URL": server, "GITHUB_API_URL": server, "GITHUB_WORKSPACE": j.workspace,
		"RUNNER_TEMP": filepath.Join(j.dir, "temp"), "RUNNER_OS": runnerOS(), "RUNNER_ARCH": runnerArch(),
		"RUNNER_ENVIRONMENT": "self-hosted", "RUNNER_NAME": "rehearsal", "RUNNER_TOOL_CACHE": filepath.Join(j.dir, "tools"),
	}
	for _, name := range []string{"OUTPUT", "ENV", "PATH", "STEP_SUMMARY"} {
		values["GITHUB_"+name] = filepath.Join(stepDir, strings.ToLower(name))
	}
	if j.idToken[0] != "" {
		values["ACTIONS_ID_TOKEN_REQUEST_URL"], values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = j.idToken[0], j.idToken[1]
	}
	for name, value := range extra {
		values[name] = value
	}
	var also []string
	if j.run.who == story.Manager {
		also = j.scene.who.Manager.Tool.Env
	}
	out := inherited(j.opts.Environ, also)
	for name, value := range values {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}

// stepResult is what a step left behind.
type stepResult struct {
	verb        string
	exit        int
	outputs     map[string]string
	annotations []annotation
	summary     string // masked
	event       *event
}

// step is a verb with the secrets that the workflow gives it.
type step struct {
	args    []string
	secrets []string
	extra   map[string]string // further variables
}

// do runs one step. The error is ours: a step that fails is a result.
func (j *job) do(ctx context.Context, s step) (stepResult, error) {
	j.count++
	result := stepResult{verb: s.args[0]}
	dir := filepath.Join(j.dir, "step-"+strconv.Itoa(j.count))
	if err := j.prepare(dir); err != nil {
		return result, err
	}
	extra := map[string]string{}
	for name, value := range s.extra {
		extra[name] = value
	}
	for _, name := range s.secrets {
		extra[name] = j.secrets[name]
	}
	reader := &interpreter{masks: j.masks}
	command := "metapipe " + strings.Join(s.args, " ")
	result.event = j.begin(result.verb, command)
	e := result.event
	if !j.run.told {
		j.run.told, e.anchor = true, story.RunAnchor(j.run.run.ID)
	}
	p := process{binary: j.opts.Binary, args: s.args, dir: j.workspace, env: j.environ(dir, extra), line: func(l string) { e.line(reader.read(l)) }}
	var err error
	if result.exit, err = p.run(ctx); err != nil {
		e.end(story.Failed, err.Error())
		e.showLog()
		return result, err
	}
	result.annotations = reader.annotations
	if err := j.collect(dir, &result); err != nil {
		e.end(story.Failed, err.Error())
		e.showLog()
		return result, fmt.Errorf("read what %s of job %s left behind: %w", result.verb, j.name, err)
	}
	j.failed = j.failed || result.exit != 0
	mark, answer := answerOf(result)
	e.end(mark, answer)
	e.showLog()
	if result.summary != "" {
		e.show(story.Part{Kind: story.Summary, Title: "Job summary", Markdown: result.summary})
	}
	name := fmt.Sprintf("%s-%02d-%s.log", j.fileName(), j.count, result.verb)
	j.countCalls(result.verb)
	return result, j.folder.write([]byte(e.text.String()), string(j.run.who), "logs", name)
}

// begin tells of a step under the name of its job, and of its verb where the
// name does not say it.
func (j *job) begin(verb, command string) *event {
	title := j.name
	if !strings.HasPrefix(title, verb) {
		title += " › " + verb
	}
	if verb == "report" {
		return j.tell.beginQuietly(j.run.who, title, command)
	}
	return j.tell.begin(j.run.who, title, command)
}

// prepare makes the files that the runner offers to a step.
func (j *job) prepare(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of a step of job %s: %w", j.name, err)
	}
	for _, name := range []string{"output", "env", "path", "step_summary"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			return fmt.Errorf("make the files of a step of job %s: %w", j.name, err)
		}
	}
	return nil
}

// maxSummary is the size of the largest summary of a step that GitHub keeps.
const maxSummary = 1 << 20

// collect reads outputs and summary. Outputs that hold a secret do not pass from
// job to job on GitHub, so they do not here.
func (j *job) collect(dir string, result *stepResult) error {
	outputs, err := readOutputs(filepath.Join(dir, "output"))
	if err != nil {
		return fmt.Errorf("outputs: %w", err)
	}
	kept, dropped := j.masks.withoutSecrets(outputs)
	for _, name := range dropped {
		result.event.line(shown{lineAnnotation, "warning: Skip output '" + name + "' since it may contain secret."})
	}
	result.outputs = kept
	for name, value := range kept {
		j.outputs[name] = value
	}
	summary, err := os.ReadFile(filepath.Join(dir, "step_summary"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("summary: %w", err)
	}
	if len(summary) > maxSummary {
		return fmt.Errorf("the summary has %d bytes, and GitHub keeps at most %d", len(summary), maxSummary)
	}
	if len(summary) > 0 {
		text := j.masks.hide(string(summary))
		j.summary.WriteString(text)
		result.summary = text
	}
	return nil
}

// showLog puts the step's log below it, folded, if there is one.
func (e *event) showLog() {
	text := e.text.String()
	if text == "" {
		return
	}
	e.show(story.Part{Kind: story.Log, Title: "Log, " + count(strings.Count(text, "\n"), "line"), Text: "$ " + clean(e.detail) + "\n" + text})
}
