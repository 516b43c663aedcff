package github

import (
	"context"
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
