package github

import "github.com/metapipe/metapipe/pkg/pipeline"

// Calls returns how often each route was asked so far, retries included,
// ordered by route and method.
func (c *Client) Calls() []Calls { return c.transport.calls.list() }

// Budget returns what was asked so far, in sum.
func (c *Client) Budget() pipeline.Budget {
	c.transport.calls.mu.Lock()
	defer c.transport.calls.mu.Unlock()
	return c.transport.calls.sum
}
