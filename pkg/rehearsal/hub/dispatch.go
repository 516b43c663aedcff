package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits of a repository_dispatch: GitHub's page "Create a repository dispatch
// event".
const (
	maxPayloadProperties = 10
	maxPayloadBytes      = 65535
	maxEventType         = 100
	maxInputs            = 25
)

// Workflow says what a workflow file listens to.
type Workflow struct {
	Path string // .github/workflows/….yml
	Name string // empty: the path
	// Dispatches are the types of `on: repository_dispatch`; nil: it does not
	// listen; empty and not nil: every type.
	Dispatches []string
	// Manual: it has `on: workflow_dispatch`, with these inputs.
	Manual bool
	Inputs []Input
	// RunName is the file's `run-name:`, from the event file; nil: the event type
	// or the name of the workflow. It is called under the server's lock and must
	// not call back.
	RunName func(event json.RawMessage) string
}

// Input is one input of a workflow_dispatch.
type Input struct {
	Name     string
	Required bool
	Default  string
}

type workflow struct {
	Workflow
	id   int64
	runs int
}

// Queued is a run that a dispatch has made.
type Queued struct {
	Repo *Repo
	Run  Run // with its event file as Payload
}

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

// postDispatch is POST …/dispatches. The answer is 204 whether or not a workflow
// listens; the runs are of the default branch.
func postDispatch(c *call) reply {
	var in struct {
		EventType string          `json:"event_type"`
		Payload   json.RawMessage `json:"client_payload"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	if refusal, good := checkDispatch(in.EventType, in.Payload); !good {
		return refusal
	}
	head := c.repo.refs["refs/heads/"+c.repo.defaultBranch]
	for _, w := range c.repo.workflows {
		listens := w.Dispatches != nil && (len(w.Dispatches) == 0 || slices.Contains(w.Dispatches, in.EventType))
		if !listens || head == "" {
			continue
		}
		event, err := json.Marshal(c.repo.dispatchEvent(in.EventType, in.Payload, c.token))
		if err != nil {
			return problem(500, err.Error())
		}
		c.queue(w, NewRun{Event: "repository_dispatch", Title: in.EventType, HeadSHA: head, HeadBranch: c.repo.defaultBranch}, event)
	}
	return noContent()
}

func checkDispatch(eventType string, payload json.RawMessage) (reply, bool) {
	switch {
	case eventType == "":
		return problem(422, `Invalid request.\n\n"event_type" wasn't supplied.`), false
	case len([]rune(eventType)) > maxEventType:
		return problem(422, "Invalid request.\n\nevent_type is too long (maximum is 100 characters)."), false
	case len(payload) > maxPayloadBytes:
		return problem(422, "Invalid request.\n\nclient_payload is too large."), false
	case len(payload) == 0 || string(payload) == "null":
		return reply{}, true
	}
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(payload, &properties); err != nil {
		return problem(422, "Invalid request.\n\nFor 'properties/client_payload', the value is not an object."), false
	}
	if len(properties) > maxPayloadProperties {
		return problem(422, "Invalid request.\n\nNo more than 10 properties are allowed; "+strconv.Itoa(len(properties))+" were supplied."), false
	}
	return reply{}, true
}

// queue makes the run and announces it when the lock is released.
func (c *call) queue(w *workflow, n NewRun, event json.RawMessage) *run {
	n.Path, n.Actor, n.Status = w.Path, c.token.User, "queued"
	if w.RunName != nil {
		n.Title = w.RunName(event)
	}
	x := c.repo.newRun(n)
	x.Payload = event
	q := Queued{Repo: c.repo, Run: x.copy()}
	c.s.queue = append(c.s.queue, q)
	close(c.s.queueWake)
	c.s.queueWake = make(chan struct{})
	if hook := c.s.opts.OnRun; hook != nil {
		c.after = append(c.after, func() { hook(q) })
	}
	return x
}

// NextRun takes the oldest queued run that nobody has taken yet, and waits for
// one until ctx is done.
func (s *Server) NextRun(ctx context.Context) (Queued, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			q := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return q, nil
		}
		wake := s.queueWake
		s.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return Queued{}, fmt.Errorf("wait for a dispatched run: %w", ctx.Err())
		}
	}
}

// postWorkflowDispatch is POST …/actions/workflows/{workflow_id}/dispatches.
func postWorkflowDispatch(c *call) reply {
	w := c.repo.findWorkflow(c.params["workflow_id"])
	if w == nil {
		return notFound()
	}
	var in struct {
		Ref     string         `json:"ref"`
		Inputs  map[string]any `json:"inputs"`
		Details bool           `json:"return_run_details"`
	}
	if refusal, good := c.decode(&in); !good {
		return refusal
	}
	ref := strings.TrimPrefix(in.Ref, "refs/heads/")
	head := c.repo.refs["refs/heads/"+ref]
	switch {
	case !w.Manual:
		return problem(422, "Workflow does not have 'workflow_dispatch' trigger")
	case head == "":
		return problem(422, "No ref found for: "+in.Ref)
	}
	inputs, refusal, good := w.inputs(in.Inputs)
	if !good {
		return refusal
	}
	event, err := json.Marshal(c.repo.manualEvent(w, "refs/heads/"+ref, inputs, c.token.User))
	if err != nil {
		return problem(500, err.Error())
	}
	x := c.queue(w, NewRun{Event: "workflow_dispatch", Title: w.Name, HeadSHA: head, HeadBranch: ref}, event)
	if !in.Details {
		return noContent()
	}
	return ok(object{"workflow_run_id": x.ID, "run_url": fmt.Sprintf("%s/actions/runs/%d", c.repo.api(), x.ID), "html_url": x.URL})
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
