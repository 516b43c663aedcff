package github

import (
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// freshStatuses is how old a list may be that says a status need not be written.
const freshStatuses = time.Second

func (c *Client) statusesOf(slug pipeline.Slug, sha pipeline.SHA, now time.Time) (list []pipeline.Status, age time.Duration, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.statuses
	if !m.of(slug, sha) {
		return nil, 0, false
	}
	return slices.Clone(m.list), now.Sub(m.at), true
}

func (c *Client) keepStatuses(slug pipeline.Slug, sha pipeline.SHA, list []pipeline.Status, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.statuses = statusCache{slug: slug, sha: sha, at: now, list: list}
}

// noteStatus adds what was written. After a write of unknown fate nothing is
// known any more.
func (c *Client) noteStatus(slug pipeline.Slug, sha pipeline.SHA, s pipeline.Status, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &c.statuses
	switch {
	case !m.of(slug, sha):
	case err != nil:
		*m = statusCache{}
	default:
		m.list = slices.DeleteFunc(m.list, func(o pipeline.Status) bool { return strings.EqualFold(o.Context, s.Context) })
		m.list = append(m.list, s)
	}
}
