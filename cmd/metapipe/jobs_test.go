package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// Job is one job of a run, with a checkout of its own.
type Job struct {
	W       *Setup
	Run     WorkflowRun
	Dir     string
	Environ []string
	Binary  string // metapipe, or metapipe-later
	steps   int
}

// NewJob checks the run's commit out and gives the job the tokens of its side.
func (w *Setup) NewJob(run WorkflowRun) *Job {
	w.T.Helper()
	w.Mu.Lock()
	w.Jobs++
	name := fmt.Sprintf("job-%d", w.Jobs)
	w.Mu.Unlock()
	j := &Job{W: w, Run: run, Dir: filepath.Join(w.T.TempDir(), name), Binary: "metapipe"}
	for _, dir := range []string{"workspace", "temp", "home"} {
		Check(w.T, os.MkdirAll(filepath.Join(j.Dir, dir), 0o700))
	}
	Check(w.T, run.Repo.Checkout(run.SHA, j.Workspace()))
	Check(w.T, os.WriteFile(filepath.Join(j.Dir, "event.json"), run.Event, 0o600))
	cache := Must(os.UserCacheDir())(w.T)
	values := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": filepath.Join(j.Dir, "home"), "XDG_CACHE_HOME": cache, "GORACE": "atexit_sleep_ms=0",
		"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": run.Run.Event, "GITHUB_EVENT_PATH": filepath.Join(j.Dir, "event.json"),
		"GITHUB_REPOSITORY": run.Repo.Slug(), "GITHUB_REPOSITORY_ID": strconv.FormatInt(run.Repo.ID(), 10),
		"GITHUB_SHA": run.SHA, "GITHUB_REF": run.Ref, "GITHUB_HEAD_REF": run.Head, "GITHUB_BASE_REF": run.Base,
		"GITHUB_RUN_ID": strconv.FormatInt(run.Run.ID, 10), "GITHUB_RUN_ATTEMPT": strconv.Itoa(run.Run.Attempt),
		"GITHUB_JOB": name, "GITHUB_ACTOR": run.Run.Actor, "GITHUB_ACTOR_ID": fmt.Sprint(w.Hub.AccountID(run.Run.Actor)), "GITHUB_TRIGGERING_ACTOR": run.Run.TriggeringActor, "GITHUB_SERVER_URL": w.Hub.URL(), "GITHUB_API_URL": w.Hub.URL(),
		"GITHUB_WORKFLOW_REF": run.Repo.Slug() + "/" + run.Run.Path + "@" + run.Ref,
		"GITHUB_WORKSPACE":    j.Workspace(), "RUNNER_TEMP": filepath.Join(j.Dir, "temp"), "RUNNER_ENVIRONMENT": "self-hosted",
	}
	own := []string{run.Repo.Slug()}
	if run.Repo == w.Manager {
		values["METAPIPE_KEY"], values["METAPIPE_STORE"] = w.Key, w.Store
		values["GITHUB_TOKEN"] = w.Token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: Permissions("contents", "actions")})
		sees := w.Sees
		if sees == nil {
			sees = []string{CustomerSlug}
		}
		values["SOURCE_REPOS_PAT"] = w.Token(hub.Token{Name: name + " source", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: sees,
			Permissions: Permissions("contents actions", "statuses pull_requests issues deployments")})
	} else {
		owner, repository, _ := strings.Cut(ManagerSlug, "/")
		values["MANAGER_REPO_OWNER"], values["MANAGER_REPO_NAME"] = owner, repository
		values["GITHUB_TOKEN"] = w.Token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: Permissions("contents deployments pull_requests", "statuses")})
		values["MANAGER_REPO_PAT"] = w.Token(hub.Token{Name: name + " manager", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{ManagerSlug}, Permissions: Permissions("", "contents")})
	}
	if run.PermitsIDToken {
		url, bearer, err := w.Hub.OpenJob(hub.IDTokenJob{Repo: run.Repo, RunID: run.Run.ID, Job: name, Ref: run.Ref, SHA: run.SHA, HeadRef: run.Head, BaseRef: run.Base})
		Check(w.T, err)
		values["ACTIONS_ID_TOKEN_REQUEST_URL"], values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = url, bearer
	}
	for name, value := range values {
		j.Environ = append(j.Environ, name+"="+value)
	}
	return j.With(w.Environ...)
}

func (j *Job) Workspace() string { return filepath.Join(j.Dir, "workspace") }

