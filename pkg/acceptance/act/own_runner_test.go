package act

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hubrun"
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
	host := &ownHost{onHub: w.OnHub(run), settings: jobs.settings, keeper: w.gatekeeper(run, jobs.record), log: r.log}
	host.onHub.ReadOnly = run.Repo == w.Customer && !run.PermitsIDToken // of a fork
	inputs := map[string]any{}
	for name, value := range jobs.inputs {
		inputs[name] = value
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	play := &runner.Run{Workflow: loaded, Repository: files, Event: fixture.Must(host.onHub.Event(inputs))(t), GitHub: host.onHub.GitHub(loaded), Dir: filepath.Join(dir, "jobs"), Host: host, Masks: runner.NewMasks(nil), Kept: jobs.kept,
		Actions: hubrun.Actions(func(*runner.Call) (string, error) { return bin, nil })}
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
		r.err, r.kept = err, loaded.Rerun(result)
	}()
	return r
}

// ownHost is GitHub for one run.
type ownHost struct {
	onHub    *hubrun.Run
	settings settings
	keeper   *gatekeeper

	mu  sync.Mutex
	log *bytes.Buffer
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

func (h *ownHost) Open(_ context.Context, j *runner.Job) (runner.Grant, error) {
	g, _, err := h.onHub.Open(j)
	return g, err
}

func (h *ownHost) Close(j *runner.Job) error { return h.onHub.Close(j) }

func (h *ownHost) Checkout(_ context.Context, _ *runner.Job, repository, ref, dir string) error {
	return h.onHub.Checkout(repository, ref, dir)
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
