package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// These tests run the very files of workflows/ in nektos/act, against the double of
// GitHub. act has no dispatch types, no concurrency, no gates and no issuer of ID
// tokens: the first two are not tested here, the third stays open (apply reads the
// protection rules all the same), and the fourth comes from the double. Nothing is
// asserted from act's log, which it loses now and then.

// actBinary finds act in PATH, or where `.ci/tools/ensure act` has built it.
func actBinary(t *testing.T) string {
	t.Helper()
	if found, err := exec.LookPath("act"); err == nil {
		return found
	}
	cache := must(os.UserCacheDir())(t)
	built := must(filepath.Glob(filepath.Join(cache, "metapipe", "tools", "act-*", "act")))(t)
	if len(built) == 0 {
		t.Skip("act is not installed and has not been built: run .ci/tools/ensure act")
	}
	return slices.Max(built)
}

var queueKey = regexp.MustCompile(`(?m)^ +queue: max .*\n`)

// actWorld is a world whose two repositories hold the real workflows.
func actWorld(t *testing.T) (*world, string) {
	t.Helper()
	binary := actBinary(t)
	if runtime.GOOS != "linux" {
		t.Skip("act runs jobs without containers as Linux ones only")
	}
	w := newWorld(t, nil)
	for side, repo := range map[string]*hub.Repo{"manager": w.manager, "customer": w.customer} {
		files := map[string]string{}
		for _, name := range must(filepath.Glob(filepath.Join(root(t), "workflows", side, "*.yml")))(t) {
			// The one key of the files that act refuses to read; it does not queue either.
			files[".github/workflows/"+filepath.Base(name)] = queueKey.ReplaceAllString(string(must(os.ReadFile(name))(t)), "")
		}
		w.commit(repo, "main", files)
	}
	return w, binary
}

// actRun is a workflow under way in act.
type actRun struct {
	w    *world
	cmd  *exec.Cmd
	log  *bytes.Buffer
	done chan error
}

// act starts a workflow for a run of the hub. Its jobs share no folder but the
// store and the runner's tool cache, in which metapipe lies as on a runner of one's
// own.
func (w *world) act(binary string, run workflowRun, workflow string, inputs map[string]string) *actRun {
	t := w.t
	t.Helper()
	w.mu.Lock()
	w.jobs++
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("act-%d", w.jobs))
	w.mu.Unlock()
	workspace, cache := filepath.Join(dir, "workspace"), filepath.Join(dir, "cache")
	for _, d := range []string{workspace, filepath.Join(dir, "home"), filepath.Join(dir, "config", "act")} {
		check(t, os.MkdirAll(d, 0o700))
	}
	check(t, run.repo.Checkout(run.sha, workspace))
	check(t, os.WriteFile(filepath.Join(dir, "event.json"), run.event, 0o600))
	check(t, os.WriteFile(filepath.Join(dir, "config", "act", "actrc"), nil, 0o600))
	w.placeMetapipe(cache)

	secrets, vars := w.settings(run)
	args := []string{run.run.Event, "-C", workspace, "-W", filepath.Join(workspace, ".github", "workflows", workflow), "-e", filepath.Join(dir, "event.json"),
		"-P", "ubuntu-latest=-self-hosted", "--no-cache-server", "--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1",
		"--action-offline-mode", "--action-cache-path", cache, "--actor", run.run.Actor,
		"--secret-file", writeDotenv(t, dir, "secrets", secrets), "--var-file", writeDotenv(t, dir, "vars", vars), "--env-file", writeDotenv(t, dir, "env", w.runner(run))}
	for name, value := range inputs {
		args = append(args, "--input", name+"="+value)
	}
	args = append(args, w.localActions(dir)...)

	r := &actRun{w: w, log: &bytes.Buffer{}, done: make(chan error, 1)}
	r.cmd = exec.Command(binary, args...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = workspace, r.log, r.log
	r.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home"), "XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
		"XDG_CACHE_HOME=" + must(os.UserCacheDir())(t), "GORACE=atexit_sleep_ms=0", "CHECKPOINT_DISABLE=1"}
	check(t, r.cmd.Start())
	go func() { r.done <- r.cmd.Wait() }()
	return r
}

// wait waits for the end of the workflow and reports whether it succeeded.
func (r *actRun) wait() bool {
	t := r.w.t
	t.Helper()
	select {
	case err := <-r.done:
		if strings.Contains(r.log.String(), r.w.key) {
			t.Error("the key stands in the log")
		}
		return err == nil
	case <-time.After(90 * time.Second):
		check(t, r.cmd.Process.Signal(os.Interrupt))
		t.Fatalf("the workflow does not end (%v):\n%s", <-r.done, r.log)
		return false
	}
}

