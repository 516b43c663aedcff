package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rhysd/actionlint"
)

// aftermath is how long the steps of a cancelled job may run that ask for it. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-cancellation
const aftermath = 5 * time.Minute

// patience is how long an interrupted process may take to end before it is killed. It is longer than GitHub's ten
// seconds: on one's own machine a tool may write its state down in peace.
const patience = 2 * time.Minute

// sequence is a list of steps: those of a job, or of a composite action.
type sequence struct {
	*activeJob
	steps   []*actionlint.Step
	file    string         // that the steps stand in
	results map[string]any // the context steps
	status  *string
	action  *composite // nil: the steps of the job
}

// composite is what the steps of a composite action see of it.
type composite struct {
	dir    string
	inputs map[string]any
	env    map[string]string
}

// run runs the steps whose conditions hold. The error says that one cannot be executed at all.
func (q *sequence) run(ctx context.Context) error {
	for _, def := range q.steps {
		if err := q.step(ctx, def); err != nil {
			return err
		}
	}
	return nil
}

// at adds the place to an error.
func (q *sequence) at(pos *actionlint.Pos, err error) error {
	var placed *FileError
	if err == nil || errors.As(err, &placed) {
		return err
	}
	if q.action != nil {
		return &FileError{q.file, 0, err.Error()}
	}
	return &FileError{q.file, pos.Line, err.Error()}
}

// scope is what the keys of a step see. env is that of the step, once it is known.
func (q *sequence) scope(env map[string]string) scope {
	s := q.activeJob.scope
	s = s.with("env", texts(q.all(env))).with("steps", q.results).with("runner", q.machine()).with("job", map[string]any{"status": q.activeJob.status})
	if q.action != nil {
		github := maps.Clone(s.contexts["github"].(map[string]any))
		github["action_path"] = q.action.dir
		s = s.with("inputs", q.action.inputs).with("github", github)
		for _, none := range []string{"secrets", "vars", "needs"} { // an action gets what it is handed
			delete(s.contexts, none)
		}
	}
	s.files = func(patterns []string) (string, error) { return hashFiles(q.Workspace, patterns) }
	return s
}

// all is `env` as a step sees it; own is its own.
func (q *sequence) all(own map[string]string) map[string]string {
	all := maps.Clone(q.env)
	if q.action != nil {
		maps.Copy(all, q.action.env)
	}
	maps.Copy(all, own)
	return all
}

// howItGoes answers the functions that ask how things went, for the `if` of a step.
func (q *sequence) howItGoes(ctx context.Context) func(string) bool {
	return func(function string) bool {
		cancelled := ctx.Err() != nil
		switch function {
		case "success":
			return *q.status == Success && !cancelled
		case "failure":
			return *q.status == Failure && !cancelled
		case "cancelled":
			return cancelled
		}
		return true
	}
}

// step runs one step, unless its condition says no.
func (q *sequence) step(ctx context.Context, def *actionlint.Step) error {
	q.number++
	s := &Step{Job: q.Job, Number: q.number, File: q.file, Line: def.Pos.Line, Outputs: map[string]string{}}
	if q.action != nil {
		s.Line = 0
	}
	if def.ID != nil {
		s.ID = def.ID.Value
	}
	condition, at := "", def.Pos
	if def.If != nil {
		condition, at = def.If.Value, def.If.Pos
	}
	sees := q.scope(nil)
	sees.status = q.howItGoes(ctx)
	runs, err := sees.at("jobs.<job_id>.steps.if").condition(condition)
	if err != nil {
		return q.at(at, err)
	}
	if !runs {
		s.Outcome, s.Conclusion = Skipped, Skipped
		q.record(s)
		return nil
	}
	if ctx.Err() != nil { // it asked for it
		q.activeJob.status = Cancelled
		late, stop := context.WithTimeout(context.WithoutCancel(ctx), aftermath)
		defer stop()
		return q.execute(late, def, s)
	}
	return q.execute(ctx, def, s)
}

