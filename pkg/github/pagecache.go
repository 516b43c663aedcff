package github

import (
	"net/http"
	"sync"
)

// maxCached is how many bytes of answers are Remembered. The oldest give way.
const maxCached = 16 << 20

// pageCache remembers the answers to reads with their ETags, for the life of one
// process. Asking again costs a request but no rate limit when nothing changed:
// https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
// GitHub decides each time, so an answer is never older than it was without it.
type pageCache struct {
	mu    sync.Mutex
	pages map[string]*page
	order []string // oldest first
	size  int
}

type page struct {
	header http.Header
	body   []byte
}

// pageKey: one client has one account, so what is left is the form of the answer.
func pageKey(req *http.Request) string { return req.Header.Get("Accept") + " " + req.URL.String() }

// ask makes a read conditional and returns the answer to use for a 304.
func (c *pageCache) ask(req *http.Request) *page {
	if req.Method != http.MethodGet {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pages[pageKey(req)]
	if p != nil {
		req.Header.Set("If-None-Match", p.header.Get("ETag"))
	}
	return p
}

func (c *pageCache) keep(req *http.Request, resp *http.Response, body []byte) {
	if req.Method != http.MethodGet {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := pageKey(req)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") == "" || len(body) > maxCached/4 {
		c.drop(key)
		return
	}
	c.drop(key)
	if c.pages == nil {
		c.pages = map[string]*page{}
	}
	c.pages[key] = &page{header: resp.Header.Clone(), body: body}
	c.order, c.size = append(c.order, key), c.size+len(body)
	for c.size > maxCached {
		c.drop(c.order[0])
	}
}

// drop forgets one answer. The caller holds the lock.
func (c *pageCache) drop(key string) {
	p := c.pages[key]
	if p == nil {
		return
	}
	delete(c.pages, key)
	c.size -= len(p.body)
	for i, k := range c.order {
		if k == key {
			c.order = append(c.order[:i:i], c.order[i+1:]...)
			break
		}
	}
}

// restore turns a 304 into the answer that it confirms. The headers of the 304
// win: they have the present limits.
func (p *page) restore(resp *http.Response) {
	for name, values := range p.header {
		if _, fresh := resp.Header[name]; !fresh {
			resp.Header[name] = values
		}
	}
	resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
	resp.ContentLength = int64(len(p.body))
}
