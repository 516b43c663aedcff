package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"
)

// StandIns is where a repository has stand-ins for actions: <owner>/<name>/action.yml below it, a composite action.
const StandIns = ".rehearsal/actions"

// Action does in this run what an action does on GitHub.
type Action func(ctx context.Context, c *Call) error

// Call is a step that uses an action.
type Call struct {
	*Step
	Inputs  map[string]string // `with`, by names in lower case
	Run     *Run
	Log     func(format string, args ...any) // a line of the step's log
	Set     func(name, value string)         // sets a variable for the steps after it
	AddPath func(dir string)                 // puts a directory before PATH for the steps after it

	job *activeJob
}

// Fail ends the step as failed.
func (c *Call) Fail(format string, args ...any) error {
	c.Problem = fmt.Sprintf(format, args...)
	return nil
}

// Check holds that the run can be executed here, before anything runs: every action of the workflow and of those it
// calls has a stand-in, and no job wants a container. The errors are of the type FileError, joined.
func (r *Run) Check() error { return r.check(r.Workflow) }

func (r *Run) check(w *Workflow) error {
	var errs []error
	for _, id := range sorted(w.Jobs) {
		job := w.Jobs[id]
		switch called := w.calls[id]; {
		case called != nil:
			errs = append(errs, r.check(called))
		case job.WorkflowCall != nil:
			uses := job.WorkflowCall.Uses
			errs = append(errs, &FileError{w.File, uses.Pos.Line, "the workflow " + uses.Value + " lies in another repository, which is not part of this run: copy it into this one"})
		}
		if job.Container != nil || job.Services != nil {
			errs = append(errs, &FileError{w.File, job.Pos.Line, fmt.Sprintf("job %q runs in a container, and there are none here", id)})
		}
		for _, step := range job.Steps {
			if action, ok := step.Exec.(*actionlint.ExecAction); ok {
				if strings.HasPrefix(action.Uses.Value, "./") && checksOutElsewhere(job) {
					continue // what lies there is seen when the job runs
				}
				errs = append(errs, r.checkAction(w.File, action))
			}
		}
	}
	return errors.Join(errs...)
}

// checksOutElsewhere reports whether a job checks something out below its workspace: its own actions can lie there.
func checksOutElsewhere(job *actionlint.Job) bool {
	return slices.ContainsFunc(job.Steps, func(step *actionlint.Step) bool {
		action, ok := step.Exec.(*actionlint.ExecAction)
		return ok && actionName(action.Uses.Value) == "actions/checkout" && action.Inputs["path"] != nil
	})
}

func (r *Run) checkAction(file string, action *actionlint.ExecAction) error {
	uses := action.Uses.Value
	name := actionName(uses)
	local := strings.HasPrefix(uses, "./")
	if !local && (r.Actions[name] != nil || known[name] != nil) {
		return nil
	}
	at := path.Join(StandIns, name, "action.yml")
	if local {
		at = path.Join(path.Clean(strings.TrimPrefix(uses, "./")), "action.yml")
	}
	raw, err := actionFile(r.Repository, &at)
	switch {
	case err == nil:
		if _, _, err = readComposite(raw); err != nil {
			return &FileError{at, 0, err.Error()}
		}
		return nil
	case local:
		return &FileError{file, action.Uses.Pos.Line, fmt.Sprintf("the action %s is not in this commit: there is no %s", uses, at)}
	}
	return &FileError{file, action.Uses.Pos.Line, fmt.Sprintf("the action %s cannot run here: write %s, a composite action that stands in for it", uses, at)}
}

// actionName is owner/name, or owner/name/path, without the ref.
func actionName(uses string) string {
	name, _, _ := strings.Cut(uses, "@")
	return strings.ToLower(name)
}

// uses runs an action.
func (q *sequence) uses(ctx context.Context, def *actionlint.ExecAction, s *Step, sees scope) error {
	s.Uses = def.Uses.Value
	c := &Call{Step: s, Inputs: map[string]string{}, Run: q.Run, job: q.activeJob}
	for _, name := range sorted(def.Inputs) {
		value, err := sees.at("jobs.<job_id>.steps.with").text(def.Inputs[name].Value.Value)
		if err != nil {
			return q.at(def.Inputs[name].Value.Pos, err)
		}
		c.Inputs[strings.ToLower(name)] = value
	}
	name := actionName(s.Uses)
	switch own := path.Join(StandIns, name, "action.yml"); {
	case strings.HasPrefix(s.Uses, "./"):
		dir := filepath.Join(q.Workspace, filepath.FromSlash(strings.TrimPrefix(s.Uses, "./")))
		return q.composite(ctx, c, os.DirFS(dir), ".", dir)
	case q.Actions[name] == nil && exists(q.Repository, own):
		return q.composite(ctx, c, q.Repository, path.Dir(own), filepath.Join(q.Workspace, filepath.FromSlash(path.Dir(own))))
	}
	action := q.Actions[name]
	if action == nil {
		action = known[name]
	}
	if action == nil {
		return q.checkAction(q.file, def)
	}
	reader := &interpreter{masks: q.Masks}
	line := q.Host.Begin(s)
	c.Log = func(format string, args ...any) { line(reader.read(fmt.Sprintf(format, args...))) }
	c.Set = func(name, value string) { q.env[name] = value }
	c.AddPath = func(dir string) { q.path = append([]string{dir}, q.path...) }
	if err := action(ctx, c); err != nil {
		s.Problem = err.Error()
	}
	if s.Problem != "" {
		c.Log("::error::%s", s.Problem)
		s.Annotations = reader.annotations
	}
	q.Host.End(s)
	return nil
}

