package spacelift

import (
	"context"
	"errors"
)

// place is something that stacks refer to.
type place struct {
	ID   string `json:"id"`
	Type string `json:"type"` // of a policy
}

var (
	readSpace   = query("Space", `($id: ID!){space(id: $id){id}}`)
	readPolicy  = query("Policy", `($id: ID!){policy(id: $id){id type}}`)
	readContext = query("Context", `($id: ID!){context(id: $id){id}}`)
	readPools   = query("WorkerPools", `{workerPools{id}}`)
)

// Login gets a token, and so says whether the API key is good.
func (c *Client) Login(ctx context.Context) error {
	_, _, err := c.login(ctx, "")
	return err
}

// Space reads a space; false: there is none, or none that the key sees.
func (c *Client) Space(ctx context.Context, id string) (bool, error) {
	_, there, err := c.place(ctx, readSpace, "space", id)
	return there, err
}

// Policy reads whether a policy asks for an approval; false as with Space.
func (c *Client) Policy(ctx context.Context, id string) (asksApproval, there bool, err error) {
	p, there, err := c.place(ctx, readPolicy, "policy", id)
	return p.Type == approvalType, there, err
}

// Context reads a context; false as with Space.
func (c *Client) Context(ctx context.Context, id string) (bool, error) {
	_, there, err := c.place(ctx, readContext, "context", id)
	return there, err
}

// place reads one thing by its id. What the key may not see is answered as what is not there.
func (c *Client) place(ctx context.Context, o operation, kind, id string) (place, bool, error) {
	var answer map[string]*place
	err := c.do(ctx, call{operation: o, what: "read the " + kind + " " + id, variables: map[string]any{"id": id}}, &answer)
	var refused *Error
	if errors.As(err, &refused) && (refused.NotFound || refused.Unauthorized) {
		return place{}, false, nil
	}
	if err != nil || answer[kind] == nil {
		return place{}, false, err
	}
	return *answer[kind], true, nil
}

// WorkerPool reports whether the key sees a private pool.
func (c *Client) WorkerPool(ctx context.Context, id string) (bool, error) {
	var answer struct {
		Pools []identified `json:"workerPools"`
	}
	if err := c.do(ctx, call{operation: readPools, what: "read the worker pools"}, &answer); err != nil {
		return false, err
	}
	for _, p := range answer.Pools {
		if p.ID == id {
			return true, nil
		}
	}
	return false, nil
}
