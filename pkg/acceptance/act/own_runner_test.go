package act

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
)

// inRunner starts a workflow for a run of the hub in the runner of the rehearsal. Jobs have tokens of
// their own, with the permissions that the file gives them.
func (w *actSetup) inRunner(run fixture.WorkflowRun, jobs actJobs) *actRun {
	t := w.T
	t.Helper()
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("runner-%d", w.NextJob()))
	workspace := filepath.Join(dir, "repository")
	bin := filepath.Join(dir, "bin")
	for _, d := range []string{workspace, jobs.record, bin, filepath.Join(dir, "jobs"), filepath.Join(dir, "home")} {
		fixture.Check(t, os.MkdirAll(d, 0o700))
	}
	fixture.Check(t, run.Repo.Checkout(run.SHA, workspace))
	tools := placeJQ(t, dir)
	recording := fmt.Sprintf(recorder, actionVersion(t), fixture.Must(exec.LookPath("metapipe"))(t))
	fixture.Check(t, os.WriteFile(filepath.Join(bin, "metapipe"), []byte(recording), 0o700))
	if w.tool != "" {
		fixture.Check(t, os.WriteFile(filepath.Join(tools, "terraform"), []byte(w.tool), 0o700))
	}
	files := os.DirFS(workspace)
	loaded := fixture.Must(runner.Load(files, ".github/workflows/"+jobs.workflow))(t)
	r := &actRun{w: w, log: &bytes.Buffer{}, ended: make(chan struct{}), record: jobs.record}
	host := &ownHost{w: w, run: run, settings: jobs.settings, keeper: w.gatekeeper(run, jobs.record), log: r.log, bearers: map[string]string{}}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	play := &runner.Run{Workflow: loaded, Repository: files, Event: host.event(jobs.inputs), GitHub: host.github(), Dir: filepath.Join(dir, "jobs"), Host: host, Masks: runner.NewMasks(nil), Actions: map[string]runner.Action{"metapipe/metapipe": prepares(bin)}}
	environ := w.runner(run)
	for name := range maps.Clone(environ) {
		if strings.HasPrefix(name, "GITHUB_") || strings.HasPrefix(name, "ACTIONS_") {
			delete(environ, name)
		}
	}
	environ["RECORD"], environ["CANARY"], environ["CANARY_NAME"] = jobs.record, w.canary, filepath.Join(w.canary, "pwned-name")
	environ["PATH"], environ["HOME"] = tools+string(filepath.ListSeparator)+os.Getenv("PATH"), filepath.Join(dir, "home")
	environ["GORACE"], environ["CHECKPOINT_DISABLE"] = "atexit_sleep_ms=0", "1"
	for name, value := range environ {
		play.Environ = append(play.Environ, name+"="+value)
	}
	go func() {
		defer close(r.ended)
		defer cancel()
		result, err := play.Play(ctx)
		if err == nil && result.Conclusion != runner.Success {
			err = errors.New(result.Conclusion)
		}
		r.err = err
	}()
	return r
}

// prepares is this project's action, without the download: that is tested in act.
func prepares(bin string) runner.Action {
	return func(ctx context.Context, c *runner.Call) error {
		if c.Inputs["checkout"] == "true" {
			if err := runner.Checkout(ctx, c); err != nil {
				return err
			}
		}
		c.AddPath(bin)
		if c.Inputs["aws-region"] == "" {
			return nil
		}
		return runner.AWSCredentials(ctx, c)
	}
}

// ownHost is GitHub for one run.
type ownHost struct {
	w        *actSetup
	run      fixture.WorkflowRun
	settings settings
	keeper   *gatekeeper

	mu      sync.Mutex
	log     *bytes.Buffer
	bearers map[string]string // by the path of a job
}

// event is what started the run, with the inputs of a run by hand.
func (h *ownHost) event(inputs map[string]string) runner.Event {
	e := runner.Event{Name: h.run.Run.Event, Branch: "main"}
	fixture.Check(h.w.T, json.Unmarshal(h.run.Event, &e.Payload))
	if len(inputs) > 0 {
		given := map[string]any{}
		for name, value := range inputs {
			given[name] = value
		}
		e.Payload["inputs"] = given
	}
	return e
}

