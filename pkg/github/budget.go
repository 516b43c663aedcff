package github

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Calls is how often one route of the API was asked.
type Calls struct {
	Method string `json:"method"`
	Route  string `json:"route"` // as in GitHub's API description: /repos/{owner}/{repo}
	Count  int    `json:"count"` // requests sent, those below included
	// Unchanged are reads that GitHub answered with 304: they cost no rate limit.
	Unchanged int `json:"unchanged,omitempty"`
	// Retries are requests that were sent again.
	Retries int `json:"retries,omitempty"`
}

// counter counts requests by method and route.
type counter struct {
	mu    sync.Mutex
	calls map[string]*Calls
	sum   pipeline.Budget
}

func (c *counter) of(method, route string) *Calls {
	if c.calls == nil {
		c.calls = map[string]*Calls{}
	}
	route = strings.ReplaceAll(route, "{+", "{")
	n := c.calls[method+route]
	if n == nil {
		n = &Calls{Method: method, Route: route}
		c.calls[method+route] = n
	}
	return n
}

func (c *counter) add(k call, method string, again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.of(method, k.route)
	n.Count++
	if again {
		n.Retries++
		c.sum.Retries++
	}
	if k.writes() {
		c.sum.Writes++
	} else {
		c.sum.Reads++
	}
}

func (c *counter) unchanged(k call, method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(method, k.route).Unchanged++
	c.sum.Unchanged++
}

func (c *counter) waited(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sum.Waited += d
}

func (c *counter) list() []Calls {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Calls, 0, len(c.calls))
	for _, n := range c.calls {
		list = append(list, *n)
	}
	slices.SortFunc(list, func(a, b Calls) int {
		return cmp.Or(strings.Compare(a.Route, b.Route), strings.Compare(a.Method, b.Method))
	})
	return list
}

// writes reports whether a call changes anything for anybody.
func (k call) writes() bool {
	return k.method != http.MethodGet && k.method != http.MethodHead && !k.harmless
}
