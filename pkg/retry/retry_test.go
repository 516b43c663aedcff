package retry_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/retry"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"7": 8 * time.Second, "0": time.Second, " 60 ": 61 * time.Second,
		"Sun, 01 Mar 2026 12:00:30 GMT": 31 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": time.Second, // it is over
		"": 0, "-1": 0, "soon": 0, "1.5": 0, "99999999999": 0, "2000000000": 0, "Sun, 01 Mar 2099 12:00:00 GMT": 0,
	} {
		got, asked := retry.After(http.Header{"Retry-After": {text}}, now)
		if asked != (want > 0) || asked && got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, asked, want)
		}
	}
}

func TestWhatPasses(t *testing.T) {
	t.Parallel()
	limit := http.Header{"Retry-After": {"1"}}
	spent := http.Header{"X-Ratelimit-Remaining": {"0"}}
	for _, c := range []struct {
		status          int
		header          http.Header
		limited, passes bool
	}{
		{429, nil, true, false}, {403, limit, true, false}, {403, spent, true, false}, {403, nil, false, false},
		{500, nil, false, true}, {502, nil, false, true}, {503, limit, false, true}, {504, nil, false, true}, {520, nil, false, true},
		{408, nil, false, true}, {501, nil, false, false}, {505, nil, false, false}, {404, limit, false, false}, {200, nil, false, false},
	} {
		if retry.Limited(c.status, c.header) != c.limited || retry.Passing(c.status) != c.passes {
			t.Errorf("%d %v: limited %v, passing %v", c.status, c.header, !c.limited, !c.passes)
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	for attempt, most := range map[int]time.Duration{-1: 750 * time.Millisecond, 1: 750 * time.Millisecond, 3: 3 * time.Second, 100: 45 * time.Second} {
		for range 50 {
			if p := retry.Pause(attempt, false); p < most/3 || p > most {
				t.Fatalf("attempt %d: %s", attempt, p)
			}
			if p := retry.Pause(attempt, true); p > most/10 {
				t.Fatalf("attempt %d, near: %s", attempt, p)
			}
		}
	}
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "::1": true, "127.9.9.9": true, "": false, "github.com": false, "10.0.0.1": false, "localhost.evil.example": false} {
		if retry.Near(host) != want {
			t.Errorf("%q is near: %v", host, !want)
		}
	}
}

// play runs the verdicts one after the other, the last one again and again, with a
// clock that jumps.
func play(ctx context.Context, rule retry.Rule, verdicts ...retry.Verdict) (attempts int, slept time.Duration, err error) {
	rule.Sleep = func(ctx context.Context, d time.Duration) error { slept += d; return ctx.Err() }
	err = rule.Do(ctx, func(context.Context) retry.Verdict {
		v := verdicts[min(attempts, len(verdicts)-1)]
		attempts++
		return v
	})
	return attempts, slept, err
}

func TestDo(t *testing.T) {
	t.Parallel()
	bad := errors.New("bad")
	again := retry.Verdict{Err: bad, Again: true}
	asks := func(d time.Duration) retry.Verdict { return retry.Verdict{Err: bad, Again: true, Pause: d} }
	short, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	over, end := context.WithCancel(t.Context())
	end()
	for name, c := range map[string]struct {
		ctx      context.Context
		rule     retry.Rule
		verdicts []retry.Verdict
		attempts int
		slept    time.Duration // -1: any
		fails    bool
	}{
		"at once":               {t.Context(), retry.Rule{}, []retry.Verdict{{}}, 1, 0, false},
		"at the last":           {t.Context(), retry.Rule{}, []retry.Verdict{again, again, again, again, again, {}}, retry.Attempts, -1, false},
		"never":                 {t.Context(), retry.Rule{}, []retry.Verdict{again}, retry.Attempts, -1, true},
		"final":                 {t.Context(), retry.Rule{}, []retry.Verdict{again, {Err: bad}}, 2, -1, true},
		"obeys":                 {t.Context(), retry.Rule{}, []retry.Verdict{asks(40 * time.Second), asks(50 * time.Second), {}}, 3, 90 * time.Second, false},
		"too long":              {t.Context(), retry.Rule{}, []retry.Verdict{asks(time.Hour), {}}, 1, 0, true},
		"too long in sum":       {t.Context(), retry.Rule{}, []retry.Verdict{asks(100 * time.Second), asks(100 * time.Second), {}}, 2, 100 * time.Second, true},
		"a limit of its own":    {t.Context(), retry.Rule{MaxWait: time.Second}, []retry.Verdict{asks(2 * time.Second), {}}, 1, 0, true},
		"longer than the rest":  {short, retry.Rule{}, []retry.Verdict{asks(2 * time.Minute), {}}, 1, 0, true},
		"the command has ended": {over, retry.Rule{}, []retry.Verdict{again, {}}, 1, 0, true},
	} {
		attempts, slept, err := play(c.ctx, c.rule, c.verdicts...)
		if attempts != c.attempts || (err != nil) != c.fails || c.fails && !errors.Is(err, bad) || c.slept >= 0 && slept != c.slept {
			t.Errorf("%s: %d attempts, slept %s, %v", name, attempts, slept, err)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	rule := retry.Rule{Now: func() time.Time { return now }}
	bad := errors.New("bad")
	h := http.Header{"Retry-After": {"7"}}
	for status, want := range map[int]retry.Verdict{
		429: {Err: bad, Again: true, Pause: 8 * time.Second}, 403: {Err: bad, Again: true, Pause: 8 * time.Second},
		503: {Err: bad, Again: true, Pause: 8 * time.Second}, 404: {Err: bad},
	} {
		if got := rule.Classify(status, h, bad); got != want {
			t.Errorf("%d: %+v", status, got)
		}
	}
}
