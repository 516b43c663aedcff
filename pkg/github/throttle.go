package github

import (
	"context"
	"net/http"
	"time"
)

// lockWrite waits until no other write is under way and the pace allows one.
func (t *transport) lockWrite(ctx context.Context) (done func(), err error) {
	var p writeThrottle
	select {
	case p = <-t.writeLock:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	wait, after := p.next(t.now(), t.writeGap)
	if wait > 0 {
		if err := t.pause(ctx, wait); err != nil {
			t.writeLock <- p
			return nil, err
		}
	}
	return func() { t.writeLock <- after }, nil
}

// waitForLimits sleeps while GitHub wants to be left alone.
func (t *transport) waitForLimits(ctx context.Context, k call, waited *time.Duration) error {
	if err := t.blocked.wait(ctx, t, waited); err != nil || !k.graphQL() {
		return err
	}
	return t.blockedQueries.wait(ctx, t, waited)
}

// limitOf is the pause that a refusal asks for: where the allowance of the GraphQL API is
// used up, the REST API still answers.
func (t *transport) limitOf(k call, resp *http.Response) *rateLimitPause {
	if k.graphQL() && resp.Header.Get("X-RateLimit-Remaining") == "0" {
		return &t.blockedQueries
	}
	return &t.blocked
}

// wait sleeps through the quiet time, as far as the call may wait at all.
func (q *rateLimitPause) wait(ctx context.Context, t *transport, waited *time.Duration) error {
	q.mu.Lock()
	rest := q.end.Sub(t.now())
	q.mu.Unlock()
	if rest <= 0 || *waited+rest > t.maxWait {
		return nil
	}
	*waited += rest
	return t.pause(ctx, rest)
}

// pause sleeps and counts it.
func (t *transport) pause(ctx context.Context, d time.Duration) error {
	t.calls.waited(d)
	return t.sleep(ctx, d)
}
