package hub_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestCloseIsPrompt: neither connections without a request, nor idle ones, nor late
// answers hold Close up, and afterwards no handler runs.
func TestCloseIsPrompt(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan struct{})
	s := hub.New(hub.Options{Wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/user" {
				close(entered)
				defer close(left)
				<-r.Context().Done() // an answer that comes very late
				return
			}
			h.ServeHTTP(w, r)
		})
	}})
	good(t, s.Start())
	address := got(url.Parse(s.URL()))(t).Host
	for range 3 { // nothing is ever sent on these
		conn := got(net.Dial("tcp", address))(t)
		defer func() { _ = conn.Close() }()
	}
	kept := &http.Client{Transport: &http.Transport{}} // one that stays open after its answer
	resp := got(kept.Get(s.URL() + "/rate_limit"))(t)
	good(t, resp.Body.Close())
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.URL()+"/user", nil)
		if err != nil {
			return
		}
		if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	<-entered
	began := time.Now()
	good(t, s.Close())
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %s", took)
	}
	select {
	case <-left:
	default:
		t.Error("a handler still runs")
	}
	if _, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		t.Error("it still listens")
	}
	good(t, s.Start())
	good(t, s.Close())
}
