package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"
)

// MaxWorkflow is the size of the largest workflow file that is read.
const MaxWorkflow = 1 << 20

// maxCalls is how deep workflows call workflows. Source:
// https://docs.github.com/actions/reference/workflows-and-actions/reusing-workflow-configurations
const maxCalls = 10

// FileError is what is wrong with a workflow file.
type FileError struct {
	File   string // path in the repository
	Line   int    // 0: the whole file
	Reason string
}

func (e *FileError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Reason
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// FileErrors are the errors of that type in err, once each.
func FileErrors(err error) (all []*FileError) {
	if one, ok := err.(*FileError); ok { //nolint:errorlint // errors.As would find the first one of several
		return []*FileError{one}
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			for _, found := range FileErrors(e) {
				if !slices.ContainsFunc(all, func(f *FileError) bool { return *f == *found }) {
					all = append(all, found)
				}
			}
		}
	}
	return all
}

// Workflow is a workflow file that has been read, with those that it calls.
type Workflow struct {
	File string // path in the repository
	*actionlint.Workflow
	// queues are the values of concurrency.queue by job; that of the workflow has no name.
	queues map[string]string
	// quoted are the places of texts in quotation marks, which the parser does not keep.
	quoted map[actionlint.Pos]bool
	queued bool                 // the file has one, also where it cannot be read
	calls  map[string]*Workflow // by job
}

// Title is how GitHub calls the workflow: its name, or its path.
func (w *Workflow) Title() string {
	if w.Name != nil && w.Name.Value != "" {
		return w.Name.Value
	}
	return w.File
}

// Load reads the workflow at a path of a repository and all that it calls, and checks what GitHub checks
// before a run starts: the syntax of files and expressions, needs, and the workflows that are called.
// The errors are of the type FileError, joined.
func Load(repository fs.FS, file string) (*Workflow, error) { return load(repository, file, 0) }

func load(repository fs.FS, file string, depth int) (*Workflow, error) {
	if depth > maxCalls {
		return nil, &FileError{file, 0, fmt.Sprintf("workflows call each other more than %d levels deep", maxCalls)}
	}
	info, err := fs.Stat(repository, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{file, 0, "there is no such workflow"}
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", file, err)
	case !info.Mode().IsRegular() || info.Size() > MaxWorkflow:
		return nil, &FileError{file, 0, fmt.Sprintf("it is no regular file of at most %d bytes", MaxWorkflow)}
	}
	raw, err := fs.ReadFile(repository, file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	w := &Workflow{File: file, calls: map[string]*Workflow{}, quoted: map[actionlint.Pos]bool{}}
	parsed, problems := actionlint.Parse(raw)
	w.queues, w.queued = queuesOf(raw), bytes.Contains(raw, []byte("queue:"))
	var errs []error
	for _, p := range problems {
		if w.knows(p) {
			continue
		}
		errs = append(errs, &FileError{file, p.Line, p.Message})
	}
	if len(errs) > 0 || parsed == nil {
		return nil, errors.Join(errs...)
	}
	w.Workflow = parsed
	if err := errors.Join(w.checkNeeds(), w.checkExpressions(raw)); err != nil {
		return nil, err
	}
	if err := w.checkRules(); err != nil {
		return nil, err
	}
	for _, id := range sorted(w.Jobs) {
		call := w.Jobs[id].WorkflowCall
		if call == nil {
			continue
		}
		local, ok := strings.CutPrefix(call.Uses.Value, "./")
		if !ok { // of another repository: Run.Check refuses it
			continue
		}
		called, err := load(repository, path.Clean(local), depth+1)
		if err == nil {
			err = w.checkCall(w.Jobs[id], called)
		}
		w.calls[id], errs = called, append(errs, err)
	}
	return w, errors.Join(errs...)
}

// knows reports whether the parser complains of a key that is newer than itself: concurrency.queue.
func (w *Workflow) knows(p *actionlint.Error) bool {
	return w.queued && p.Kind == "syntax-check" && strings.HasPrefix(p.Message, `unexpected key "queue" for "concurrency" section`)
}

// queuesOf reads concurrency.queue of the workflow and of each job.
func queuesOf(raw []byte) map[string]string {
	type limited struct {
		Concurrency yaml.Node
	}
	var document struct {
		Concurrency yaml.Node
		Jobs        map[string]limited
	}
	queues := map[string]string{}
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return queues // the parser of workflows says so
	}
	if document.Jobs == nil {
		document.Jobs = map[string]limited{}
	}
	document.Jobs[""] = limited{document.Concurrency}
	for id, job := range document.Jobs {
		var c struct{ Queue string }
		if job.Concurrency.Kind == yaml.MappingNode && job.Concurrency.Decode(&c) == nil && c.Queue != "" {
			queues[strings.ToLower(id)] = c.Queue
		}
	}
	return queues
}

