package hub

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bucketKey: tokens of one person share one allowance; a GITHUB_TOKEN has that
// of its repository.
func bucketKey(t *Token) string {
	switch {
	case t == nil:
		return "anonymous"
	case t.Kind == Actions:
		ids := make([]string, 0, len(t.repos))
		for id := range t.repos {
			ids = append(ids, strconv.FormatInt(id, 10))
		}
		slices.Sort(ids)
		return "actions " + strings.Join(ids, " ")
	}
	return "user " + strings.ToLower(t.User)
}

func (s *Server) bucket(t *Token) *bucket { return s.named(bucketKey(t), t) }

// allowance is the bucket of a call: the GraphQL API has one of its own.
func (s *Server) allowance(c *call) *bucket {
	if c.graphQL() {
		return s.named(bucketKey(c.token)+graphQLBucket, c.token)
	}
	return s.bucket(c.token)
}

const graphQLBucket = " graphql"

func (s *Server) named(key string, t *Token) *bucket {
	b := s.buckets[key]
	if b == nil {
		b = &bucket{limit: 5000}
		switch {
		case t == nil:
			b.limit = 60
		case t.Kind == Actions:
			b.limit = 1000
		}
		s.buckets[key] = b
	}
	now := s.now()
	if now.After(b.reset) {
		b.used, b.reset = 0, now.Add(time.Hour).Truncate(time.Second)
	}
	return b
}

// SetRemaining leaves the allowance behind a token n requests until its reset.
func (s *Server) SetRemaining(tokenName string, n int) error { return s.setRemaining(tokenName, "", n) }

// SetRemainingPoints leaves the allowance of the GraphQL API behind a token n points until
// its reset.
func (s *Server) SetRemainingPoints(tokenName string, n int) error {
	return s.setRemaining(tokenName, graphQLBucket, n)
}

func (s *Server) setRemaining(tokenName, bucket string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		if t.Name == tokenName {
			b := s.named(bucketKey(t)+bucket, t)
			b.used = b.limit - n
			return nil
		}
	}
	return fmt.Errorf("set the rate limit: token %q is not known", tokenName)
}

// limit refuses when the allowance is used up.
func (s *Server) limit(c *call) (reply, bool) {
	if c.route != nil && c.route.pattern == "/rate_limit" {
		c.free = true
		return reply{}, true
	}
	b := s.allowance(c)
	status := s.opts.LimitStatus
	if status == 0 {
		status = http.StatusForbidden
	}
	if b.used >= b.limit {
		c.free = true
		caller := "127.0.0.1"
		if u := c.actor(); u != nil {
			caller = fmt.Sprintf("user ID %d", u.ID)
		}
		if c.graphQL() {
			return unanswered(queryProblem{Type: "RATE_LIMITED", Message: "API rate limit exceeded for " + caller + "."}), false
		}
		return problem(status, "API rate limit exceeded for "+caller+"."), false
	}
	return s.limitBurst(c, s.bucket(c.token), status)
}

func (s *Server) limitBurst(c *call, b *bucket, status int) (reply, bool) {
	now, rules := s.now(), s.opts.Secondary
	if now.Sub(b.minute) >= time.Minute {
		b.minute, b.points, b.content = now, 0, 0
	}
	cost, content := 1, 0
	if !c.graphQL() && c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		cost = 5
	}
	if !c.graphQL() && c.r.Method == http.MethodPost {
		content = 1
	}
	over := rules.PointsPerMinute > 0 && b.points+cost > rules.PointsPerMinute ||
		rules.ContentPerMinute > 0 && b.content+content > rules.ContentPerMinute
	if over && !now.Before(b.blocked) {
		b.blocked = b.minute.Add(time.Minute)
	}
	if now.Before(b.blocked) {
		wait := int(b.blocked.Sub(now).Seconds() + 0.999)
		c.header.Set("Retry-After", strconv.Itoa(wait))
		const message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
		if c.graphQL() {
			return unanswered(queryProblem{Message: message}), false
		}
		rep := problem(status, message)
		if body, isObject := rep.body.(object); isObject {
			body["documentation_url"] = docs + "/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
		}
		return rep, false
	}
	b.points += cost
	b.content += content
	return reply{}, true
}

// spend counts the call, unless it was free, and shows what is left.
func (s *Server) spend(c *call) {
	if c.route != nil && c.route.public {
		return
	}
	b, resource := s.allowance(c), "core"
	if c.graphQL() {
		resource = "graphql"
	}
	if !c.free {
		b.used += max(1, c.points)
	}
	c.header.Set("X-RateLimit-Limit", strconv.Itoa(b.limit))
	c.header.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, b.limit-b.used)))
	c.header.Set("X-RateLimit-Used", strconv.Itoa(b.used))
	c.header.Set("X-RateLimit-Reset", strconv.FormatInt(b.reset.Unix(), 10))
	c.header.Set("X-RateLimit-Resource", resource)
}

// getRateLimit is GET /rate_limit, which is free.
func getRateLimit(c *call) reply {
	b := c.s.bucket(c.token)
	core := object{"limit": b.limit, "remaining": max(0, b.limit-b.used), "used": b.used, "reset": b.reset.Unix()}
	queries := c.s.named(bucketKey(c.token)+graphQLBucket, c.token)
	graphQL := object{"limit": queries.limit, "remaining": max(0, queries.limit-queries.used), "used": queries.used, "reset": queries.reset.Unix()}
	search := object{"limit": 30, "remaining": 30, "used": 0, "reset": c.s.clock().Add(time.Minute).Unix()}
	return ok(object{"resources": object{"core": core, "search": search, "graphql": graphQL}, "rate": core})
}
