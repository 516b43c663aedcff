package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rhysd/actionlint"

	"github.com/metapipe/metapipe/pkg/text"
)

// longest is how long a job runs that does not say. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idtimeout-minutes
const longest = 6 * time.Hour

// variant runs one job: what it calls, or its steps.
func (f *frame) variant(ctx context.Context, id string, matrix map[string]any, s scope) (string, error) {
	job := f.w.Jobs[id]
	if result, kept := f.keep(id, job.ID.Value+suffix(matrix)); kept {
		return result, nil
	}
	name, err := f.jobName(job, matrix, s)
	if err != nil {
		return Failure, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, err := f.limit(job.Concurrency, id, s.at("jobs.<job_id>.concurrency"))
	if err != nil {
		return Failure, err
	}
	leave, err := f.Groups.enter(ctx, l, cancel)
	if err != nil {
		return Cancelled, nil
	}
	defer leave()
	if job.WorkflowCall != nil {
		return f.call(ctx, id, name, s)
	}
	permissions, err := f.permissionsOf(job)
	if err != nil {
		return Failure, err
	}
	j := &activeJob{frame: f, def: job, scope: s, node: f.nodes[id], status: Success,
		Job: &Job{Path: f.path + job.ID.Value + suffix(matrix), Name: name, ID: job.ID.Value, File: f.w.File, Line: job.ID.Pos.Line, Inputs: f.inputs, Permissions: permissions, Masks: NewMasks(f.Masks), Outputs: map[string]string{}}}
	err = j.run(ctx)
	return j.Result, err
}

// jobName is how GitHub shows a job.
func (f *frame) jobName(job *actionlint.Job, matrix map[string]any, s scope) (string, error) {
	name := job.ID.Value
	if job.Name != nil {
		var err error
		if name, err = s.at("jobs.<job_id>.name").text(job.Name.Value); err != nil {
			return "", f.wrong(job.Name.Pos, err)
		}
	}
	if job.Name == nil || !job.Name.ContainsExpression() {
		name += suffix(matrix)
	}
	return f.name + name, nil
}

// suffix distinguishes the jobs of a matrix, as GitHub shows them.
func suffix(matrix map[string]any) string {
	if matrix == nil {
		return ""
	}
	var words []string
	for _, key := range sorted(matrix) {
		words = append(words, format(matrix[key]))
	}
	return " (" + strings.Join(words, ", ") + ")"
}

// call runs the workflow that a job calls.
func (f *frame) call(ctx context.Context, id, name string, s scope) (string, error) {
	job, called := f.w.Jobs[id], f.w.calls[id]
	event, _ := called.FindWorkflowCallEvent()
	permissions, err := f.permissionsOf(job)
	if err != nil {
		return Failure, err
	}
	inner := &frame{play: f.play, w: called, path: f.path + job.ID.Value + "/", name: name + " / ", most: permissions, settings: Settings{Variables: f.settings.Variables}}
	if inner.inputs, err = f.callInputs(job.WorkflowCall, event, s); err != nil {
		return Failure, err
	}
	if inner.settings.Secrets, err = f.handed(job.WorkflowCall, s); err != nil {
		return Failure, err
	}
	l, err := inner.limit(called.Concurrency, "", inner.scope().at("concurrency"))
	if err != nil {
		return Failure, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	leave, err := f.Groups.enter(ctx, l, cancel)
	if err != nil {
		return Cancelled, nil
	}
	defer leave()
	result, outputs := inner.jobs(ctx)
	n := f.nodes[id]
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.outputs, outputs)
	return result, nil
}

// handed are the secrets that a job hands to the workflow that it calls.
func (f *frame) handed(call *actionlint.WorkflowCall, s scope) (map[string]string, error) {
	if call.InheritSecrets {
		return f.settings.Secrets, nil
	}
	out := map[string]string{}
	for _, name := range sorted(call.Secrets) {
		secret := call.Secrets[name]
		value, err := s.at("jobs.<job_id>.secrets.<secrets_id>").text(secret.Value.Value)
		if err != nil {
			return nil, f.wrong(secret.Value.Pos, err)
		}
		if value != "" {
			out[secret.Name.Value] = value
		}
	}
	return out, nil
}

// activeJob is a job that runs.
type activeJob struct {
	*frame
	*Job
	def    *actionlint.Job
	scope  scope // what its keys see; its steps see more
	node   *node
	env    map[string]string // of the workflow, of the job, and what steps have added
	path   []string          // what steps have put before PATH
	status string            // success, failure or cancelled, so far
	grant  Grant
	number int // of the last step
	opened bool
}

// run is the life of a job: its environment, its steps, its end.
func (j *activeJob) run(ctx context.Context) error {
	if ctx.Err() != nil { // since its condition was true
		j.Result = Cancelled
		return j.close()
	}
	started, err := j.begin(ctx)
	if err != nil || !started {
		if j.Result == "" {
			j.Result = Failure
		}
		return errors.Join(err, j.close())
	}
	timeout, err := j.minutes(j.def.TimeoutMinutes, longest, j.scope.at("jobs.<job_id>.timeout-minutes"))
	if err != nil {
		j.Result = Failure
		return errors.Join(err, j.close())
	}
	limited, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	list := &sequence{activeJob: j, steps: j.def.Steps, file: j.File, results: map[string]any{}, status: &j.status}
	fatal := list.run(limited)
	if fatal == nil && limited.Err() != nil {
		j.status = Cancelled
		if ctx.Err() == nil {
			j.Problem = fmt.Sprintf("the job has run longer than its %s", timeout)
		}
	}
	if fatal == nil {
		fatal = j.collect(list)
	}
	j.Result = j.status
	if fatal != nil {
		j.Result = Failure
	} else if j.Result == Failure {
		if allowed, err := j.flag(j.def.ContinueOnError, j.scope.at("jobs.<job_id>.continue-on-error")); err != nil {
			fatal = err
		} else if allowed {
			j.Result = Success
		}
	}
	return errors.Join(fatal, j.close())
}

// close ends a job that was opened.
func (j *activeJob) close() error {
	j.mu.Lock()
	j.ended = append(j.ended, j.Job)
	j.mu.Unlock()
	if !j.opened {
		return nil
	}
	return j.Host.Close(j.Job)
}

// begin passes the environment's gate and makes what a job has at its start.
func (j *activeJob) begin(ctx context.Context) (started bool, err error) {
	if e := j.def.Environment; e != nil && e.Name != nil {
		if j.Environment, err = j.scope.at("jobs.<job_id>.environment").text(e.Name.Value); err != nil {
			return false, j.wrong(e.Name.Pos, err)
		}
	}
	if j.Environment != "" {
		open, err := j.Host.Admit(ctx, j.Job)
		switch {
		case ctx.Err() != nil:
			j.Result = Cancelled
			return false, nil
		case err != nil || !open:
			return false, err
		}
		j.scope = j.scope.withSettings(j.Host.Settings(j.Environment))
	}
	j.Dir = filepath.Join(j.play.Dir, safe(j.Path))
	j.Workspace = filepath.Join(j.Dir, "workspace")
	for _, dir := range []string{j.Workspace, filepath.Join(j.Dir, "temp"), filepath.Join(j.Dir, "tools")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return false, fmt.Errorf("make the directory of job %s: %w", j.Path, err)
		}
	}
	payload, err := json.Marshal(j.Event.Payload)
	if err == nil {
		err = os.WriteFile(filepath.Join(j.Dir, "event.json"), payload, 0o600)
	}
	if err != nil {
		return false, fmt.Errorf("write the event file of job %s: %w", j.Path, err)
	}
	if j.grant, err = j.Host.Open(ctx, j.Job); err != nil {
		return false, err
	}
	j.opened = true
	for _, secret := range append(secretsOf(j.scope), j.grant.Token, j.grant.IDTokenBearer) {
		j.Masks.Add(secret)
	}
	j.scope = j.scope.with("github", j.github()).with("secrets", withToken(j.scope.contexts["secrets"], j.grant.Token))
	return true, j.environment()
}