// checkNeeds holds that jobs need jobs that are there, and not each other.
func (w *Workflow) checkNeeds() error {
	var errs []error
	for _, id := range sorted(w.Jobs) {
		for _, need := range w.Jobs[id].Needs {
			if w.Jobs[strings.ToLower(need.Value)] == nil {
				errs = append(errs, &FileError{w.File, need.Pos.Line, fmt.Sprintf("job %q needs %q, and there is no such job", id, need.Value)})
			}
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, id := range sorted(w.Jobs) {
		if slices.Contains(w.ancestors(id), id) {
			return &FileError{w.File, w.Jobs[id].Pos.Line, fmt.Sprintf("job %q needs itself, through the jobs that it needs", id)}
		}
	}
	return nil
}

// ancestors are the jobs that a job needs, and that those need.
func (w *Workflow) ancestors(id string) []string {
	var found []string
	var visit func(string)
	visit = func(id string) {
		for _, need := range w.Jobs[id].Needs {
			if name := strings.ToLower(need.Value); !slices.Contains(found, name) {
				found = append(found, name)
				visit(name)
			}
		}
	}
	visit(id)
	return found
}

// checkExpressions parses every expression of the file: a wrong one is an error before the run starts.
func (w *Workflow) checkExpressions(raw []byte) error {
	var document yaml.Node
	if err := yaml.Unmarshal(raw, &document); err != nil {
		return &FileError{w.File, 0, err.Error()}
	}
	var errs []error
	var visit func(node *yaml.Node, key string)
	visit = func(node *yaml.Node, key string) {
		switch node.Kind {
		case yaml.ScalarNode:
			if node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
				w.quoted[actionlint.Pos{Line: node.Line, Col: node.Column}] = true
			}
			read := split
			if key == "if" {
				read = conditionParts
			}
			if _, err := read(node.Value); err != nil {
				errs = append(errs, &FileError{w.File, node.Line, err.Error()})
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(node.Content); i += 2 {
				visit(node.Content[i+1], node.Content[i].Value)
			}
		default:
			for _, child := range node.Content {
				visit(child, "")
			}
		}
	}
	visit(&document, "")
	return errors.Join(errs...)
}

// checkCall holds that a job hands a workflow the inputs and secrets that it takes.
func (w *Workflow) checkCall(job *actionlint.Job, called *Workflow) error {
	file, call := w.File, job.WorkflowCall
	event, ok := called.FindWorkflowCallEvent()
	if !ok {
		return &FileError{file, call.Uses.Pos.Line, called.File + " has no `on: workflow_call`, so it cannot be called"}
	}
	var errs []error
	declared := map[string]bool{}
	for _, input := range event.Inputs {
		declared[strings.ToLower(input.ID)] = true
		if _, given := call.Inputs[strings.ToLower(input.ID)]; input.IsRequired() && input.Default == nil && !given {
			errs = append(errs, &FileError{file, call.Uses.Pos.Line, fmt.Sprintf("the input %q of %s is required", input.Name.Value, called.File)})
		}
	}
	for _, name := range sorted(call.Inputs) {
		if !declared[name] {
			errs = append(errs, &FileError{file, call.Inputs[name].Name.Pos.Line, fmt.Sprintf("%s has no input %q", called.File, name)})
		}
	}
	for _, name := range sorted(call.Secrets) {
		if event.Secrets[name] == nil {
			errs = append(errs, &FileError{file, call.Secrets[name].Name.Pos.Line, fmt.Sprintf("%s has no secret %q", called.File, name)})
		}
	}
	for _, name := range sorted(event.Secrets) {
		if s := event.Secrets[name]; s.Required != nil && s.Required.Value && call.Secrets[name] == nil && !call.InheritSecrets {
			errs = append(errs, &FileError{file, call.Uses.Pos.Line, fmt.Sprintf("the secret %q of %s is required", name, called.File)})
		}
	}
	return errors.Join(errs...)
}