// execute runs a step and notes how it went.
func (q *sequence) execute(ctx context.Context, def *actionlint.Step, s *Step) error {
	own, err := q.evaluateEnv(def.Env, q.scope(nil).at("jobs.<job_id>.steps.env"))
	if err != nil {
		return q.at(def.Pos, err)
	}
	s.own, s.Env = own, q.all(own)
	sees := q.scope(own)
	if s.Name, err = q.stepName(def, sees); err != nil {
		return err
	}
	timeout, err := q.minutes(def.TimeoutMinutes, longest, sees.at("jobs.<job_id>.steps.timeout-minutes"))
	if err != nil {
		return err
	}
	limited, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	var fatal error
	switch exec := def.Exec.(type) {
	case *actionlint.ExecRun:
		fatal = q.script(limited, exec, s, sees)
	case *actionlint.ExecAction:
		fatal = q.uses(limited, exec, s, sees)
	}
	if fatal != nil {
		return q.at(def.Pos, fatal)
	}
	switch {
	case ctx.Err() != nil:
		s.Outcome = Cancelled
	case limited.Err() != nil:
		s.Outcome, s.Problem = Failure, fmt.Sprintf("the step has run longer than its %s", timeout)
	case s.Exit != 0 || s.Problem != "":
		s.Outcome = Failure
	default:
		s.Outcome = Success
	}
	s.Conclusion = s.Outcome
	if s.Outcome == Failure {
		allowed, err := q.flag(def.ContinueOnError, sees.at("jobs.<job_id>.steps.continue-on-error"))
		if err != nil {
			return err
		}
		if allowed {
			s.Conclusion = Success
		}
	}
	if s.Conclusion == Failure && *q.status == Success {
		*q.status = Failure
	}
	q.record(s)
	return nil
}

// record puts a step into the context steps.
func (q *sequence) record(s *Step) {
	if s.ID != "" {
		q.results[s.ID] = map[string]any{"outputs": texts(s.Outputs), "outcome": s.Outcome, "conclusion": s.Conclusion}
	}
}

func (q *sequence) stepName(def *actionlint.Step, s scope) (string, error) {
	if def.Name != nil {
		name, err := s.at("jobs.<job_id>.steps.name").text(def.Name.Value)
		return name, q.at(def.Name.Pos, err)
	}
	switch exec := def.Exec.(type) {
	case *actionlint.ExecRun:
		line, _, _ := strings.Cut(strings.TrimSpace(exec.Run.Value), "\n")
		return "Run " + line, nil
	case *actionlint.ExecAction:
		return "Run " + exec.Uses.Value, nil
	}
	return "", nil
}

// files are what the runner offers a step to write into.
type files struct{ dir string }

var fileNames = []string{"output", "env", "path", "step_summary", "state"}

func (j *activeJob) newFiles(s *Step) (files, error) {
	f := files{filepath.Join(j.Dir, "step-"+strconv.Itoa(s.Number))}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		return f, fmt.Errorf("make the directory of a step of job %s: %w", j.Path, err)
	}
	for _, name := range fileNames {
		if err := os.WriteFile(filepath.Join(f.dir, name), nil, 0o600); err != nil {
			return f, fmt.Errorf("make the files of a step of job %s: %w", j.Path, err)
		}
	}
	return f, nil
}

// maxSummary is the size of the largest summary of a step that GitHub keeps.
const maxSummary = 1 << 20

// read takes what a step has written. What cannot be read fails the step, as on GitHub.
func (j *activeJob) read(f files, s *Step) {
	outputs, err := readOutputs(filepath.Join(f.dir, "output"))
	if err == nil {
		s.Outputs = outputs
	}
	env, envErr := readOutputs(filepath.Join(f.dir, "env"))
	for name, value := range env {
		if !reserved(name) {
			j.env[name] = value
		}
	}
	added, pathErr := os.ReadFile(filepath.Join(f.dir, "path"))
	for line := range strings.SplitSeq(string(added), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			j.path = slices.Insert(j.path, 0, line)
		}
	}
	summary, summaryErr := os.ReadFile(filepath.Join(f.dir, "step_summary"))
	if len(summary) > maxSummary { // GitHub drops it, and the step goes on
		s.Annotations = append(s.Annotations, Annotation{Level: "error", Message: fmt.Sprintf("the summary has %d bytes, and GitHub keeps at most %d", len(summary), maxSummary)})
		summary = nil
	}
	for _, e := range []*error{&pathErr, &summaryErr} {
		if errors.Is(*e, os.ErrNotExist) {
			*e = nil
		}
	}
	s.Summary = j.Masks.Hide(string(summary))
	j.Summary += s.Summary
	if err := errors.Join(err, envErr, pathErr, summaryErr); err != nil && s.Problem == "" {
		s.Problem = "read what the step has written: " + err.Error()
	}
}

// reserved names of variables are not taken from GITHUB_ENV. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-environment-variable
func reserved(name string) bool {
	upper := strings.ToUpper(name)
	return strings.HasPrefix(upper, "GITHUB_") || strings.HasPrefix(upper, "RUNNER_") || upper == "NODE_OPTIONS"
}
