package hub_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestSameStory: the same calls give the same snapshot, ids included.
func TestSameStory(t *testing.T) {
	t.Parallel()
	tell := func() []byte {
		s := newFixture(t, hub.Options{})
		s.commit(s.customer, "topic", map[string]string{"x": "1"})
		got(s.customer.OpenPull(hub.NewPull{Title: "T", Author: "alice", Head: "topic"}))(t)
		s.send("job", "POST", "/repos/acme/shop/issues/1/comments", `{"body":"hi"}`)
		s.send("job", "POST", "/repos/acme/shop/statuses/"+s.first, `{"state":"success"}`)
		s.send("job", "POST", "/repos/acme/shop/deployments", `{"ref":"main","environment":"infra/x"}`)
		s.listen()
		s.send("admin", "POST", "/repos/ops/manager/dispatches", `{"event_type":"infra-deploy"}`)
		return got(json.MarshalIndent(s.hub.Snapshot(), "", " "))(t)
	}
	one, two := tell(), tell()
	if d := cmp.Diff(string(hostless(one)), string(hostless(two))); d != "" {
		t.Error(d)
	}
}

var portPattern = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// hostless drops the port, the one thing that differs.
func hostless(b []byte) []byte { return portPattern.ReplaceAll(b, []byte("127.0.0.1")) }

func TestLifecycle(t *testing.T) {
	t.Parallel()
	s := hub.New(hub.Options{})
	good(t, s.Start())
	if err := s.Start(); err == nil {
		t.Error("started twice")
	}
	resp := got(http.Get(s.URL() + "/rate_limit"))(t)
	good(t, resp.Body.Close())
	good(t, s.Close())
	good(t, s.Close())
	if _, err := http.Get(s.URL() + "/rate_limit"); err == nil {
		t.Error("still serving")
	}
	good(t, errors.Join(s.Start(), s.Close())) // again
}
