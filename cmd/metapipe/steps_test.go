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

// job is one job of a run, with a checkout of its own.
type job struct {
	w       *world
	run     workflowRun
	dir     string
	environ []string
	binary  string // metapipe, or metapipe-later
	steps   int
}

// newJob checks the run's commit out and gives the job the tokens of its side.
func (w *world) newJob(run workflowRun) *job {
	w.t.Helper()
	w.mu.Lock()
	w.jobs++
	name := fmt.Sprintf("job-%d", w.jobs)
	w.mu.Unlock()
	j := &job{w: w, run: run, dir: filepath.Join(w.t.TempDir(), name), binary: "metapipe"}
	for _, dir := range []string{"workspace", "temp", "home"} {
		check(w.t, os.MkdirAll(filepath.Join(j.dir, dir), 0o700))
	}
	check(w.t, run.repo.Checkout(run.sha, j.workspace()))
	check(w.t, os.WriteFile(filepath.Join(j.dir, "event.json"), run.event, 0o600))
	cache := must(os.UserCacheDir())(w.t)
	values := map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": filepath.Join(j.dir, "home"), "XDG_CACHE_HOME": cache, "GORACE": "atexit_sleep_ms=0",
		"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": run.run.Event, "GITHUB_EVENT_PATH": filepath.Join(j.dir, "event.json"),
		"GITHUB_REPOSITORY": run.repo.Slug(), "GITHUB_REPOSITORY_ID": strconv.FormatInt(run.repo.ID(), 10),
		"GITHUB_SHA": run.sha, "GITHUB_REF": run.ref, "GITHUB_HEAD_REF": run.head, "GITHUB_BASE_REF": run.base,
		"GITHUB_RUN_ID": strconv.FormatInt(run.run.ID, 10), "GITHUB_RUN_ATTEMPT": strconv.Itoa(run.run.Attempt),
		"GITHUB_JOB": name, "GITHUB_ACTOR": run.run.Actor, "GITHUB_ACTOR_ID": fmt.Sprint(w.hub.AccountID(run.run.Actor)), "GITHUB_TRIGGERING_ACTOR": run.run.TriggeringActor, "GITHUB_SERVER_URL": w.hub.URL(), "GITHUB_API_URL": w.hub.URL(),
		"GITHUB_WORKFLOW_REF": run.repo.Slug() + "/" + run.run.Path + "@" + run.ref,
		"GITHUB_WORKSPACE":    j.workspace(), "RUNNER_TEMP": filepath.Join(j.dir, "temp"), "RUNNER_ENVIRONMENT": "self-hosted",
	}
	own := []string{run.repo.Slug()}
	if run.repo == w.manager {
		values["METAPIPE_KEY"], values["METAPIPE_STORE"] = w.key, w.store
		values["GITHUB_TOKEN"] = w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: permissions("contents", "actions")})
		sees := w.sees
		if sees == nil {
			sees = []string{customerSlug}
		}
		values["SOURCE_REPOS_PAT"] = w.token(hub.Token{Name: name + " source", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: sees,
			Permissions: permissions("contents actions", "statuses pull_requests issues deployments")})
	} else {
		owner, repository, _ := strings.Cut(managerSlug, "/")
		values["MANAGER_REPO_OWNER"], values["MANAGER_REPO_NAME"] = owner, repository
		values["GITHUB_TOKEN"] = w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: permissions("contents deployments pull_requests", "statuses")})
		values["MANAGER_REPO_PAT"] = w.token(hub.Token{Name: name + " manager", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{managerSlug}, Permissions: permissions("", "contents")})
	}
	if run.permitsIDToken {
		url, bearer, err := w.hub.OpenJob(hub.IDTokenJob{Repo: run.repo, RunID: run.run.ID, Job: name, Ref: run.ref, SHA: run.sha, HeadRef: run.head, BaseRef: run.base})
		check(w.t, err)
		values["ACTIONS_ID_TOKEN_REQUEST_URL"], values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = url, bearer
	}
	for name, value := range values {
		j.environ = append(j.environ, name+"="+value)
	}
	return j.with(w.environ...)
}

