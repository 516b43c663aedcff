package intake

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Forward is the inbox's side: it hands a request of a customer on to the manager, which
// proves it as one that came there directly. The inbox proves nothing, and what it sends is
// written anew from the fields of a request, so that nothing else gets through.
type Forward struct {
	Manager dispatcher // with a token of the provider for the manager
	Logf    func(format string, args ...any)
}

// ForwardInput is one call of forward.
type ForwardInput struct {
	Event   pipeline.Event // the inbox's own, a repository_dispatch
	Manager pipeline.Slug
}

// maxForwarded bounds a request with its proof, in bytes. An ID token has a few thousand.
const maxForwarded = 32 << 10

// Run forwards the request of the event. What is none is a *RejectedError, and nothing is
// sent then.
func (f Forward) Run(ctx context.Context, in ForwardInput) error {
	if in.Event.Name != "repository_dispatch" {
		return pipeline.Usagef("forward works on the event repository_dispatch, and this run was started by %.40q", in.Event.Name).
			Nextf("use it in the workflow of the inbox only")
	}
	if in.Event.Repository.Slug.Equal(in.Manager) {
		return pipeline.Usagef("the inbox %s would send each request to itself", in.Manager).
			Nextf("name the manager with MANAGER_REPO_OWNER and MANAGER_REPO_NAME, or --manager")
	}
	refused := func(err error) error {
		rejected := &pipeline.RejectedError{Reason: pipeline.ReasonInvalidPayload, Message: "nothing was forwarded: " + err.Error(),
			Next: "the customer's job says that its request was not picked up; `metapipe trigger` sends proper ones"}
		return rejected.Public()
	}
	if in.Event.Action != pipeline.DispatchEvent {
		return refused(fmt.Errorf("the event type is %.40q and not %q", in.Event.Action, pipeline.DispatchEvent))
	}
	if n := len(in.Event.Payload); n > maxForwarded {
		return refused(fmt.Errorf("the payload has %d bytes, and a request at most %d", n, maxForwarded))
	}
	payload, err := pipeline.ParsePayload(in.Event.Payload)
	if err != nil {
		return refused(err)
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	if err := f.Manager.Dispatch(ctx, in.Manager, pipeline.DispatchEvent, body); err != nil {
		return fmt.Errorf("forward request %s to %s: %w", payload.Request.ID.Short(), in.Manager, err)
	}
	f.Logf("request %s was forwarded to %s, which verifies it", payload.Request.ID.Short(), in.Manager)
	return nil
}
