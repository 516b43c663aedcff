package hub

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody is larger than any body GitHub accepts on these paths.
const maxBody = 32 << 20

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, `{"message":"Payload too large"}`, http.StatusRequestEntityTooLarge)
		return
	}
	c := &call{s: s, r: r, body: body, header: http.Header{}}
	c.route, c.params = match(r.Method, r.URL.EscapedPath())
	out := s.perform(c)
	for _, f := range c.after {
		f()
	}
	out.write(w, r)
}

// rendered is a reply with its final bytes and headers.
type rendered struct {
	status int
	header http.Header
	body   []byte
}

func (o rendered) write(w http.ResponseWriter, r *http.Request) {
	for k, v := range o.header {
		w.Header()[k] = v
	}
	w.WriteHeader(o.status)
	if r.Method == http.MethodHead {
		return
	}
	// A client that has gone away is no error of the server.
	_, _ = w.Write(o.body)
}

// perform decides and renders the reply under the lock, and logs the call.
func (s *Server) perform(c *call) rendered {
	s.mu.Lock()
	defer s.mu.Unlock()
	rep := s.decide(c)
	body, err := rep.bytes()
	if err != nil {
		rep, body = problem(http.StatusInternalServerError, err.Error()), nil
	}
	for k, v := range rep.header {
		c.header[k] = v
	}
	if rep.status == http.StatusOK && c.r.Method == http.MethodGet {
		tag := etag(body)
		c.header.Set("ETag", tag)
		c.header.Set("Cache-Control", "private, max-age=60, s-maxage=60")
		if in := c.r.Header.Get("If-None-Match"); in != "" && etagMatches(in, tag) {
			rep.status, body, c.free = http.StatusNotModified, nil, true
		}
	}
	s.spend(c)
	if len(body) > 0 {
		ctype := rep.ctype
		if ctype == "" {
			ctype = "application/json; charset=utf-8"
		}
		c.header.Set("Content-Type", ctype)
	}
	if rep.status != http.StatusNoContent && rep.status != http.StatusNotModified {
		c.header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	n := s.id("request")
	c.header.Set("X-GitHub-Request-Id", fmt.Sprintf("%04X:%04X:%06X:%06X:%08X", n, n*7&0xffff, n*31, n*131, n*8191))
	c.header.Set("X-GitHub-Media-Type", "github.v3; format=json")
	s.log(c, rep.status)
	return rendered{status: rep.status, header: c.header, body: body}
}

// decide runs the gates in GitHub's order: credentials, limits, route, sight of
// the repository, permission, and then the handler.
func (s *Server) decide(c *call) reply {
	if c.route != nil && c.route.public {
		c.free = true
		return c.route.handle(c)
	}
	if refusal, good := s.authenticate(c); !good {
		return refusal
	}
	if refusal, good := s.limit(c); !good {
		return refusal
	}
	if c.route == nil {
		return notFound()
	}
	if c.route.forApp() {
		return c.decideApp()
	}
	if _, inOrg := c.params["org"]; inOrg {
		if refusal, good := c.authorizeOrg(); !good {
			return refusal
		}
	}
	if _, inRepo := c.params["repo"]; inRepo {
		if refusal, good := s.find(c); !good {
			return refusal
		}
		if refusal, good := c.authorize(); !good {
			return refusal
		}
		if refusal, good := c.frozen(); !good {
			return refusal
		}
	}
	return c.route.handle(c)
}

// find resolves the repository of a path. Names of the past redirect to the
// form with the id, as they do on GitHub.
func (s *Server) find(c *call) (reply, bool) {
	owner, name := c.params["owner"], c.params["repo"]
	var r *Repo
	if owner == byID {
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return notFound(), false
		}
		r = s.repos[id]
	} else {
		r = s.repos[s.names[strings.ToLower(owner+"/"+name)]]
	}
	if r == nil || !c.token.sees(r) {
		return notFound(), false
	}
	if owner != byID && !r.named(owner, name) {
		_, rest, _ := strings.Cut(c.r.URL.EscapedPath(), "/repos/")
		_, rest, _ = strings.Cut(rest, "/")
		_, rest, deeper := strings.Cut(rest, "/")
		to := fmt.Sprintf("%s/repositories/%d", s.url, r.id)
		if deeper {
			to += "/" + rest
		}
		if q := c.r.URL.RawQuery; q != "" {
			to += "?" + q
		}
		status := http.StatusMovedPermanently
		if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
			status = http.StatusTemporaryRedirect // the method and the body stay
		}
		rep := problem(status, "Moved Permanently")
		rep.header = http.Header{"Location": {to}}
		return rep, false
	}
	c.repo = r
	return reply{}, true
}
