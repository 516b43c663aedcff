package github

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/gofri/go-github-ratelimit/v2/github_ratelimit/github_secondary_ratelimit"
)

// limited reports whether GitHub turned the request away for a rate limit. A
// plain 403 is a missing permission; only these signs make it a limit:
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func limited(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
	default:
		return false
	}
	if resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-RateLimit-Remaining") == "0" {
		return true
	}
	var said github_secondary_ratelimit.SecondaryRateLimitBody
	if err := json.Unmarshal(peek(resp), &said); err != nil {
		return false // not GitHub's own error format, so not its limiter
	}
	return said.IsSecondaryRateLimit()
}

// peek returns the body, which is in memory already, and puts it back.
func peek(resp *http.Response) []byte {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// limitPause is how long GitHub wants to be left alone: what it says, else at
// least a minute and longer each time.
func limitPause(h http.Header, now time.Time, attempt int) time.Duration {
	if after, ok := seconds(h, "Retry-After"); ok {
		return after + time.Second // its clock is cut to whole seconds
	}
	if at, ok := reset(h); ok && h.Get("X-RateLimit-Remaining") == "0" {
		return max(at.Sub(now), 0) + time.Second
	}
	return time.Minute << (attempt - 1)
}

func seconds(h http.Header, name string) (time.Duration, bool) {
	n, err := strconv.Atoi(h.Get(name))
	if err != nil || n < 0 || n > 1<<20 {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

func reset(h http.Header) (time.Time, bool) {
	n, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}

// limitError says that a rate limit did not pass in the time that we may wait.
type limitError struct {
	status  int
	message string
	until   time.Time // zero when GitHub did not say
}

func newLimitError(resp *http.Response) *limitError {
	var said struct {
		Message string `json:"message"`
	}
	e := &limitError{status: resp.StatusCode, message: "rate limit exceeded"}
	if err := json.Unmarshal(peek(resp), &said); err == nil && said.Message != "" {
		e.message = oneLine(said.Message, 300)
	}
	e.until, _ = reset(resp.Header)
	return e
}

func (e *limitError) Error() string { return e.message }

func (e *limitError) next() string {
	if e.until.IsZero() {
		return "run this again in some minutes; GitHub limits how fast this token may ask"
	}
	return fmt.Sprintf("run this again after %s, when the token's rate limit starts anew", e.until.Format("15:04:05 MST"))
}
