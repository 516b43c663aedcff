package actions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The limits that GitHub holds for dispatches; a larger payload is not one of
// GitHub's. https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
// https://docs.github.com/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflow_dispatch
const (
	maxClientPayload = 64 << 10
	maxProperties    = 10
	maxInputs        = 25
	maxInputsBytes   = 65535
)

func readPush(p *payload, _ Context, e *pipeline.Event) (err error) {
	if e.Ref, err = parseRef(p.Ref); err != nil {
		return fmt.Errorf("ref: %w", err)
	}
	e.Branch = branchOf(e.Ref)
	if e.Head, err = parseCommit("after", p.After); err != nil {
		return err
	}
	if e.Base, err = parseCommit("before", p.Before); err != nil {
		return err
	}
	e.Deleted = p.Deleted || e.Head.Zero()
	return nil
}

func readPullRequest(p *payload, c Context, e *pipeline.Event) (err error) {
	pr := p.PullRequest
	if pr == nil || pr.Number <= 0 || (p.Number != 0 && p.Number != pr.Number) {
		return errors.New("the pull request or its number is missing")
	}
	if pr.Base.Repo == nil || pr.Base.Repo.ID != e.Repository.ID {
		return errors.New("the pull request belongs to another repository")
	}
	e.PullRequest = pr.Number
	if e.Head, err = parseCommit("pull_request.head.sha", pr.Head.SHA); err != nil {
		return err
	}
	if e.Base, err = parseCommit("pull_request.base.sha", pr.Base.SHA); err != nil {
		return err
	}
	if e.Head.Zero() {
		return errors.New("the pull request has no head commit")
	}
	if e.Branch, err = parseBranch(pr.Head.Ref); err != nil {
		return fmt.Errorf("pull_request.head.ref: %w", err)
	}
	// Once merged the run's ref is the base branch; the environment knows.
	e.Ref = c.Ref
	if e.Ref == "" {
		e.Ref = fmt.Sprintf("refs/pull/%d/merge", pr.Number)
	}
	e.Fork = pr.Head.Repo == nil || pr.Head.Repo.ID != pr.Base.Repo.ID
	if pr.State != "open" && pr.State != "closed" {
		return errors.New("pull_request.state is neither open nor closed")
	}
	e.Closed = pr.State == "closed" || pr.Merged
	e.Retargeted = len(p.Changes.Base) > 0 && string(p.Changes.Base) != "null"
	e.Action, err = parseAction(p.Action)
	return err
}

func readMergeGroup(p *payload, _ Context, e *pipeline.Event) (err error) {
	if p.MergeGroup == nil {
		return errors.New("merge_group is missing")
	}
	if e.Ref, err = parseRef(p.MergeGroup.HeadRef); err != nil {
		return fmt.Errorf("merge_group.head_ref: %w", err)
	}
	e.Branch = branchOf(e.Ref)
	if e.Head, err = parseCommit("merge_group.head_sha", p.MergeGroup.HeadSHA); err != nil {
		return err
	}
	if e.Base, err = parseCommit("merge_group.base_sha", p.MergeGroup.BaseSHA); err != nil {
		return err
	}
	e.Action, err = parseAction(p.Action)
	return err
}

func readWorkflowDispatch(p *payload, c Context, e *pipeline.Event) (err error) {
	if e.Ref, err = parseRef(p.Ref); err != nil {
		return fmt.Errorf("ref: %w", err)
	}
	if c.Ref != "" && c.Ref != e.Ref {
		return fmt.Errorf("the payload is about %s and the run about %s", e.Ref, c.Ref)
	}
	e.Branch, e.Head = branchOf(e.Ref), c.SHA
	e.Inputs, err = readInputs(p.Inputs)
	return err
}

// readInputs takes strings as they are, and numbers and booleans in their JSON
// form.
func readInputs(raw map[string]json.RawMessage) (map[string]string, error) {
	if len(raw) > maxInputs {
		return nil, fmt.Errorf("there are %d inputs; at most %d are possible", len(raw), maxInputs)
	}
	inputs, size := make(map[string]string, len(raw)), 0
	for name, value := range raw {
		var text string
		switch value := bytes.TrimSpace(value); {
		case len(value) == 0 || bytes.Equal(value, []byte("null")):
		case value[0] == '"':
			if err := json.Unmarshal(value, &text); err != nil {
				return nil, fmt.Errorf("input %s: %w", pipeline.Quote(name), err)
			}
		case value[0] == '{' || value[0] == '[':
			return nil, fmt.Errorf("input %s is neither a string nor a number nor a boolean", pipeline.Quote(name))
		default:
			text = string(value)
		}
		if size += len(name) + len(text); size > maxInputsBytes {
			return nil, fmt.Errorf("the inputs are larger than %d characters", maxInputsBytes)
		}
		inputs[name] = text
	}
	return inputs, nil
}

// readRepositoryDispatch takes the commit from the environment: such runs use
// the newest commit of the default branch, and the payload does not name it.
func readRepositoryDispatch(p *payload, c Context, e *pipeline.Event) error {
	branch, err := parseBranch(p.Branch)
	if err != nil {
		return fmt.Errorf("branch: %w", err)
	}
	e.Branch, e.Ref, e.Head = branch, "refs/heads/"+branch, c.SHA
	e.Action = p.Action // whatever its sender has written
	if c.Ref != "" && c.Ref != e.Ref {
		return fmt.Errorf("the payload is about %s and the run about %s", e.Ref, c.Ref)
	}
	if len(p.ClientPayload) == 0 || bytes.Equal(p.ClientPayload, []byte("null")) {
		return nil
	}
	if len(p.ClientPayload) > 4*maxClientPayload { // the runner indents the event file
		return fmt.Errorf("client_payload is larger than %d KiB", maxClientPayload>>10)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, p.ClientPayload); err != nil {
		return fmt.Errorf("client_payload: %w", err)
	}
	if compact.Len() > maxClientPayload {
		return fmt.Errorf("client_payload is larger than %d KiB", maxClientPayload>>10)
	}
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(compact.Bytes(), &properties); err != nil {
		return fmt.Errorf("client_payload is not an object: %w", err)
	}
	if len(properties) > maxProperties {
		return fmt.Errorf("client_payload has %d top-level properties; at most %d are possible", len(properties), maxProperties)
	}
	e.Payload = compact.Bytes()
	return nil
}

// readSchedule takes everything from the environment; the payload holds only
// the cron line.
func readSchedule(_ *payload, c Context, e *pipeline.Event) error {
	e.Ref, e.Branch, e.Head = c.Ref, branchOf(c.Ref), c.SHA
	return nil
}

// parseAction reads what happened. Without it no one knows whether anything is asked.
func parseAction(s string) (string, error) {
	if s == "" || len(s) > 60 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "", fmt.Errorf("action %s is not one of GitHub's", pipeline.Quote(s))
	}
	return s, nil
}

// parseCommit reads a commit id; git's null id becomes the zero SHA.
func parseCommit(field, s string) (pipeline.SHA, error) {
	sha, err := pipeline.ParseSHA(s)
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	if sha.Zero() {
		return "", nil
	}
	return sha, nil
}