// succeeds waits for a workflow that must end well.
func (r *actRun) succeeds() {
	r.w.t.Helper()
	if !r.wait() {
		r.w.t.Fatalf("the workflow has failed:\n%s", r.log)
	}
}

// placeMetapipe puts the binary under test into a runner's tool cache.
func (w *world) placeMetapipe(cache string) {
	t := w.t
	t.Helper()
	folder := filepath.Join(cache, "tool_cache", "metapipe", actionVersion(t), "linux_"+runtime.GOARCH)
	check(t, os.MkdirAll(folder, 0o700))
	check(t, os.Symlink(must(exec.LookPath("metapipe"))(t), filepath.Join(folder, "metapipe")))
}

// actionVersion is the version at which the workflows use this project's action.
func actionVersion(t *testing.T) string {
	t.Helper()
	text := string(must(os.ReadFile(filepath.Join(root(t), "workflows", "customer", "trigger-infra.yml")))(t))
	_, rest, ok := strings.Cut(text, "uses: metapipe/metapipe@")
	if !ok {
		t.Fatal("the customer's workflow does not use the action")
	}
	version, _, _ := strings.Cut(rest, "\n")
	return version
}

// localActions replaces what act would download: this project's action is the one
// of this checkout, the others are actions without steps.
func (w *world) localActions(dir string) []string {
	t := w.t
	t.Helper()
	ours, empty := filepath.Join(dir, "action"), filepath.Join(dir, "empty")
	check(t, os.MkdirAll(filepath.Join(ours, ".ci"), 0o700))
	check(t, os.CopyFS(filepath.Join(ours, ".ci", "action"), os.DirFS(filepath.Join(root(t), ".ci", "action"))))
	action := must(os.ReadFile(filepath.Join(root(t), "action.yml")))(t)
	check(t, os.WriteFile(filepath.Join(ours, "action.yml"), action, 0o600))
	check(t, os.MkdirAll(empty, 0o700))
	check(t, os.WriteFile(filepath.Join(empty, "action.yml"), []byte("name: empty\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      run: \"true\"\n"), 0o600))
	seen := map[string]bool{}
	var args []string
	texts := []string{string(action)}
	for _, name := range must(filepath.Glob(filepath.Join(root(t), "workflows", "*", "*.yml")))(t) {
		texts = append(texts, string(must(os.ReadFile(name))(t)))
	}
	for _, line := range strings.Split(strings.Join(texts, "\n"), "\n") {
		_, uses, ok := strings.Cut(line, "uses: ")
		uses, _, _ = strings.Cut(uses, " ")
		if !ok || seen[uses] || strings.HasPrefix(uses, "./") {
			continue
		}
		seen[uses] = true
		to := empty
		if strings.HasPrefix(uses, "metapipe/") {
			to = ours
		}
		args = append(args, "--local-repository", uses+"="+to)
	}
	return args
}

// settings are the secrets and variables of a repository, under the names of the
// setup guide.
func (w *world) settings(run workflowRun) (secrets, vars map[string]string) {
	name := fmt.Sprintf("act %s %d", run.repo.Slug(), run.run.ID)
	own := []string{run.repo.Slug()}
	if run.repo == w.manager {
		return map[string]string{
			"METAPIPE_KEY": w.key,
			"GITHUB_TOKEN": w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: permissions("contents actions", "")}),
			"SOURCE_REPOS_PAT": w.token(hub.Token{Name: name + " source", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{customerSlug},
				Permissions: permissions("contents actions", "statuses pull_requests issues deployments")}),
		}, nil
	}
	if !run.permitsIDToken { // a fork's: no secrets, no variables, a token that only reads
		return map[string]string{"GITHUB_TOKEN": w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: permissions("contents deployments pull_requests statuses", "")})}, nil
	}
	owner, repository, _ := strings.Cut(managerSlug, "/")
	return map[string]string{
		"GITHUB_TOKEN":     w.token(hub.Token{Name: name + " own", Kind: hub.Actions, Repositories: own, Permissions: permissions("contents deployments pull_requests", "statuses")}),
		"MANAGER_REPO_PAT": w.token(hub.Token{Name: name + " manager", Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{managerSlug}, Permissions: permissions("", "contents")}),
	}, map[string]string{"MANAGER_REPO_OWNER": owner, "MANAGER_REPO_NAME": repository}
}