// withSettings adds the secrets and variables of an environment, which win over those of the repository.
func (s scope) withSettings(more Settings) scope {
	for name, values := range map[string]map[string]string{"secrets": more.Secrets, "vars": more.Variables} {
		all := maps.Clone(s.contexts[name].(map[string]any))
		for key, value := range values {
			all[key] = value
		}
		s = s.with(name, all)
	}
	return s
}

func withToken(secrets any, token string) map[string]any {
	out := maps.Clone(secrets.(map[string]any))
	out["GITHUB_TOKEN"] = token
	return out
}

func secretsOf(s scope) (out []string) {
	for _, v := range s.contexts["secrets"].(map[string]any) {
		out = append(out, format(v))
	}
	return out
}

// github is the context of that name, as a job sees it.
func (j *activeJob) github() map[string]any {
	github := maps.Clone(j.scope.contexts["github"].(map[string]any))
	github["job"], github["token"], github["workspace"] = j.ID, j.grant.Token, j.Workspace
	github["event_path"] = filepath.Join(j.Dir, "event.json")
	return github
}

// environment evaluates `env` of the workflow and of the job.
func (j *activeJob) environment() error {
	j.env = map[string]string{}
	for _, e := range []struct {
		env *actionlint.Env
		key string
	}{{j.w.Env, "env"}, {j.def.Env, "jobs.<job_id>.env"}} {
		values, err := j.evaluateEnv(e.env, j.scope.at(e.key))
		if err != nil {
			return err
		}
		maps.Copy(j.env, values)
	}
	return nil
}

