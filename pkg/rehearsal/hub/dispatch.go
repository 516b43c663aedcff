package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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

// NextRun takes the oldest queued run that no one has taken yet, and waits for
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