func (j *job) workspace() string { return filepath.Join(j.dir, "workspace") }

func (w *world) token(t hub.Token) string {
	w.t.Helper()
	return must(w.hub.AddToken(t))(w.t).Secret
}

func permissions(read, write string) map[string]string {
	out := map[string]string{}
	for _, name := range strings.Fields(read) {
		out[name] = "read"
	}
	for _, name := range strings.Fields(write) {
		out[name] = "write"
	}
	return out
}

// with sets further variables for the steps to come: NAME=value.
func (j *job) with(pairs ...string) *job {
	j.environ = append(j.environ, pairs...)
	return j
}

// running is a step whose process has been started.
type running struct {
	j       *job
	command string
	cmd     *exec.Cmd
	log     *bytes.Buffer
	dir     string
	done    chan error
}

// result is what a step left behind.
type result struct {
	exit         int // -1: killed
	log, summary string
	outputs      map[string]string
}

func (j *job) start(args ...string) *running {
	t := j.w.t
	t.Helper()
	j.steps++
	r := &running{j: j, command: args[0], dir: filepath.Join(j.dir, fmt.Sprintf("step-%d", j.steps)), log: &bytes.Buffer{}, done: make(chan error, 1)}
	check(t, os.Mkdir(r.dir, 0o700))
	r.cmd = exec.Command(must(exec.LookPath(j.binary))(t), args...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = j.workspace(), r.log, r.log
	r.cmd.Env = append(append([]string{}, j.environ...), "GITHUB_OUTPUT="+filepath.Join(r.dir, "output"), "GITHUB_STEP_SUMMARY="+filepath.Join(r.dir, "summary"))
	check(t, r.cmd.Start())
	go func() { r.done <- r.cmd.Wait() }()
	return r
}

// wait waits for the end of the process, two minutes at most.
func (r *running) wait() result {
	t := r.j.w.t
	t.Helper()
	var err error
	select {
	case err = <-r.done:
	case <-time.After(2 * time.Minute):
		check(t, r.cmd.Process.Kill())
		t.Fatalf("%s does not end (%v):\n%s", r.command, <-r.done, r.log)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", r.command, err)
	}
	out := result{exit: r.cmd.ProcessState.ExitCode(), log: r.log.String(), outputs: map[string]string{}}
	if strings.Contains(out.log, "DATA RACE") || strings.Contains(out.log, "panic:") {
		t.Errorf("%s: %s", r.command, out.log)
	}
	out.summary = readOptional(t, filepath.Join(r.dir, "summary"))
	out.outputs = parseOutputs(t, readOptional(t, filepath.Join(r.dir, "output")))
	r.j.w.mu.Lock()
	defer r.j.w.mu.Unlock()
	r.j.w.seen = append(r.j.w.seen, out.log, out.summary)
	return out
}

// do runs a step to its end and compares its exit code.
func (j *job) do(exit int, args ...string) result {
	j.w.t.Helper()
	r := j.start(args...).wait()
	if r.exit != exit {
		j.w.t.Fatalf("%s ended with exit code %d, want %d:\n%s", strings.Join(args, " "), r.exit, exit, r.log)
	}
	return r
}

// want compares outputs of a step: name=value.
func (r result) want(t testing.TB, pairs ...string) {
	t.Helper()
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		if got, set := r.outputs[name]; got != value || !set {
			t.Errorf("output %s is %q (set: %v), want %q\n%s", name, got, set, value, r.log)
		}
	}
}

// says checks that a text stands in the log.
func (r result) says(t testing.TB, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.log, text) {
			t.Errorf("the log does not say %q:\n%s", text, r.log)
		}
	}
}

func readOptional(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// parseOutputs reads what the runner would read: name=value, or a heredoc.
func parseOutputs(t testing.TB, text string) map[string]string {
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
