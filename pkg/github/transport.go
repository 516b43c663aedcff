package github

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/metapipe/metapipe/pkg/retry"
)

func newTransport(o Options, host *url.URL) *transport {
	t := &transport{
		base: o.Transport, host: host, timeout: o.Timeout, maxWait: o.MaxWait,
		writeGap: o.WriteGap, now: o.Now, sleep: o.Sleep, writeLock: make(chan writeThrottle, 1),
	}
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	if t.timeout <= 0 {
		t.timeout = 30 * time.Second
	}
	if t.maxWait <= 0 {
		t.maxWait = retry.MaxWait
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.sleep == nil {
		t.sleep = retry.Sleep
	}
	t.writeLock <- writeThrottle{}
	return t
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	k := callOf(req)
	if k.writes() {
		done, err := t.lockWrite(req.Context())
		if err != nil {
			return nil, err
		}
		defer done()
	}
	var waited time.Duration
	refused := false
	for attempt := 1; ; attempt++ {
		if err := t.waitForLimits(req.Context(), k, &waited); err != nil {
			return nil, err
		}
		token, err := t.auth.token(req.Context(), k)
		if err != nil {
			return nil, &unauthorizedError{err} // retried already where that helps
		}
		t.secrets.add(token)
		resp, err := t.once(req, k, k.again || attempt > 1, token)
		if err == nil && resp.StatusCode == http.StatusUnauthorized && !refused && t.auth.refused(req.Context(), k, token) {
			refused = true
			continue
		}
		again, pause := t.classify(k, resp, err, attempt)
		if err := req.Context().Err(); again && err != nil {
			return nil, err
		}
		if !again || attempt == retry.Attempts || waited+pause > t.maxWait || !retry.Before(req.Context(), pause) {
			return t.last(k, resp, err)
		}
		waited += pause
		if err := t.pause(req.Context(), pause); err != nil {
			return nil, err
		}
	}
}

// once sends the request one time and reads the whole answer.
func (t *transport) once(req *http.Request, k call, again bool, token string) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), t.timeout, fmt.Errorf("no answer within %s", t.timeout))
	defer cancel()
	out := req.Clone(ctx)
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	// Only the host that the token was made for sees it, also after a redirect.
	if token != "" && t.same(out.URL) {
		out.Header.Set("Authorization", "Bearer "+token)
	}
	known := t.pages.ask(out)
	t.calls.add(k, req.Method, again)
	resp, err := t.base.RoundTrip(out)
	if err != nil {
		return nil, t.cause(ctx, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, t.cause(ctx, err)
	}
	if len(body) > maxBody {
		return nil, &tooLargeError{}
	}
	if resp.StatusCode == http.StatusNotModified && known != nil {
		t.calls.unchanged(k, req.Method)
		known.restore(resp)
		body = known.body
	} else {
		t.pages.keep(out, resp, body)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.Request = req
	if !k.asApp {
		t.seen.note(resp.Header, t.now())
	}
	return resp, nil
}

// cause names the timeout instead of the bare "context deadline exceeded".
func (t *transport) cause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, err) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// backoff is the pause after a failed attempt that GitHub does not ask for.
func (t *transport) backoff(attempt int) time.Duration {
	return retry.Pause(attempt, retry.Near(t.host.Hostname()))
}

// unsent reports whether a request has certainly not left this machine.
func unsent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// classify decides whether an attempt is worth another one, and after which pause.
func (t *transport) classify(k call, resp *http.Response, err error, attempt int) (again bool, pause time.Duration) {
	backoff := t.backoff(attempt)
	if err != nil {
		var large *tooLargeError
		return (k.repeatable || unsent(err)) && !errors.As(err, &large), backoff
	}
	// What GitHub turned away for a rate limit it has not done, whatever it was.
	if limited(k, resp) {
		pause := limitPause(resp.Header, t.now(), attempt)
		t.limitOf(k, resp).until(t.now().Add(pause))
		return true, pause
	}
	if !retry.Passing(resp.StatusCode) {
		return false, 0
	}
	if after, asked := retry.After(resp.Header, t.now()); asked {
		backoff = max(backoff, after)
	}
	return k.repeatable, backoff
}

// last prepares the final answer. go-github refuses calls by its own clock when
// it sees an exhausted limit; waiting for limits is done here, so it must not.
func (t *transport) last(k call, resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		if !unsent(err) {
			err = &noResponseError{err}
		}
		return nil, err
	}
	if limited(k, resp) {
		return nil, newLimitError(resp)
	}
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After"} {
		resp.Header.Del(name)
	}
	return resp, nil
}

func (t *transport) same(u *url.URL) bool {
	return u.Scheme == t.host.Scheme && u.Host == t.host.Host
}

// checkRedirect lets reads follow a moved repository on the same server. Writes
// are refused, with whatever status GitHub redirects them: the repository may belong to
// another account now, and the caller has compared the one under the old name.
func (t *transport) checkRedirect(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > 3:
		return errors.New("GitHub redirects in circles")
	case !t.same(req.URL):
		return fmt.Errorf("GitHub redirects to another server (%s)", req.URL.Host)
	case !isRead(via[0].Method) || req.Method != via[0].Method:
		return errMoved
	}
	return nil
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }
