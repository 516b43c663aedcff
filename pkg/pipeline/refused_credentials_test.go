package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// requestFields are the fields of a request in a payload.
var requestFields = []string{"version", "id", "repository", "repository_id", "path", "customer", "event", "commit", "ref", "pull_request", "mode", "run_id", "run_attempt"}

// credentialPlaces put a text at each place of a payload where a slip can put a token: as
// the value and inside of the value of each field, under names that no request has, and as
// a name. The token's own place is not among them.
func credentialPlaces(ask map[string]any) map[string]func(text string) map[string]any {
	with := func(field string, value any) map[string]any {
		request := map[string]any{}
		for name, v := range ask {
			request[name] = v
		}
		request[field] = value
		return map[string]any{"request": request, "proof": map[string]any{}}
	}
	places := map[string]func(string) map[string]any{
		"a name of the payload":   func(s string) map[string]any { return map[string]any{"request": ask, s: 1} },
		"a name of the request":   func(s string) map[string]any { return with(s, 1) },
		"a name of the proof":     func(s string) map[string]any { return map[string]any{"request": ask, "proof": map[string]any{s: "x"}} },
		"a list of the request":   func(s string) map[string]any { return with("mode", []string{s}) },
		"an object in the ref":    func(s string) map[string]any { return with("ref", map[string]any{"token": s}) },
		"a branch":                func(s string) map[string]any { return with("ref", "refs/heads/"+s) },
		"a repository's name":     func(s string) map[string]any { return with("repository", "acme/"+s) },
		"a field that is unknown": func(s string) map[string]any { return with("token", s) },
	}
	for _, field := range requestFields {
		places[field] = func(s string) map[string]any { return with(field, s) }
		places[field+", among others"] = func(s string) map[string]any { return with(field, "x "+s+"\n::error::y") }
	}
	return places
}

// TestRefusalsShowNoCredential: whatever field of a payload a credential stands in, it is
// not in the error (which is the log and the annotation), the job summary, the record, the
// ledger, or in anything that GitHub is sent.
func TestRefusalsShowNoCredential(t *testing.T) {
	t.Parallel()
	for form, c := range untrusted.Credentials() {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			refuseCredential(t, c)
		})
	}
}

func refuseCredential(t *testing.T, c untrusted.Credential) {
	w := pipelinetest.New(t)
	var log strings.Builder
	ask := map[string]any{}
	if err := json.Unmarshal(pipelinetest.JSON(t, w.Dispatch(w.Hub.Commit("staging a"), "push")), &ask); err != nil {
		t.Fatal(err)
	}
	run := int64(5000)
	for place, payload := range credentialPlaces(ask) {
		run++
		in := w.FetchInput(w.Dispatch(w.Hub.CommitLine[0], "push"), pipeline.Claims{})
		in.Run.ID, in.Event.Payload = run, pipelinetest.JSON(t, payload(c.Text))
		f := w.Fetcher()
		f.Logf = func(format string, args ...any) { fmt.Fprintf(&log, format+"\n", args...) }
		_, err := f.Run(context.Background(), in)
		if err == nil {
			t.Fatalf("in %s: accepted", place)
		}
		if strings.Contains(err.Error(), c.Secret) {
			t.Errorf("in %s: the error shows it: %v", place, err)
		}
		rejected, err := publish.FindRejected(context.Background(), w.Store, w.Sealer, in.Run)
		if err != nil {
			t.Fatalf("in %s: no record: %v", place, err)
		}
		if strings.Contains(render.Unverified(rejected), c.Secret) {
			t.Errorf("in %s: the summary shows it", place)
		}
	}
	stored := everything(t, w.Store)
	if at := strings.Index(stored, c.Secret); at >= 0 {
		t.Errorf("the store holds it: …%.300s", stored[max(at-100, 0):])
	}
	if strings.Contains(log.String(), c.Secret) {
		t.Errorf("the log shows it: %s", log.String())
	}
	if w.Hub.Writes > 0 || len(w.Hub.CommentList) > 0 || len(w.Hub.StatusOf) > 0 {
		t.Errorf("GitHub was sent something: %d writes", w.Hub.Writes)
	}
}

// TestFailuresShowNoCredential: an error on the way, such as one of GitHub that repeats the
// address that was asked, is no rejection and shows as little.
func TestFailuresShowNoCredential(t *testing.T) {
	t.Parallel()
	for form, c := range untrusted.Credentials() {
		w := pipelinetest.New(t)
		ask := w.Dispatch(w.Hub.Commit("staging a"), "push")
		w.Hub.AnswerRepository = func() (pipeline.Repository, error) {
			return pipeline.Repository{}, fmt.Errorf("GET https://github.example/repos/%s: HTTP 500", c.Text)
		}
		_, err := w.Send(ask)
		if err == nil || strings.Contains(err.Error(), c.Secret) || !strings.Contains(err.Error(), "HTTP 500") && !strings.Contains(c.Text, "PRIVATE") {
			t.Errorf("%s: %v", form, err)
		}
	}
}

// everything is the content of all objects of a store, as text without escapes of JSON.
func everything(t *testing.T, s pipeline.Store) string {
	t.Helper()
	var all strings.Builder
	for _, key := range pipelinetest.Must[[]string](t)(s.List(context.Background(), "")) {
		r := pipelinetest.Must[io.ReadCloser](t)(s.Open(context.Background(), key))
		b := pipelinetest.Must[[]byte](t)(io.ReadAll(r))
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s\n%s\n", key, b)
	}
	return all.String()
}
