package act

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// These tests run the very files of workflows/ in nektos/act, against the double of
// GitHub and a real S3 server. Each job has a workspace, a home and temporary files
// of its own, as on hosted runners: what one leaves for another lies in the bucket.
//
// act lacks a part of GitHub, which the tests supply:
//   - dispatch types: the double starts the run, and act is handed its event;
//   - environment gates: before each job with an environment stands one that asks
//     the double, see withGates;
//   - jobs after a called workflow that has failed, see resumed;
//   - outputs of a workflow that a called one calls, see handsOn;
//   - an issuer of ID tokens: the double's;
//   - `run-name`: the double is told it, see runName;
//   - `permissions`: one token has those of all jobs, see tokenRights;
//   - `concurrency` is left out: act ignores it, and cannot read `queue`.
//
// Nothing is asserted from act's log, which it loses now and then: each step leaves
// a record, see recorder.

// actBinary finds act in PATH, or where `.ci/tools/ensure act` has built it.
func actBinary(t *testing.T) string {
	t.Helper()
	if found, err := exec.LookPath("act"); err == nil {
		return found
	}
	cache := fixture.Must(os.UserCacheDir())(t)
	built := fixture.Must(filepath.Glob(filepath.Join(cache, "metapipe", "tools", "act-*", "act")))(t)
	if len(built) == 0 {
		t.Skip("act is not installed and has not been built: run .ci/tools/ensure act")
	}
	return slices.Max(built)
}

// actSetup is a world whose two repositories hold the real workflows, with a bucket
// as its store.
type actSetup struct {
	*fixture.Setup
	engine  engine
	states  fixture.Tenant
	binary  string
	sources []string // the repositories that the manager may read
	// review decides about an environment that a job waits for.
	review func(run fixture.WorkflowRun, environment string, soFar []actStep)
	// amend changes the settings of a run's repository.
	amend func(run fixture.WorkflowRun, s settings)
	// tool stands in the place of terraform, where it is not empty.
	tool string
	// canary is where files appear when a hostile text is executed.
	canary string
	// obeysOldCommands makes the runner obey commands that GitHub has switched off,
	// so that it shows when they reach it.
	obeysOldCommands bool
}

// newActSetup makes the repositories as fixture.New does, and a bucket on the server.
func newActSetup(t *testing.T, server *miniotest.Server, files map[string]string) *actSetup {
	t.Helper()
	return newSetupIn(t, inAct, server, files)
}

// engine is what executes the workflows.
type engine string

const (
	inAct    engine = "act"
	inRunner engine = "runner" // the one of the rehearsal
)

func newSetupIn(t *testing.T, engine engine, server *miniotest.Server, files map[string]string) *actSetup {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("act runs jobs without containers as Linux ones only")
	}
	all := workflowsOf(t, "manager", engine == inAct)
	for name, text := range files {
		all[name] = text
	}
	w := &actSetup{Setup: fixture.New(t, all), engine: engine, binary: actBinary(t), sources: []string{fixture.CustomerSlug}}
	w.Store = filepath.Join(t.TempDir(), "there is no such directory")
	w.states = fixture.Tenant{T: t, Server: server, Bucket: pipeline.Bucket{Name: "states-" + string(engine) + "-" + filepath.Base(t.Name())}}
	server.Bucket(t, w.states.Bucket.Name, true)
	w.Commit(w.Customer, "main", customerWorkflow(t))
	w.review = w.approves
	w.listens()
	return w
}

// listens registers what starts the manager's workflow.
func (w *actSetup) listens() {
	w.T.Helper()
	fixture.Check(w.T, w.Manager.AddWorkflow(hub.Workflow{Path: fixture.ManagerWorkflow, Name: "Deploy", Dispatches: []string{pipeline.DispatchEvent}, Manual: true,
		RunName: func(event json.RawMessage) string { return runName(w.T, event) }}))
}

// customerWorkflow is the customer's, with the job of docs/PATTERNS.md that needs the
// infrastructure.
func customerWorkflow(t *testing.T) map[string]string {
	t.Helper()
	_, rest, ok := strings.Cut(string(fixture.Must(os.ReadFile(filepath.Join(fixture.Root(t), "docs", "PATTERNS.md")))(t)), "```yaml\n  deploy:\n")
	job, _, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		t.Fatal("docs/PATTERNS.md does not show a job that needs the infrastructure")
	}
	files := workflowsOf(t, "customer", false)
	files[intake.TriggerWorkflow] += "  deploy:\n" + job
	return files
}

// workflowsOf are the workflows of a side by their place in its repository.
func workflowsOf(t *testing.T, side string, gates bool) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range fixture.Must(filepath.Glob(filepath.Join(fixture.Root(t), "workflows", side, "*.yml")))(t) {
		text := fixture.Must(os.ReadFile(name))(t)
		if gates {
			text = withGates(t, text)
		}
		files[".github/workflows/"+filepath.Base(name)] = string(text)
	}
	return files
}

