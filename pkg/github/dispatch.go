package github

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The limits of a repository_dispatch:
// https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event
const (
	maxEventType       = 100
	maxPayloadBytes    = 64<<10 - 1
	maxPayloadElements = 10
)

// Dispatch starts the workflows of the manager that listen to eventType. The
// payload must be a JSON object of at most ten top-level properties and less
// than 64 KiB; what GitHub would refuse is refused before it is sent. GitHub
// answers without a run id, and may drop the event even so.
//
// It is repeated when the answer is lost: nothing shows whether it
// was done, and the manager accepts a request id from one run only.
func (c *Client) Dispatch(ctx context.Context, manager pipeline.Slug, eventType string, payload json.RawMessage) error {
	k := write(http.MethodPost, manager, fmt.Sprintf("dispatch %q to the workflows", eventType), "/repos/{owner}/{repo}/dispatches")
	k.repeatable = true
	compact, err := checkDispatch(eventType, payload)
	if err != nil {
		return k.fail(err)
	}
	in := github.DispatchRequestOptions{EventType: eventType, ClientPayload: &compact}
	_, err = c.send(ctx, k, in, nil)
	return err
}

func checkDispatch(eventType string, payload json.RawMessage) (json.RawMessage, error) {
	if n := utf8.RuneCountInString(eventType); n == 0 || n > maxEventType {
		return nil, fmt.Errorf("the event type has %d characters; 1 to %d are allowed", n, maxEventType)
	}
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(payload, &properties); err != nil {
		return nil, fmt.Errorf("the payload is not a JSON object: %w", err)
	}
	if properties == nil {
		return nil, errors.New("the payload is not a JSON object but null")
	}
	if n := len(properties); n > maxPayloadElements {
		return nil, fmt.Errorf("the payload has %d top-level properties; at most %d are allowed", n, maxPayloadElements)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, payload); err != nil {
		return nil, err
	}
	if n := compact.Len(); n > maxPayloadBytes {
		return nil, fmt.Errorf("the payload has %d bytes; at most %d are allowed", n, maxPayloadBytes)
	}
	return compact.Bytes(), nil
}