func (h *ownHost) github() map[string]any {
	run, repo := h.run.Run, h.run.Repo
	owner, _, _ := strings.Cut(repo.Slug(), "/")
	return map[string]any{
		"repository": repo.Slug(), "repository_id": strconv.FormatInt(repo.ID(), 10), "repository_owner": owner, "sha": h.run.SHA, "ref": h.run.Ref, "head_ref": h.run.Head, "base_ref": h.run.Base,
		"run_id": strconv.FormatInt(run.ID, 10), "run_attempt": strconv.Itoa(run.Attempt), "run_number": strconv.Itoa(run.Number), "actor": run.Actor, "actor_id": fmt.Sprint(h.w.Hub.AccountID(run.Actor)),
		"triggering_actor": run.TriggeringActor, "server_url": h.w.Hub.URL(), "api_url": h.w.Hub.URL(), "workflow_ref": repo.Slug() + "/" + run.Path + "@" + h.run.Ref,
	}
}

func (h *ownHost) Settings(environment string) runner.Settings {
	if environment != "" {
		return runner.Settings{}
	}
	secrets := maps.Clone(h.settings.secrets)
	delete(secrets, "GITHUB_TOKEN") // each job gets its own
	return runner.Settings{Secrets: secrets, Variables: h.settings.vars}
}

func (h *ownHost) Admit(ctx context.Context, j *runner.Job) (bool, error) {
	stack, _ := j.Inputs["stack"].(string)
	return h.keeper.admits(ctx, j.Path, j.Environment, stack)
}

// Open gives a job its token. A run of a fork gets one that only reads, and no ID tokens.
func (h *ownHost) Open(_ context.Context, j *runner.Job) (runner.Grant, error) {
	permissions := map[string]string{}
	for scope, level := range j.Permissions {
		if !h.run.PermitsIDToken && h.run.Repo == h.w.Customer {
			level = "read"
		}
		if scope != "id-token" {
			permissions[strings.ReplaceAll(scope, "-", "_")] = level
		}
	}
	made, err := h.w.Hub.AddToken(hub.Token{Name: fmt.Sprintf("own of %s %d, %s, %d", h.run.Repo.Slug(), h.run.Run.ID, j.Path, h.w.NextJob()), Kind: hub.Actions, Repositories: []string{h.run.Repo.Slug()}, Permissions: permissions})
	if err != nil {
		return runner.Grant{}, err
	}
	g := runner.Grant{Token: made.Secret}
	if j.Permissions["id-token"] == "write" && h.run.PermitsIDToken {
		g.IDTokenURL, g.IDTokenBearer, err = h.w.Hub.OpenJob(hub.IDTokenJob{Repo: h.run.Repo, RunID: h.run.Run.ID, Job: j.ID, Ref: h.run.Ref, SHA: h.run.SHA, HeadRef: h.run.Head, BaseRef: h.run.Base})
		h.mu.Lock()
		h.bearers[j.Path] = g.IDTokenBearer
		h.mu.Unlock()
	}
	return g, err
}

func (h *ownHost) Close(j *runner.Job) error {
	h.mu.Lock()
	bearer := h.bearers[j.Path]
	h.mu.Unlock()
	if bearer != "" {
		h.w.Hub.CloseJob(bearer)
	}
	return h.run.Repo.LeaveEnvironment(h.run.Run.ID, j.Path, j.Result == runner.Success)
}

func (h *ownHost) Checkout(_ context.Context, _ *runner.Job, repository, ref, dir string) error {
	if !strings.EqualFold(repository, h.run.Repo.Slug()) {
		return fmt.Errorf("the run has no access to %s", repository)
	}
	return h.run.Repo.Checkout(ref, dir)
}

func (h *ownHost) Begin(s *runner.Step) func(runner.Shown) {
	return func(line runner.Shown) {
		h.mu.Lock()
		defer h.mu.Unlock()
		fmt.Fprintf(h.log, "[%s] %s\n", s.Job.Name, line.Text)
	}
}

func (h *ownHost) End(s *runner.Step) {
	if s.Problem != "" {
		h.mu.Lock()
		defer h.mu.Unlock()
		fmt.Fprintf(h.log, "[%s] %s\n", s.Job.Name, s.Problem)
	}
}
