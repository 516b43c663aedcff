package bench

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// RoundTrips are the requests to S3 of one step.
type RoundTrips struct {
	Command string
	// Store are those of metapipe, Tool those of the tool's backend. A key is a
	// method of HTTP; listings are LIST.
	Store, Tool map[string]int
	// Asked are the requests of metapipe in their order: method, key or prefix.
	Asked []string
}

// BucketRoundTrips carries one merge to two environments through the shipped workflows, with
// everything in a bucket, and counts what each step of the manager asks.
func BucketRoundTrips(t *testing.T) []RoundTrips {
	t.Helper()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	c := countRequests(t, b.Server.Endpoint)
	var steps []RoundTrips
	runner := fixture.NewRunner(w)
	runner.Approver = "robin"
	runner.Step = func(j *fixture.Job, args ...string) fixture.Result {
		if args[0] == "trigger" {
			return runner.Inside(j, args...)
		}
		c.begin()
		end := j.With(b.Root()...).With("AWS_ENDPOINT_URL_S3=" + c.url).Start(args...).Wait()
		steps = append(steps, c.end(args[0]))
		return end
	}
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n  staging: {}\n"})
	if good, _ := runner.PlayAll(run); !good {
		t.Fatalf("the merge was not deployed:\n%s", runner.Transcript())
	}
	return steps
}

// requestCounter stands before a server and counts what passes.
type requestCounter struct {
	url  string
	mu   sync.Mutex
	seen RoundTrips
}

func countRequests(t *testing.T, endpoint string) *requestCounter {
	t.Helper()
	target := fixture.Must(url.Parse(endpoint))(t)
	c := &requestCounter{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.count(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *requestCounter) count(r *http.Request) {
	method := r.Method
	if r.URL.Query().Get("list-type") != "" {
		method = "LIST"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if agent := r.UserAgent(); strings.Contains(agent, "HashiCorp") || strings.Contains(agent, "OpenTofu") {
		c.seen.Tool[method]++
		return
	}
	c.seen.Store[method]++
	c.seen.Asked = append(c.seen.Asked, method+" "+r.URL.Path+r.URL.Query().Get("prefix"))
}

func (c *requestCounter) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = RoundTrips{Store: map[string]int{}, Tool: map[string]int{}}
}

func (c *requestCounter) end(command string) RoundTrips {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Command = command
	return c.seen
}
