package spacelift_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
)

// TestFaults: each fault hits one request, and only a timeout does what was asked.
func TestFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.ResetRequests()
	create := func(slug string) (reply, error) {
		return f.send(f.token, `{"query":"mutation{ stackCreate(slug: \"`+slug+`\", manageState: false, input: {name: \"n\", branch: \"main\", repository: \"r\", administrative: false, autodeploy: false, autoretry: false, githubActionDeploy: true, localPreviewEnabled: false, enableWellKnownSecretMasking: true, enableSensitiveOutputUpload: false, protectFromDeletion: false}){ id } }"}`)
	}
	f.server.Fault(spacelift.Fault{Operation: "stackCreate", Skip: 1, Kind: spacelift.BadGateway})
	f.server.Fault(spacelift.Fault{Operation: "stackDelete", Kind: spacelift.Throttle})
	for i, want := range []int{200, 502, 200} {
		r, err := create(string(rune('a' + i)))
		good(t, err)
		equal(t, "status", r.status, want)
	}
	equal(t, "stacks", f.server.Stacks(), []string{"a", "c"})
	f.server.Fault(spacelift.Fault{Kind: spacelift.TimeoutAfterWrite})
	if r, err := create("d"); err == nil {
		t.Errorf("a connection that is cut: %d %s", r.status, r.body)
	}
	equal(t, "done nevertheless", f.server.Stacks(), []string{"a", "c", "d"})
	f.server.Fault(spacelift.Fault{Operation: "stackCreate", Kind: spacelift.GraphQLError, Message: "internal error"})
	r, err := create("e")
	good(t, err)
	equal(t, "errors", []any{r.status, r.errors, r.data == nil}, []any{200, []string{"internal error"}, true})
	f.server.Fault(spacelift.Fault{Kind: spacelift.Throttle, RetryAfter: 3 * time.Second})
	r, err = create("e")
	good(t, err)
	equal(t, "throttled", []any{r.status, r.header.Get("Retry-After")}, []any{429, "3"})
	f.server.Fault(spacelift.Fault{Kind: spacelift.ExpireToken})
	for range 2 {
		r, err = create("e")
		good(t, err)
		equal(t, "expired", r.errors, []string{"unauthorized"})
	}
	f.token = f.login("ops", "ops-secret")
	r = f.ask(f.token, on("stackDelete"), vars{"id": "a"})
	equal(t, "the fault of another operation", []any{r.status, r.header.Get("Retry-After")}, []any{http.StatusTooManyRequests, "1"})
	equal(t, "stacks at the end", f.server.Stacks(), []string{"a", "c", "d"})
	var log []any
	for _, one := range f.server.Requests() {
		log = append(log, []any{one.Operation, one.Kind, one.Status, len(one.Errors)})
	}
	equal(t, "log", log, []any{
		[]any{"stackCreate", "mutation", 200, 0}, []any{"stackCreate", "mutation", 502, 0}, []any{"stackCreate", "mutation", 200, 0},
		[]any{"stackCreate", "mutation", 0, 0}, []any{"stackCreate", "mutation", 200, 1}, []any{"stackCreate", "mutation", 429, 0},
		[]any{"stackCreate", "mutation", 200, 1}, []any{"stackCreate", "mutation", 200, 1}, []any{"apiKeyUser", "mutation", 200, 0}, []any{"stackDelete", "mutation", 429, 0},
	})
}

// TestRate: an allowance fills with time.
func TestRate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.server.RatePerSecond = 2
	var got []int
	for i := range 6 {
		if i == 4 {
			f.now = f.now.Add(500 * time.Millisecond)
		}
		r := f.ask(f.token, viewerQuery, nil)
		got = append(got, r.status)
		if r.status == 429 && r.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After: %q", r.header.Get("Retry-After"))
		}
	}
	equal(t, "statuses", got, []int{200, 200, 429, 429, 200, 429})
}