func exists(repository fs.FS, name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	_, err := fs.Stat(repository, name)
	return err == nil
}

// compositeFile is an action.yml of a composite action.
type compositeFile struct {
	Inputs map[string]struct {
		Default  string
		Required bool
	}
	Outputs map[string]struct{ Value string }
	Runs    struct {
		Using string
		Steps yaml.Node
	}
}

// actionFile reads an action.yml, or the action.yaml beside it, whose name is in *at then.
func actionFile(files fs.FS, at *string) ([]byte, error) {
	if !fs.ValidPath(*at) {
		return nil, fs.ErrNotExist
	}
	raw, err := fs.ReadFile(files, *at)
	if other := strings.TrimSuffix(*at, ".yml") + ".yaml"; errors.Is(err, fs.ErrNotExist) {
		if raw, err := fs.ReadFile(files, other); err == nil {
			*at = other
			return raw, nil
		}
	}
	return raw, err
}

// readComposite reads an action.yml and its steps.
func readComposite(raw []byte) (file compositeFile, steps []*actionlint.Step, err error) {
	if err = yaml.Unmarshal(raw, &file); err != nil {
		return file, nil, err
	}
	if file.Runs.Using != "composite" {
		return file, nil, fmt.Errorf("it uses %q, and only composite actions run here: write %s, which stands in for it", file.Runs.Using, path.Join(StandIns, "<owner>/<name>/action.yml"))
	}
	steps, err = compositeSteps(file.Runs.Steps)
	return file, steps, err
}

// composite runs a composite action: files holds it below at, and dir is where its scripts find it.
func (q *sequence) composite(ctx context.Context, c *Call, files fs.FS, at, dir string) error {
	name := path.Join(at, "action.yml")
	raw, err := actionFile(files, &name)
	if err != nil {
		return c.Fail("%s has no action.yml here: check the repository out first", c.Uses)
	}
	file, steps, err := readComposite(raw)
	if err != nil {
		return c.Fail("%s: %v", c.Uses, err)
	}
	in := &composite{dir: dir, inputs: map[string]any{}, env: map[string]string{}}
	if q.action != nil {
		maps.Copy(in.env, q.action.env)
	}
	maps.Copy(in.env, c.own)
	github := scope{contexts: map[string]any{"github": q.github()}}
	for name, input := range file.Inputs { // GitHub does not hold that a required one is given
		if v, ok := c.Inputs[strings.ToLower(name)]; ok {
			in.inputs[name] = v
		} else if in.inputs[name], err = github.text(input.Default); err != nil {
			return &FileError{name, 0, err.Error()}
		}
	}
	status := Success
	inner := &sequence{activeJob: q.activeJob, steps: steps, file: name, results: map[string]any{}, status: &status, action: in}
	if strings.HasPrefix(c.Uses, "./") {
		inner.file = path.Join(strings.TrimPrefix(c.Uses, "./"), path.Base(name))
	}
	if err := inner.run(ctx); err != nil {
		return err
	}
	s := inner.scope(nil)
	for _, name := range sorted(file.Outputs) {
		if c.Outputs[name], err = s.text(file.Outputs[name].Value); err != nil {
			return &FileError{inner.file, 0, err.Error()}
		}
	}
	if status == Failure {
		c.Problem = "a step of " + c.Uses + " has failed"
	}
	return nil
}

// compositeSteps reads the steps of a composite action as those of a job.
func compositeSteps(node yaml.Node) ([]*actionlint.Step, error) {
	raw, err := yaml.Marshal(map[string]any{"on": "push", "jobs": map[string]any{"action": map[string]any{"runs-on": "here", "steps": &node}}})
	if err != nil {
		return nil, err
	}
	w, problems := actionlint.Parse(raw)
	if len(problems) > 0 {
		return nil, errors.New(problems[0].Message)
	}
	for i, step := range w.Jobs["action"].Steps {
		if run, ok := step.Exec.(*actionlint.ExecRun); ok && (run.Shell == nil || run.Shell.Value == "") {
			return nil, fmt.Errorf("step %d of the action has run and no shell, which GitHub requires in an action", i+1)
		}
	}
	return w.Jobs["action"].Steps, nil
}