// runner is what GitHub's runner would say of the run. act takes the commit from
// SHA_REF.
func (w *world) runner(run workflowRun) map[string]string {
	w.t.Helper()
	out := map[string]string{
		"GITHUB_SERVER_URL": w.hub.URL(), "GITHUB_API_URL": w.hub.URL(), "GITHUB_REPOSITORY": run.repo.Slug(), "GITHUB_REPOSITORY_ID": strconv.FormatInt(run.repo.ID(), 10),
		"GITHUB_RUN_ID": strconv.FormatInt(run.run.ID, 10), "GITHUB_RUN_ATTEMPT": strconv.Itoa(run.run.Attempt), "GITHUB_REF": run.ref, "SHA_REF": run.sha,
	}
	if run.repo == w.manager {
		out["METAPIPE_STORE"] = w.store
	}
	if run.permitsIDToken {
		url, bearer, err := w.hub.OpenJob(hub.IDTokenJob{Repo: run.repo, RunID: run.run.ID, Job: "infrastructure", Ref: run.ref, SHA: run.sha, HeadRef: run.head, BaseRef: run.base})
		check(w.t, err)
		out["ACTIONS_ID_TOKEN_REQUEST_URL"], out["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = url, bearer
	}
	return out
}

// writeDotenv writes a file of NAME='value' lines.
func writeDotenv(t *testing.T, dir, name string, values map[string]string) string {
	t.Helper()
	var text strings.Builder
	for key, value := range values {
		if strings.ContainsAny(value, "'\n") {
			t.Fatalf("%s cannot be written into a file of variables", key)
		}
		fmt.Fprintf(&text, "%s='%s'\n", key, value)
	}
	file := filepath.Join(dir, name)
	check(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}

// through carries a run of the customer through both workflows and reports how
// the customer's and the manager's ended.
func (w *world) through(binary string, run workflowRun, inputs map[string]string) (customer, manager bool) {
	w.t.Helper()
	asked := w.act(binary, run, filepath.Base(pipeline.TriggerWorkflow), inputs)
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	q, err := w.hub.NextRun(ctx)
	if err != nil {
		check(w.t, asked.cmd.Process.Signal(os.Interrupt))
		w.t.Fatalf("nothing was dispatched: %v (%v)\n%s", err, <-asked.done, asked.log)
	}
	check(w.t, q.Repo.SetRun(q.Run.ID, "in_progress", ""))
	work := workflowRun{repo: q.Repo, run: q.Run, event: q.Run.Payload, sha: q.Run.HeadSHA, ref: "refs/heads/main"}
	answered := w.act(binary, work, filepath.Base(managerWorkflow), nil)
	if manager = answered.wait(); !manager {
		w.finish(work)
	}
	customer = asked.wait()
	if w.t.Failed() || testing.Verbose() {
		w.t.Logf("customer:\n%s\nmanager:\n%s", asked.log, answered.log)
	}
	return customer, manager
}

// finish is the last job of the manager's workflow. act starts no job after a
// called workflow that has failed, also not one with `if: always()`.
func (w *world) finish(run workflowRun) {
	w.t.Helper()
	var event struct {
		Payload struct {
			Request struct{ ID string } `json:"request"`
		} `json:"client_payload"`
	}
	check(w.t, json.Unmarshal(run.event, &event))
	w.newJob(run).do(0, "report", "--customer", "shop", "--request", event.Payload.Request.ID, "--final", "--cancelled=false")
}

const twoEnvironments = "name: %s\nenvironments:\n  staging: {}\n  production: {}\n"

// TestWorkflowsPullRequest plans a pull request of a hostile branch, merges it and
// applies both environments, all in the real workflows.
func TestWorkflowsPullRequest(t *testing.T) {
	t.Parallel()
	w, binary := actWorld(t)
	const branch = "a'b\"c`touch${IFS}owned`$(touch${IFS}owned);x"
	name := `"shop $(touch owned) ::error::x ghadelimiter %s"`
	run, number := w.pull(w.customer, branch, map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, name)})
	customer, manager := w.through(binary, run, nil)
	if !customer || !manager {
		t.Fatalf("customer's workflow: %v, manager's: %v", customer, manager)
	}
	head := must(w.customer.Pull(number))(t).Head
	for _, context := range []string{"", "/staging", "/production"} {
		w.wantStatus(head, "infra/terraform-deploy"+context, "success: ")
	}
	comments := w.customer.Snapshot().Pulls[0].Comments
	if len(comments) != 1 || !strings.Contains(comments[0].Body, "production") || !strings.Contains(comments[0].Body, "ghadelimiter") {
		t.Fatalf("comments: %+v", comments)
	}
	if w.state("shop/staging") != "" {
		t.Error("a pull request has applied")
	}

	before := must(w.customer.Head("main"))(t)
	merged := must(w.customer.MergePull(number, hub.Squash, "casey"))(t)
	customer, manager = w.through(binary, w.pushedFrom("main", before, merged), nil)
	if !customer || !manager {
		t.Fatalf("customer's workflow: %v, manager's: %v", customer, manager)
	}
	for _, env := range []string{"staging", "production"} {
		w.wantStatus(merged, "infra/terraform-deploy/"+env, "success: ")
		if !strings.Contains(w.state("shop/"+env), "ghadelimiter %s") {
			t.Errorf("%s was not applied", env)
		}
	}
	w.wantDeployments(merged, "infra/production success", "infra/staging success")
	w.wantNothingPending()
	if comments := w.customer.Snapshot().Pulls[0].Comments; len(comments) != 1 || comments[0].Edits == 0 {
		t.Errorf("the comment does not tell of the apply: %+v", comments)
	}
}

