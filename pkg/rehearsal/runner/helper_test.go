package runner

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

// TestMain lets the test binary play a process that is started.
func TestMain(m *testing.M) {
	if play := os.Getenv("PLAY_PROCESS"); play != "" {
		os.Exit(playProcess(play))
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// host is a Host that records what happens. Its gates are open, unless gate decides otherwise.
type host struct {
	mu       sync.Mutex
	settings map[string]Settings
	gate     func(ctx context.Context, j *Job) (bool, error) // nil: open
	events   []string
	logs     map[string][]string // lines by job
	steps    []*Step
	open     map[string]bool
}

func (h *host) Settings(environment string) Settings { return h.settings[environment] }

func (h *host) Admit(ctx context.Context, j *Job) (bool, error) {
	h.note("gate %s of %s", j.Environment, j.Path)
	if h.gate == nil {
		return true, nil
	}
	return h.gate(ctx, j)
}

func (h *host) Open(_ context.Context, j *Job) (Grant, error) {
	h.note("begin %s", j.Path)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open == nil {
		h.open = map[string]bool{}
	}
	h.open[j.Path] = true
	g := Grant{Token: "token-of-" + j.Path}
	if j.Permissions["id-token"] == "write" {
		g.IDTokenURL, g.IDTokenBearer = "http://here", "bearer-of-"+j.Path
	}
	return g, nil
}

func (h *host) Close(j *Job) error {
	h.note("end %s: %s", j.Path, j.Result)
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, j.Path)
	return nil
}

func (h *host) Checkout(_ context.Context, _ *Job, repository, ref, dir string) error {
	if repository != "acme/shop" {
		return fmt.Errorf("there is no repository %s", repository)
	}
	return os.WriteFile(dir+"/README", []byte(repository+"@"+ref), 0o600)
}

func (h *host) Begin(s *Step) func(Shown) {
	return func(line Shown) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.logs == nil {
			h.logs = map[string][]string{}
		}
		if line.Kind != LineHidden {
			h.logs[s.Job.Path] = append(h.logs[s.Job.Path], line.Text)
		}
	}
}

func (h *host) End(s *Step) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps = append(h.steps, s)
}

func (h *host) note(text string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, fmt.Sprintf(text, args...))
}

func (h *host) saw(event string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.events, event)
}

func (h *host) log(job string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.logs[job], "\n")
}

// repository holds a workflow at file, and more files by name and content.
func repository(workflow string, more ...string) fstest.MapFS {
	files := fstest.MapFS{file: {Data: []byte(workflow)}}
	for i := 0; i+1 < len(more); i += 2 {
		files[more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
	}
	return files
}

const file = ".github/workflows/test.yml"

// newRun is a run of the workflow at file for a push.
func newRun(t testing.TB, files fs.FS, h *host) *Run {
	t.Helper()
	w, err := Load(files, file)
	must(t, err)
	return &Run{Workflow: w, Repository: files, Event: Event{Name: "push", Payload: map[string]any{"ref": "refs/heads/main", "commits": []any{}}}, Host: h, Masks: NewMasks(nil), Dir: t.TempDir(),
		Environ: []string{"PATH=" + os.Getenv("PATH"), "MACHINE=mine"},
		GitHub:  map[string]any{"repository": "acme/shop", "sha": "abc", "ref": "refs/heads/main", "ref_name": "main", "actor": "casey", "run_id": "7", "workflow": "Test"}}
}

// played plays a workflow that has to be playable.
func played(t testing.TB, h *host, workflow string, more ...string) Result {
	t.Helper()
	result, err := newRun(t, repository(workflow, more...), h).Play(t.Context())
	must(t, err)
	if len(h.open) > 0 {
		t.Errorf("jobs that were never closed: %v", h.open)
	}
	return result
}

// job finds a job of a result.
func (r Result) job(t testing.TB, path string) *Job {
	t.Helper()
	for _, j := range r.Jobs {
		if j.Path == path {
			return j
		}
	}
	t.Fatalf("job %s did not run", path)
	return nil
}
