package hub

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// AddWorkflow registers what a workflow file of the default branch listens to.
func (r *Repo) AddWorkflow(w Workflow) error {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if !strings.HasPrefix(w.Path, ".github/workflows/") {
		return fmt.Errorf("add workflow %q to %s: it is not in .github/workflows/", w.Path, r.slug())
	}
	have := r.workflow(w.Path)
	have.Workflow = w
	if have.Name == "" {
		have.Name = w.Path
	}
	return nil
}

// workflow finds a workflow by its path or registers it without triggers.
func (r *Repo) workflow(p string) *workflow {
	for _, w := range r.workflows {
		if w.Path == p {
			return w
		}
	}
	w := &workflow{Workflow: Workflow{Path: p, Name: p}, id: r.s.id("workflow")}
	r.workflows = append(r.workflows, w)
	return w
}

// findWorkflow takes an id or the name of the file.
func (r *Repo) findWorkflow(key string) *workflow {
	for _, w := range r.workflows {
		if strconv.FormatInt(w.id, 10) == key || path.Base(w.Path) == key || w.Path == key {
			return w
		}
	}
	return nil
}

// inputs checks the given values and fills in the defaults.
func (w *workflow) inputs(given map[string]any) (map[string]string, reply, bool) {
	if len(given) > maxInputs {
		return nil, problem(422, "Invalid request.\n\nNo more than 25 inputs are allowed."), false
	}
	out := map[string]string{}
	for _, in := range w.Inputs {
		v, have := given[in.Name]
		switch {
		case have:
			out[in.Name] = fmt.Sprint(v)
		case in.Required && in.Default == "":
			return nil, problem(422, "Required input '"+in.Name+"' not provided"), false
		default:
			out[in.Name] = in.Default
		}
	}
	var unexpected []string
	for name := range given {
		if _, known := out[name]; !known {
			unexpected = append(unexpected, strconv.Quote(name))
		}
	}
	if len(unexpected) > 0 {
		slices.Sort(unexpected)
		return nil, problem(422, "Unexpected inputs provided: ["+strings.Join(unexpected, ", ")+"]"), false
	}
	return out, reply{}, true
}

// Limits of a repository_dispatch: GitHub's page "Create a repository dispatch
// event".
const (
	maxPayloadProperties = 10
	maxPayloadBytes      = 65535
	maxEventType         = 100
	maxInputs            = 25
)