func (w *Setup) Token(t hub.Token) string {
	w.T.Helper()
	return Must(w.Hub.AddToken(t))(w.T).Secret
}

func Permissions(read, write string) map[string]string {
	out := map[string]string{}
	for _, name := range strings.Fields(read) {
		out[name] = "read"
	}
	for _, name := range strings.Fields(write) {
		out[name] = "write"
	}
	return out
}

// With sets further variables for the steps to come: NAME=value.
func (j *Job) With(pairs ...string) *Job {
	j.Environ = append(j.Environ, pairs...)
	return j
}

// Running is a step whose process has been started.
type Running struct {
	J       *Job
	Command string
	Cmd     *exec.Cmd
	Log     *bytes.Buffer
	dir     string
	Done    chan error
}

// Result is what a step left behind.
type Result struct {
	Exit         int // -1: killed
	Log, Summary string
	Outputs      map[string]string
}

func (j *Job) Start(args ...string) *Running {
	t := j.W.T
	t.Helper()
	j.steps++
	r := &Running{J: j, Command: args[0], dir: filepath.Join(j.Dir, fmt.Sprintf("step-%d", j.steps)), Log: &bytes.Buffer{}, Done: make(chan error, 1)}
	Check(t, os.Mkdir(r.dir, 0o700))
	r.Cmd = exec.Command(Must(exec.LookPath(j.Binary))(t), args...)
	r.Cmd.Dir, r.Cmd.Stdout, r.Cmd.Stderr = j.Workspace(), r.Log, r.Log
	r.Cmd.Env = append(append([]string{}, j.Environ...), "GITHUB_OUTPUT="+filepath.Join(r.dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(r.dir, "summary"))
	Check(t, r.Cmd.Start())
	go func() { r.Done <- r.Cmd.Wait() }()
	return r
}

// Wait waits for the end of the process, two minutes at most.
func (r *Running) Wait() Result {
	t := r.J.W.T
	t.Helper()
	var err error
	select {
	case err = <-r.Done:
	case <-time.After(2 * time.Minute):
		Check(t, r.Cmd.Process.Kill())
		t.Fatalf("%s does not end (%v):\n%s", r.Command, <-r.Done, r.Log)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", r.Command, err)
	}
	out := Result{Exit: r.Cmd.ProcessState.ExitCode(), Log: r.Log.String(), Outputs: map[string]string{}}
	if strings.Contains(out.Log, "DATA RACE") || strings.Contains(out.Log, "panic:") {
		t.Errorf("%s: %s", r.Command, out.Log)
	}
	out.Summary = ReadOptional(t, filepath.Join(r.dir, "summary"))
	out.Outputs = ParseOutputs(t, ReadOptional(t, filepath.Join(r.dir, "output")))
	r.J.W.Mu.Lock()
	defer r.J.W.Mu.Unlock()
	r.J.W.Seen = append(r.J.W.Seen, out.Log, out.Summary)
	return out
}

// Do runs a step to its end and compares its exit code.
func (j *Job) Do(exit int, args ...string) Result {
	j.W.T.Helper()
	r := j.Start(args...).Wait()
	if r.Exit != exit {
		j.W.T.Fatalf("%s ended with exit code %d, want %d:\n%s", strings.Join(args, " "), r.Exit, exit, r.Log)
	}
	return r
}

// Want compares outputs of a step: name=value.
func (r Result) Want(t testing.TB, pairs ...string) {
	t.Helper()
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if got, set := r.Outputs[name]; got != value || !set {
			t.Errorf("output %s is %q (set: %v), want %q\n%s", name, got, set, value, r.Log)
		}
	}
}

// Says checks that a text stands in the log.
func (r Result) Says(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.Log, text) {
			t.Errorf("the log does not say %q:\n%s", text, r.Log)
		}
	}
}

func ReadOptional(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// ParseOutputs reads what the runner would read: name=value, or a heredoc.
func ParseOutputs(t testing.TB, text string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		name, delimiter, heredoc := strings.Cut(line, "<<")
		if !heredoc {
			name, value, ok := strings.Cut(line, "=")
			if !ok {
				t.Fatalf("bad line in the outputs: %q", line)
			}
			out[name] = value
			continue
		}
		value, rest, ok := strings.Cut("\n"+text, "\n"+delimiter+"\n")
		if !ok {
			t.Fatalf("output %s has no end", name)
		}
		out[name], text = strings.TrimPrefix(value, "\n"), rest
	}
	return out
}
