package github

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/retry"
)

// limited reports whether GitHub turned the request away for a rate limit. A
// plain 403 is a missing permission; only these signs make it a limit:
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func limited(k call, resp *http.Response) bool {
	if k.graphQL() && resp.StatusCode == http.StatusOK {
		return limitProblem(peek(resp)) != nil
	}
	if retry.Limited(resp.StatusCode, resp.Header) {
		return true
	}
	if resp.StatusCode != http.StatusForbidden {
		return false
	}
	var output struct {
		Message          string `json:"message"`
		DocumentationURL string `json:"documentation_url"`
	}
	if err := json.Unmarshal(peek(resp), &output); err != nil {
		return false // not GitHub's own error format, so not its limiter
	}
	// The message and the address of its page have both changed over the years.
	return strings.HasPrefix(output.Message, "You have exceeded a secondary rate limit") ||
		strings.HasSuffix(output.DocumentationURL, "secondary-rate-limits") || strings.HasSuffix(output.DocumentationURL, "#abuse-rate-limits")
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
	if after, asked := retry.After(h, now); asked {
		return after
	}
	if at, ok := reset(h); ok && h.Get("X-RateLimit-Remaining") == "0" {
		return max(at.Sub(now), 0) + time.Second
	}
	return time.Minute << (attempt - 1)
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
	status  int // 0 where GitHub's was 200
	message string
	until   time.Time // zero when GitHub did not say
}

func newLimitError(resp *http.Response) *limitError {
	var output struct {
		Message string `json:"message"`
	}
	e := &limitError{status: resp.StatusCode, message: "rate limit exceeded"}
	if err := json.Unmarshal(peek(resp), &output); err == nil && output.Message != "" {
		e.message = oneLine(output.Message, 300)
	}
	if p := limitProblem(peek(resp)); resp.StatusCode == http.StatusOK && p != nil {
		e.status, e.message = 0, oneLine(p.Message, 300)
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

func isLimit(err error) bool {
	var limit *limitError
	return errors.As(err, &limit)
}