// manages runs a workflow of the manager for an event, on its default branch, to its end.
func (w *actSetup) manages(workflow, event string, payload any, inputs map[string]string) (steps []actStep, succeeded bool) {
	t := w.T
	t.Helper()
	head := fixture.Must(w.Manager.Head("main"))(t)
	started := fixture.Must(w.Manager.StartRun(hub.NewRun{Event: event, Path: ".github/workflows/" + workflow, HeadSHA: head, HeadBranch: "main", Actor: "robin", Status: "in_progress"}))(t)
	run := fixture.WorkflowRun{Repo: w.Manager, Run: started, Event: fixture.Must(json.Marshal(payload))(t), SHA: head, Ref: "refs/heads/main"}
	stored := filepath.Join(t.TempDir(), fmt.Sprintf("record-%d", started.ID))
	a := w.act(run, actJobs{workflow: workflow, inputs: inputs, settings: w.settings(run), record: stored})
	succeeded = a.wait()
	fixture.Check(t, w.Manager.SetRun(started.ID, "completed", map[bool]string{true: "success", false: "failure"}[succeeded]))
	if t.Failed() || testing.Verbose() {
		t.Logf("%s:\n%s", workflow, a.log)
	}
	return actSteps(t, stored), succeeded
}

// State is the content of a target's state, empty when there is none.
func (w *actSetup) State(target string) string {
	w.T.Helper()
	return read(w.states, target+"/terraform.tfstate")
}

// read is the content of an object, empty when there is none.
func read(b fixture.Tenant, key string) string {
	b.T.Helper()
	if !slices.Contains(b.Keys(key), key) {
		return ""
	}
	object := fixture.Must(b.Server.Client(b.Server.Root()).GetObject(b.T.Context(), &s3.GetObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(b.T)
	var out bytes.Buffer
	fixture.Must(out.ReadFrom(object.Body))(b.T)
	fixture.Check(b.T, object.Body.Close())
	return out.String()
}

// actRun is a workflow under way in act.
type actRun struct {
	w      *actSetup
	stop   func()
	log    *bytes.Buffer
	ended  chan struct{} // closed at its end, when err is set
	err    error
	kept   map[string]runner.Kept // what *Re-run failed jobs* would keep, in the runner of the rehearsal
	record string                 // where its steps leave their records
}

// actJobs are what act is asked to run: a workflow file of a run's commit.
type actJobs struct {
	workflow string
	inputs   map[string]string
	settings settings
	gates    string // where jobs ask whether they may start
	record   string
	instead  []byte                 // in place of the file's content
	kept     map[string]runner.Kept // jobs that are not played again
}

// act starts a workflow for a run of the hub.
func (w *actSetup) act(run fixture.WorkflowRun, jobs actJobs) *actRun {
	t := w.T
	t.Helper()
	if w.engine == inRunner {
		return w.inRunner(run, jobs)
	}
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("act-%d", w.NextJob()))
	workspace, cache := filepath.Join(dir, "workspace"), filepath.Join(dir, "cache")
	for _, d := range []string{workspace, jobs.record, filepath.Join(dir, "home"), filepath.Join(dir, "config", "act")} {
		fixture.Check(t, os.MkdirAll(d, 0o700))
	}
	fixture.Check(t, run.Repo.Checkout(run.SHA, workspace))
	file := filepath.Join(workspace, ".github", "workflows", jobs.workflow)
	if jobs.instead != nil {
		fixture.Check(t, os.WriteFile(file, jobs.instead, 0o600))
	}
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "event.json"), run.Event, 0o600))
	fixture.Check(t, os.WriteFile(filepath.Join(dir, "config", "act", "actrc"), nil, 0o600))
	tools := placeJQ(t, dir)
	placeMetapipe(t, tools)
	if w.tool != "" {
		fixture.Check(t, os.WriteFile(filepath.Join(tools, "terraform"), []byte(w.tool), 0o700))
	}

	environ := w.runner(run)
	environ["RECORD"], environ["GATES"] = jobs.record, jobs.gates
	environ["CANARY"], environ["CANARY_NAME"] = w.canary, filepath.Join(w.canary, "pwned-name")
	environ["ACTIONS_ALLOW_UNSECURE_COMMANDS"] = strconv.FormatBool(w.obeysOldCommands)
	args := []string{run.Run.Event, "-C", workspace, "-W", file, "-e", filepath.Join(dir, "event.json"),
		"-P", "ubuntu-latest=-self-hosted", "--no-cache-server", "--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1",
		"--action-offline-mode", "--action-cache-path", cache, "--actor", run.Run.Actor,
		"--secret-file", writeDotenv(t, dir, "secrets", jobs.settings.secrets), "--var-file", writeDotenv(t, dir, "vars", jobs.settings.vars), "--env-file", writeDotenv(t, dir, "env", environ)}
	for name, value := range jobs.inputs {
		args = append(args, "--input", name+"="+value)
	}
	args = append(args, localActions(w.Setup, dir)...)

	r := &actRun{w: w, log: &bytes.Buffer{}, ended: make(chan struct{}), record: jobs.record}
	cmd := exec.Command(w.binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = workspace, r.log, r.log
	cmd.Env = []string{"PATH=" + tools + string(filepath.ListSeparator) + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home"), "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
		"GORACE=atexit_sleep_ms=0", "CHECKPOINT_DISABLE=1"}
	fixture.Check(t, cmd.Start())
	r.stop = func() { fixture.Check(t, cmd.Process.Signal(os.Interrupt)) }
	go func() {
		r.err = cmd.Wait()
		close(r.ended)
	}()
	return r
}

// wait waits for the end of the workflow and reports whether it succeeded.
func (r *actRun) wait() bool {
	t := r.w.T
	t.Helper()
	select {
	case <-r.ended:
	case <-time.After(3 * time.Minute):
		r.stop()
		<-r.ended
		t.Fatalf("the workflow does not end (%v):\n%s", r.err, r.log)
	}
	if strings.Contains(r.log.String(), r.w.Key) {
		t.Error("the key stands in the log")
	}
	return r.err == nil
}
