package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// call is one request on its way through the rules.
type call struct {
	s      *Server
	r      *http.Request
	route  *route
	params map[string]string
	body   []byte
	token  *Token // nil: anonymous
	app    *app   // nil unless an App speaks for itself
	repo   *Repo  // nil on paths without a repository
	header http.Header
	after  []func() // run when the lock is released
	free   bool     // does not count against the rate limit
	points int      // what a query costs; 0: one
}

// route is one line of the table in routes.go. Patterns are those of GitHub's
// API description; "{name...}" takes one or more segments.
type route struct {
	method  string
	pattern string
	needs   []need // any of them is enough; empty: none
	public  bool   // not a part of the API: no token, no limit
	handle  func(*call) reply
}

// need is one permission at one level.
type need struct{ name, level string }

func reads(names ...string) []need { return needs("read", names) }

func writes(names ...string) []need { return needs("write", names) }

func needs(level string, names []string) []need {
	out := make([]need, 0, len(names))
	for _, n := range names {
		out = append(out, need{n, level})
	}
	return out
}

// page cuts items to the asked page and notes the Link header. GitHub gives 30
// per page by default and 100 at most.
func page[T any](c *call, items []T) []T { return pageSized(c, items, 30, 100) }

// pageSized is page for a list with other sizes of its pages.
func pageSized[T any](c *call, items []T, standard, most int) []T {
	q := c.r.URL.Query()
	per, number := standard, 1
	if n, err := strconv.Atoi(q.Get("per_page")); err == nil && n > 0 {
		per = min(n, most)
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 0 {
		number = n
	}
	last := max(1, (len(items)+per-1)/per)
	c.link(q, number, last)
	if number > last {
		return []T{}
	}
	return items[(number-1)*per : min(number*per, len(items))]
}

func (c *call) link(q url.Values, number, last int) {
	var parts []string
	add := func(rel string, n int) {
		q.Set("page", strconv.Itoa(n))
		parts = append(parts, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.s.url, c.r.URL.EscapedPath(), q.Encode(), rel))
	}
	if number > 1 {
		add("prev", min(number-1, last))
	}
	if number < last {
		add("next", number+1)
		add("last", last)
	}
	if number > 1 {
		add("first", 1)
	}
	if len(parts) > 0 {
		c.header.Set("Link", strings.Join(parts, ", "))
	}
}

// decode reads the JSON body into v; the second result is the refusal.
func (c *call) decode(v any) (reply, bool) {
	if err := json.Unmarshal(c.body, v); err != nil {
		if wrongType := new(json.UnmarshalTypeError); errors.As(err, &wrongType) {
			return problem(http.StatusUnprocessableEntity, "Invalid request.\n\n"+err.Error()), false
		}
		return problem(http.StatusBadRequest, "Problems parsing JSON"), false
	}
	return reply{}, true
}

const inRepo = "/repos/{owner}/{repo}"