// wantDeployments compares the deployments of a commit: environment and last state.
func (w *world) wantDeployments(sha string, want ...string) {
	w.t.Helper()
	var got []string
	for _, d := range w.customer.Snapshot().Deployments {
		if d.SHA == sha && len(d.States) > 0 {
			got = append(got, d.Environment+" "+d.States[len(d.States)-1].State)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("deployments are %v, want %v", got, want)
	}
}

// TestWorkflowsFailedApply stops before production when staging fails.
func TestWorkflowsFailedApply(t *testing.T) {
	t.Parallel()
	w, binary := actWorld(t)
	run := w.push("main", map[string]string{"infra/variables.yml": fmt.Sprintf(twoEnvironments, "shop") + "command: exit 3\n"})
	customer, manager := w.through(binary, run, nil)
	if customer || manager {
		t.Errorf("customer's workflow: %v, manager's: %v, although the apply has failed", customer, manager)
	}
	w.wantStatus(run.sha, "infra/terraform-deploy", "failure: ")
	w.wantStatus(run.sha, "infra/terraform-deploy/staging", "failure: ")
	if w.state("shop/production") != "" {
		t.Error("production was applied after staging had failed")
	}
	w.wantNothingPending()
}

// TestWorkflowsDryRun starts the customer's workflow by hand.
func TestWorkflowsDryRun(t *testing.T) {
	t.Parallel()
	w, binary := actWorld(t)
	sha := w.commit(w.customer, "main", map[string]string{"infra/variables.yml": variablesYML})
	inputs := map[string]string{"mode": "dry-run"}
	check(t, w.customer.AddWorkflow(hub.Workflow{Path: pipeline.TriggerWorkflow, Name: "Trigger", Manual: true}))
	run := must(w.customer.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: pipeline.TriggerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "casey", Status: "in_progress"}))(t)
	event := must(w.customer.ManualEvent(pipeline.TriggerWorkflow, "main", inputs, "casey"))(t)
	customer, manager := w.through(binary, workflowRun{repo: w.customer, run: run, event: event, sha: sha, ref: "refs/heads/main", permitsIDToken: true}, inputs)
	if !customer || !manager {
		t.Fatalf("customer's workflow: %v, manager's: %v", customer, manager)
	}
	w.wantStatus(sha, "infra/terraform-deploy/staging", "success: ")
	if w.state("shop/staging") != "" {
		t.Error("a dry run has applied")
	}
	w.wantNothingPending()
}

// TestWorkflowsWithoutSecrets gives a pull request of a fork what GitHub gives it.
func TestWorkflowsWithoutSecrets(t *testing.T) {
	t.Parallel()
	w, binary := actWorld(t)
	must(w.hub.AddUser(hub.User{Login: "mallory", Type: hub.Person}))(t)
	fork := must(w.customer.Fork("mallory", "shop"))(t)
	run, _ := w.pull(fork, "main", map[string]string{"infra/variables.yml": variablesYML})
	run.permitsIDToken = false
	before := string(must(json.Marshal(w.customer.Snapshot().Statuses))(t))
	w.act(binary, run, filepath.Base(pipeline.TriggerWorkflow), nil).succeeds()
	if after := string(must(json.Marshal(w.customer.Snapshot().Statuses))(t)); after != before {
		t.Errorf("something was posted: %s", after)
	}
	w.wantNoDispatch()
}
