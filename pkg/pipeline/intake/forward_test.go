package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

var inbox = pipeline.Slug{Owner: "ops", Name: "inbox"}

// forwarding is a run of the inbox that a payload has started.
func forwarding(w *pipelinetest.Setup, payload string) (intake.Forward, intake.ForwardInput) {
	return intake.Forward{Manager: w.Hub, Logf: w.T.Logf}, intake.ForwardInput{Manager: pipelinetest.ManagerSlug,
		Event: pipeline.Event{Name: "repository_dispatch", Action: pipeline.DispatchEvent, Repository: pipeline.Repository{Slug: inbox, ID: 77}, Payload: json.RawMessage(payload)}}
}

// TestForward: the manager gets what the trigger has sent, field by field.
func TestForward(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	sent := pipeline.Payload{Request: w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")}
	sent.Proof.Token = "a.b.c"
	raw := string(pipelinetest.Must[[]byte](t)(json.MarshalIndent(sent, "", "  "))) // as the runner writes it
	f, in := forwarding(w, raw)
	if err := f.Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if len(w.Hub.Dispatched) != 1 || w.Hub.DispatchedTo[0] != pipelinetest.ManagerSlug {
		t.Fatalf("sent %d times, to %v", len(w.Hub.Dispatched), w.Hub.DispatchedTo)
	}
	got, err := pipeline.ParsePayload(w.Hub.Dispatched[0])
	if err != nil || got != sent || got.Request.Audience(pipelinetest.ManagerSlug) != sent.Request.Audience(pipelinetest.ManagerSlug) {
		t.Errorf("%v: %+v", err, got)
	}
	w.Hub.DispatchError = errors.New("GitHub is away")
	if err := f.Run(context.Background(), in); err == nil || !strings.Contains(err.Error(), "GitHub is away") {
		t.Errorf("a request that was not sent: %v", err)
	}
}

// TestForwardRefuses: what is no request is not sent, and a refusal shows no credential.
func TestForwardRefuses(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	good := string(pipelinetest.Must[[]byte](t)(json.Marshal(pipeline.Payload{Request: w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")})))
	add := func(field string) string { return strings.Replace(good, `"request":{`, `"request":{`+field+`,`, 1) }
	for name, c := range map[string]struct {
		payload string
		change  func(*intake.ForwardInput)
		says    string
		usage   bool
	}{
		"another event type":     {payload: good, change: func(in *intake.ForwardInput) { in.Event.Action = "infra-destroy" }, says: `"infra-destroy" and not "infra-deploy"`},
		"no event type":          {payload: good, change: func(in *intake.ForwardInput) { in.Event.Action = "" }, says: "event type"},
		"another event":          {payload: good, change: func(in *intake.ForwardInput) { in.Event.Name = "workflow_dispatch" }, says: "repository_dispatch", usage: true},
		"to itself":              {payload: good, change: func(in *intake.ForwardInput) { in.Manager = pipeline.Slug{Owner: "OPS", Name: "Inbox"} }, says: "to itself", usage: true},
		"no payload":             {says: "payload"},
		"no object":              {payload: `[1]`, says: "payload"},
		"one more field":         {payload: add(`"command":"rm -rf /"`), says: "unknown field"},
		"one more object":        {payload: strings.Replace(good, `{"request"`, `{"extra":{},"request"`, 1), says: "unknown field"},
		"a field twice":          {payload: add(`"mode":"apply"`), says: "mode"},
		"a path that climbs out": {payload: strings.Replace(good, `"path":"infra"`, `"path":"../x"`, 1), says: "request.path"},
		"huge":                   {payload: strings.Replace(good, `"path":"infra"`, `"path":"`+strings.Repeat("a/", 20<<10)+`a"`, 1), says: "at most 32768"},
		"a token in a field":     {payload: add(`"ghp_0123456789abcdefghij0123456789abcdef":1`), says: "nothing was forwarded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			f, in := forwarding(w, c.payload)
			if c.change != nil {
				c.change(&in)
			}
			err := f.Run(context.Background(), in)
			var rejected *pipeline.RejectedError
			var usage *pipeline.UsageError
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.As(err, &usage) != c.usage || errors.As(err, &rejected) == c.usage {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "ghp_0123456789") {
				t.Errorf("the refusal shows a token: %v", err)
			}
			if len(w.Hub.Dispatched) != 0 {
				t.Errorf("sent: %s", w.Hub.Dispatched)
			}
		})
	}
}

// TestTriggerByInbox: the request goes to the inbox and is signed for the manager, and the
// wait ends where it is not forwarded.
func TestTriggerByInbox(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	in := triggerInput(w, "push", w.Hub.Commit(pipelinetest.BothEnvironments))
	in.Inbox, in.Wait = inbox, time.Hour
	trigger := newTrigger(w)
	var audience string
	trigger.IDToken = func(_ context.Context, a string) (string, error) {
		audience = a
		return "a.b.c", nil
	}
	_, err := trigger.Run(context.Background(), in)
	var waiting *pipeline.WaitingError
	if !errors.As(err, &waiting) || waiting.Stage != "picked-up" || !pipelinetest.ContainsAll(err.Error(), "was not picked up by ops/manager", "the run of ops/inbox has forwarded it") {
		t.Errorf("%v", err)
	}
	if s := w.Hub.Status(in.Event.Head, "infra/terraform-deploy"); s.State != pipeline.StatusError || !strings.HasPrefix(s.Description, "Not picked up by ops/manager within") {
		t.Errorf("the status is %+v", s)
	}
	if len(w.Hub.DispatchedTo) != 1 || w.Hub.DispatchedTo[0] != inbox {
		t.Fatalf("sent to %v", w.Hub.DispatchedTo)
	}
	if want := sentDispatch(w).Audience(in.Manager); audience != want {
		t.Errorf("signed for %q, want %q", audience, want)
	}
	w.Hub.DispatchError = errors.New("404")
	in.Run.Attempt = 2
	if _, err := trigger.Run(context.Background(), in); err == nil || !strings.Contains(err.Error(), "to ops/inbox") {
		t.Errorf("not sent: %v", err)
	}
}
