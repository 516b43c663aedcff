package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// blot is a mask for one secret.
type blot struct{ w io.Writer }

func (b blot) Write(p []byte) (int, error) {
	_, err := io.WriteString(b.w, strings.ReplaceAll(string(p), "hunter2", "***"))
	return len(p), err
}

func (b blot) Close() error { return nil }

func TestLogsAreKept(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Engine.LogText = "Error: password hunter2 is wrong\n"
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	var live strings.Builder
	in := w.Target(request, "staging")
	in.Log, in.Mask = &live, func(w io.Writer) io.WriteCloser { return blot{w} }
	w.Engine.PlanErr = &pipeline.FailedError{Message: "plan failed"}
	if _, err := w.Planner().Run(context.Background(), in); err == nil {
		t.Fatal("want the failure")
	}
	var logged strings.Builder
	report := func(final bool) string {
		logged.Reset()
		r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: pipelinetest.PlainRenderer{}, Now: func() time.Time { return w.Tick() },
			Logf: func(format string, args ...any) { fmt.Fprintf(&logged, format+"\n", args...) }}
		got, _, err := r.Run(context.Background(), publish.ReportInput{Manager: pipelinetest.ManagerSlug, Customer: w.Current, Request: request.ID, Final: final})
		if err != nil {
			t.Fatal(err)
		}
		if next := got.Targets[0].Next; strings.Contains(next, "--log") {
			t.Errorf("the customer cannot run it: %q", next)
		}
		return logged.String()
	}
	if said := report(false); !pipelinetest.ContainsAll(said, "state show", "--environment staging", string(request.ID), "--log") {
		t.Errorf("the manager's log does not lead to the log of the plan: %q", said)
	}
	w.Engine.PlanErr = nil
	pipelinetest.Must[deploy.TargetResult](t)(w.Planner().Run(context.Background(), in))
	if said := report(false); strings.Contains(said, "--log") {
		t.Errorf("a plan that went well: %q", said)
	}
	w.Engine.NotStarted = errors.New("init failed")
	if _, err := w.Apply(in); err == nil {
		t.Fatal("want the failure")
	}
	w.Engine.NotStarted, w.Engine.ApplyErr = nil, &pipeline.FailedError{Message: "half-way", Next: "mend it"}
	w.Engine.LogText = strings.Repeat("0123456789abcde\n", 3<<16) + "the end\n"
	if _, err := w.Apply(in); err == nil {
		t.Fatal("want the failure")
	}
	if said := report(true); !pipelinetest.ContainsAll(said, "--log") {
		t.Errorf("the manager's log does not lead to the log of the apply: %q", said)
	}
	logs, err := record.KeptLogs(context.Background(), w.Store, w.Sealer, pipeline.Target{Customer: "acme", Environment: "staging"}, request.ID)
	if err != nil || len(logs) != 4 {
		t.Fatalf("%d logs, %v", len(logs), err)
	}
	for i, want := range []string{"plan 1", "plan 2", "apply 1", "apply 2"} {
		if got := fmt.Sprint(logs[i].Command, " ", logs[i].Attempt); got != want {
			t.Errorf("log %d is of %s, want %s", i, got, want)
		}
		if strings.Contains(logs[i].Text, "hunter2") {
			t.Errorf("%s holds what the live log hides", want)
		}
	}
	if logs[2].Text != "Error: password *** is wrong\n" {
		t.Errorf("%q", logs[2].Text)
	}
	long := logs[3].Text
	if len(long) > 1<<20+100 || !strings.HasPrefix(long, "0123") || !strings.HasSuffix(long, "the end\n") || !strings.Contains(long, "bytes are left out here") {
		t.Errorf("a long log: %d bytes, ends %q", len(long), long[len(long)-20:])
	}
	for _, key := range pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/plans/")) {
		r := pipelinetest.Must[io.ReadCloser](t)(w.Store.Open(context.Background(), key))
		if b := pipelinetest.Must[[]byte](t)(io.ReadAll(r)); strings.Contains(string(b), "is wrong") {
			t.Errorf("%s holds the log in clear", key)
		}
	}
}

// A log that cannot be kept changes nothing about how its job ended.
func TestLogThatCannotBeKept(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := w.WaitingRequest()
	w.Store = refusing{w.Store, "-log.sealed"}
	var live strings.Builder
	in := w.Target(request, "staging")
	in.Log = &live
	if got := pipelinetest.Must[deploy.TargetResult](t)(w.Apply(in)); got.Outcome != pipeline.OutcomeApplied {
		t.Fatalf("%+v", got)
	}
	if !strings.Contains(live.String(), "could not be kept") {
		t.Errorf("the live log: %q", live.String())
	}
}

// refusing takes no object whose key ends so.
type refusing struct {
	pipeline.Store
	end string
}

func (r refusing) Create(ctx context.Context, key string, body io.Reader) error {
	if strings.HasSuffix(key, r.end) {
		return errors.New("the store is full")
	}
	return r.Store.Create(ctx, key, body)
}
