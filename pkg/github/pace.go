package github

import (
	"sync"
	"time"
)

// burst is how many writes may follow each other at once. GitHub asks for a
// second between "a large number" of them; the two to four of a report are none,
// and a fleet is slowed down to one each gap:
// https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#pause-between-mutative-requests
const burst = 4

// writeThrottle is how many of the burst are spent, as of a time. One comes back each gap.
type writeThrottle struct {
	used int
	at   time.Time
}

// next returns how long the next write has to wait, and the pace after it.
func (p writeThrottle) next(now time.Time, gap time.Duration) (wait time.Duration, after writeThrottle) {
	if gap <= 0 {
		return 0, p
	}
	if back := int(now.Sub(p.at) / gap); back >= p.used {
		p = writeThrottle{at: now}
	} else if back > 0 {
		p.used, p.at = p.used-back, p.at.Add(time.Duration(back)*gap)
	}
	if p.used < burst {
		return 0, writeThrottle{used: p.used + 1, at: p.at}
	}
	return p.at.Add(gap).Sub(now), writeThrottle{used: burst, at: p.at.Add(gap)}
}

// rateLimitPause is the time until which GitHub wants to be left alone. A limit that one
// request has met holds for all of the same token: going on would only prolong it.
type rateLimitPause struct {
	mu  sync.Mutex
	end time.Time
}

func (q *rateLimitPause) until(at time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if at.After(q.end) {
		q.end = at
	}
}
