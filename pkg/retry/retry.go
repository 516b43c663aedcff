// Package retry is the one rule by which a request is sent again: to GitHub, to the
// runner's token endpoint, and to S3, KMS and STS.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// Attempts is how often a request is sent in all.
	Attempts = 6
	// MaxWait bounds the pauses of one request together. A server that asks for a
	// longer one is not waited for.
	MaxWait = 3 * time.Minute
	// maxPause is the longest pause that a server has not asked for.
	maxPause = 30 * time.Second
	// maxRetryAfter is the longest pause that counts as one: a day and more is no pause
	// but a mistake.
	maxRetryAfter = 14 * 24 * time.Hour
)

// Pause is the time after a failed attempt, the first of which is 1: half a second,
// doubled each time. Half to one and a half of it by chance, so that jobs which failed
// together do not come back together. A server on this machine has no crowd of clients:
// for one that is near it is a tenth.
func Pause(attempt int, near bool) time.Duration {
	d := min(time.Second/2<<min(max(attempt, 1)-1, 10), maxPause)
	if near {
		d /= 10
	}
	return d/2 + rand.N(d)
}

// Near reports whether a host name or address is this machine.
func Near(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// After is the pause that an answer asks for with Retry-After, in seconds or as a
// date, and one second more, since both are cut to whole seconds.
// https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
func After(h http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		d := time.Duration(n) * time.Second
		return d + time.Second, n >= 0 && d <= maxRetryAfter
	}
	at, err := http.ParseTime(text)
	if err != nil || at.Sub(now) > maxRetryAfter {
		return 0, false
	}
	return max(at.Sub(now), 0) + time.Second, true
}

// Limited reports whether an answer refuses a request for coming too often, so that it
// was not carried out: a 429, or a 403 with the sign of a limit in its headers.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func Limited(status int, h http.Header) bool {
	switch status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return h.Get("Retry-After") != "" || h.Get("X-RateLimit-Remaining") == "0"
	}
	return false
}

// Passing reports whether a status can be another one at the next time, although the
// request stays the same: a server's own trouble.
func Passing(status int) bool {
	switch status {
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= http.StatusInternalServerError || status == http.StatusRequestTimeout
}

// Rule sends a request again and again. The zero Rule uses the real clock and MaxWait.
type Rule struct {
	Now     func() time.Time
	Sleep   func(context.Context, time.Duration) error // returns early, with an error, when the context ends
	MaxWait time.Duration
	Near    bool // the server is on this machine
}

// Verdict is what one attempt has come to.
type Verdict struct {
	Err   error         // nil: done
	Again bool          // worth another attempt
	Pause time.Duration // what the server asks for; 0 leaves it to Pause
}

// Classify is the verdict about an answer that is no success. Err is what it comes to.
func (r Rule) Classify(status int, h http.Header, err error) Verdict {
	v := Verdict{Err: err, Again: Limited(status, h) || Passing(status)}
	if after, asked := After(h, r.now()); asked && v.Again {
		v.Pause = after
	}
	return v
}

// Do makes attempts until one is done, is not worth another, or time is up: Attempts,
// MaxWait, or the deadline of ctx, before which no pause is begun that would outlast
// it. It returns the error of the last attempt.
func (r Rule) Do(ctx context.Context, attempt func(ctx context.Context) Verdict) error {
	var waited time.Duration
	for n := 1; ; n++ {
		v := attempt(ctx)
		if v.Err == nil {
			return nil
		}
		pause := v.Pause
		if pause == 0 {
			pause = Pause(n, r.Near)
		}
		if !v.Again || n == Attempts || !r.fits(ctx, waited, pause) {
			return v.Err
		}
		waited += pause
		if err := r.sleep(ctx, pause); err != nil {
			return errors.Join(v.Err, err)
		}
	}
}

// fits reports whether a pause is within the limit and ends before ctx does.
func (r Rule) fits(ctx context.Context, waited, pause time.Duration) bool {
	most := r.MaxWait
	if most <= 0 {
		most = MaxWait
	}
	return ctx.Err() == nil && waited+pause <= most && Before(ctx, pause)
}

// Before reports whether a pause from now on ends before the deadline of ctx.
func Before(ctx context.Context, pause time.Duration) bool {
	deadline, has := ctx.Deadline()
	return !has || pause < time.Until(deadline)
}

func (r Rule) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

func (r Rule) sleep(ctx context.Context, d time.Duration) error {
	if r.Sleep != nil {
		return r.Sleep(ctx, d)
	}
	return Sleep(ctx, d)
}

// Sleep waits for d, or returns the error of ctx when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
