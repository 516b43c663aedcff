package rehearsal

import (
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
	printed              bool // one of its steps was printed
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
	*rehearsal
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
func (s *rehearsal) newJob(run *workflowRun, name string, tokens ...token) (*job, error) {
	j := &job{rehearsal: s, run: run, name: name, secrets: map[string]string{}, masks: &masks{parent: s.masks}, outputs: map[string]string{}}
	j.dir = filepath.Join(s.setup.work, safeName(fmt.Sprintf("%s-%d-%s", run.who, run.run.Number, name)))
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
		made, err := s.setup.hub.AddToken(t.Token)
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
		j.setup.hub.RevokeToken(name)
	}
	if j.idToken[1] != "" {
		j.setup.hub.CloseJob(j.idToken[1])
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
	server := j.setup.hub.URL()
	values := map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": run.Event, "GITHUB_EVENT_PATH": j.eventFile(),
		"GITHUB_REPOSITORY": repo.Slug(), "GITHUB_REPOSITORY_ID": strconv.FormatInt(repo.ID(), 10), "GITHUB_REPOSITORY_OWNER": owner,
		"GITHUB_SHA": j.run.sha, "GITHUB_REF": j.run.ref, "GITHUB_REF_NAME": j.run.refName(), "GITHUB_REF_TYPE": "branch",
		"GITHUB_HEAD_REF": j.run.head, "GITHUB_BASE_REF": j.run.base,
		"GITHUB_RUN_ID": strconv.FormatInt(run.ID, 10), "GITHUB_RUN_ATTEMPT": strconv.Itoa(run.Attempt), "GITHUB_RUN_NUMBER": strconv.Itoa(run.Number),
		"GITHUB_WORKFLOW": run.Name, "GITHUB_WORKFLOW_REF": repo.Slug() + "/" + run.Path + "@" + j.run.ref, "GITHUB_WORKFLOW_SHA": j.run.sha,
		"GITHUB_JOB": j.name, "GITHUB_ACTOR": run.Actor, "GITHUB_ACTOR_ID": strconv.FormatInt(j.setup.hub.AccountID(run.Actor), 10), "GITHUB_TRIGGERING_ACTOR": run.TriggeringActor,
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
		also = j.setup.who.Manager.Tool.Env
	}
	out := inherited(j.opts.Environ, also)
	for name, value := range values {
		out = append(out, name+"="+value)
	}
	slices.Sort(out)
	return out
}
