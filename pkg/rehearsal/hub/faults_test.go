package hub_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	s := newFixture(t, hub.Options{})
	const route = "/repos/{owner}/{repo}/statuses/{sha}"
	path, body := "/repos/acme/shop/statuses/"+s.first, `{"state":"success"}`
	count := func() int { return len(s.customer.Snapshot().Statuses[s.first]) }
	try := func() (int, error) {
		req := got(http.NewRequestWithContext(t.Context(), "POST", s.hub.URL()+path, strings.NewReader(body)))(t)
		req.Header.Set("Authorization", "Bearer "+s.secrets["job"])
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		_, err = io.ReadAll(resp.Body)
		return resp.StatusCode, errors.Join(err, resp.Body.Close())
	}
	s.hub.ResetCalls()
	s.hub.Fail(hubtest.Matcher{Method: "POST", Route: route, Token: "job"}, hubtest.Fault{Status: 502, Message: "bad", Header: http.Header{"retry-after": {"1"}}}, 2)
	s.hub.Fail(hubtest.Matcher{Route: route, Token: "metapipe"}, hubtest.Fault{Status: 500}, 1)
	for range 2 {
		st, err := try()
		good(t, err)
		equal(t, "status", st, 502)
	}
	equal(t, "effect", count(), 0)
	s.hub.Fail(hubtest.Matcher{Route: route}, hubtest.Fault{Reset: true}, 1)
	if _, err := try(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("reset: %v", err)
	}
	equal(t, "effect of a reset", count(), 0)
	s.hub.Fail(hubtest.Matcher{Route: route}, hubtest.Fault{Reset: true, AfterEffect: true}, 1)
	if _, err := try(); err == nil {
		t.Error("the reply was not lost")
	}
	equal(t, "effect of a lost reply", count(), 1)
	s.hub.Fail(hubtest.Matcher{Route: route}, hubtest.Fault{HalfBody: true}, 1)
	if st, err := try(); st != 201 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a body: %d %v", st, err)
	}
	s.hub.Fail(hubtest.Matcher{Request: func(r *http.Request) bool { return r.Method == "POST" }}, hubtest.Fault{Delay: 30 * time.Millisecond}, 1)
	begin := time.Now()
	st, err := try()
	good(t, err)
	equal(t, "slow", st == 201 && time.Since(begin) >= 30*time.Millisecond, true)
	writes := 0
	for _, c := range s.hub.Calls() {
		if c.Write() {
			writes++
		}
		equal(t, "route", c.Route, route)
		equal(t, "token", c.Token, "job")
	}
	equal(t, "struck", strings.Join(s.hub.Struck(), ","), "status 502,status 502,reset,lost reply,half body,slow")
	equal(t, "writes", writes, 6)
}
