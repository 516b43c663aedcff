package bench

import (
	"fmt"
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
}

// BucketRoundTrips deploys one merge to two environments, with everything in a
// bucket and with the reports of the workflow, and counts what each step asks.
func BucketRoundTrips(t *testing.T) []RoundTrips {
	t.Helper()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	c := countRequests(t, b.Server.Endpoint)
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n  staging: {}\n"})
	trigger := w.NewJob(run).Start("trigger")
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	var steps []RoundTrips
	step := func(args ...string) fixture.Result {
		t.Helper()
		c.begin()
		end := w.NewJob(r.Run).With(b.Root()...).With("AWS_ENDPOINT_URL_S3="+c.url).Do(0, args...)
		steps = append(steps, c.end(args[0]))
		return end
	}
	fetched := step("fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	report := []string{"report", "--customer", r.Customer, "--request", r.ID}
	if end := trigger.Wait(); end.Exit != 0 {
		t.Fatal(end.Log)
	}
	step(report...)
	for _, env := range []string{"staging", "production"} {
		for _, command := range []string{"plan", "apply"} {
			if command == "apply" {
				if env == "production" { // its gate needs an approval on record
					r.Approve(env, "robin")
				}
				step(append(report, "--applying", env)...)
			}
			args := r.Args(command, env)
			if command == "apply" {
				args = append(args, "--await-report")
			}
			step(args...)
			closed := env == "production" && command == "apply" // then the workflow has no last report
			step(report...).Want(t, fmt.Sprintf("closed=%t", closed))
		}
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
	by := c.seen.Store
	if agent := r.UserAgent(); strings.Contains(agent, "HashiCorp") || strings.Contains(agent, "OpenTofu") {
		by = c.seen.Tool
	}
	by[method]++
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