// evaluateEnv evaluates an `env`.
func (f *frame) evaluateEnv(env *actionlint.Env, s scope) (map[string]string, error) {
	out := map[string]string{}
	if env == nil {
		return out, nil
	}
	if env.Expression != nil {
		v, err := s.value(env.Expression.Value)
		if err != nil {
			return nil, f.wrong(env.Expression.Pos, err)
		}
		object, ok := v.(map[string]any)
		if !ok {
			return nil, f.wrong(env.Expression.Pos, fmt.Errorf("env is no object"))
		}
		for name, value := range object {
			out[name] = format(value)
		}
		return out, nil
	}
	for _, v := range env.Vars {
		value, err := s.text(v.Value.Value)
		if err != nil {
			return nil, f.wrong(v.Value.Pos, err)
		}
		out[v.Name.Value] = value
	}
	return out, nil
}

// collect evaluates the outputs of the job. Those that hold a secret do not leave it.
func (j *activeJob) collect(list *sequence) error {
	s := list.scope(nil).at("jobs.<job_id>.outputs.<output_id>")
	all := map[string]string{}
	for _, name := range sorted(j.def.Outputs) {
		o := j.def.Outputs[name]
		value, err := s.text(o.Value.Value)
		if err != nil {
			return j.wrong(o.Value.Pos, err)
		}
		all[o.Name.Value] = value
	}
	kept, dropped := j.Masks.WithoutSecrets(all)
	if len(dropped) > 0 {
		j.Problem = strings.TrimSpace(j.Problem + " The outputs " + strings.Join(dropped, ", ") + " may hold a secret, so GitHub does not hand them on.")
	}
	j.Outputs = kept
	j.node.mu.Lock()
	defer j.node.mu.Unlock()
	maps.Copy(j.node.outputs, kept)
	return nil
}

var unsafe = text.Pattern(`[^A-Za-z0-9._-]+`)

// safe is a name as one for a directory.
func safe(name string) string { return strings.Trim(unsafe().ReplaceAllString(name, "-"), "-.") }

// machine is the context runner.
func (j *activeJob) machine() map[string]any {
	return map[string]any{"name": "rehearsal", "os": OS(), "arch": Arch(), "temp": filepath.Join(j.Dir, "temp"), "tool_cache": filepath.Join(j.Dir, "tools"), "debug": "", "environment": "self-hosted"}
}

// OS spells the machine as the runner does (GitHub's page "Variables", RUNNER_OS).
func OS() string {
	switch runtime.GOOS {
	case "darwin":
		return "macOS"
	case "windows":
		return "Windows"
	}
	return "Linux"
}

// Arch spells the machine as the runner does (GitHub's page "Variables", RUNNER_ARCH).
func Arch() string {
	switch runtime.GOARCH {
	case "386":
		return "X86"
	case "arm":
		return "ARM"
	case "arm64":
		return "ARM64"
	}
	return "X64"
}
