package record_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestForgedRecords: who can write to the store lies about how a plan or an apply
// of staging ended. No one is told so, production does not overtake, and the plan is
// not applied.
func TestForgedRecords(t *testing.T) {
	t.Parallel()
	const applied = `{"outcome": "applied", "outputs": [{"name": "url", "value": "\"https://evil\""}]}`
	for name, c := range map[string]struct {
		forge  func(w *pipelinetest.Setup, r pipeline.Request, folder string)
		reason pipeline.Reason
	}{
		"end of an apply": {func(w *pipelinetest.Setup, r pipeline.Request, folder string) {
			w.BeginApply(r, "staging")
			w.Write(folder+"apply-0000000003.json", []byte(applied))
		}, pipeline.ReasonTampered},
		"end of an apply that did not begin": {func(w *pipelinetest.Setup, _ pipeline.Request, folder string) {
			w.Write(folder+"apply-0000000003.json", []byte(`{"record": `+applied+`, "seal": "AAAA"}`))
		}, pipeline.ReasonTampered},
		"taken out of use": {func(w *pipelinetest.Setup, _ pipeline.Request, folder string) {
			w.Write(folder+"apply-0000000003.json", []byte(`{"revoked": true, "outcome": "superseded", "reason": "superseded", "message": "go to https://evil"}`))
		}, pipeline.ReasonTampered},
		"no changes": {func(w *pipelinetest.Setup, r pipeline.Request, _ string) {
			w.Replace(r, "staging", "planned.json", func(b []byte) []byte {
				return bytes.Replace(b, []byte(`"waiting"`), []byte(`"no-changes"`), 1)
			})
		}, pipeline.ReasonTampered},
		"without a seal": {func(w *pipelinetest.Setup, r pipeline.Request, _ string) {
			w.Replace(r, "staging", "planned.json", func([]byte) []byte { return []byte(`{"record": {"outcome": "no-changes"}}`) })
		}, pipeline.ReasonTampered},
		"of an older version": {func(w *pipelinetest.Setup, r pipeline.Request, _ string) {
			w.Replace(r, "staging", "planned.json", func([]byte) []byte { return []byte(`{"outcome": "no-changes"}`) })
		}, pipeline.ReasonTampered},
		"no record at all": {func(w *pipelinetest.Setup, r pipeline.Request, _ string) {
			w.Replace(r, "staging", "planned.json", func([]byte) []byte { return []byte("\x00[") })
		}, pipeline.ReasonTampered},
		"of another request": {func(w *pipelinetest.Setup, _ pipeline.Request, folder string) {
			other := pipelinetest.Must[pipeline.Request](w.T)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "pull_request")))
			pipelinetest.Must[deploy.TargetResult](w.T)(w.Plan(other, "staging"))
			w.Write(folder+"planned.json", w.Read(w.Folder(other, "staging")+"planned.json"))
		}, pipeline.ReasonTampered},
		"of another environment": {func(w *pipelinetest.Setup, r pipeline.Request, folder string) {
			w.Write(folder+"planned.json", w.Read(w.Folder(r, "production")+"planned.json"))
		}, pipeline.ReasonTampered},
		"under a key of one's own": {func(w *pipelinetest.Setup, r pipeline.Request, folder string) {
			own := pipelinetest.Must[*store.Sealer](w.T)(store.NewSealer(store.NewKey()))
			w.BeginApply(r, "staging")
			if err := pipelinetest.CreateRecord(context.Background(), w.Store, own, "acme", folder+"apply-0000000003.json", json.RawMessage(applied)); err != nil {
				w.T.Fatal(err)
			}
		}, pipeline.ReasonUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			for _, env := range []pipeline.Environment{"staging", "production"} {
				pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, env))
			}
			c.forge(w, request, w.Folder(request, "staging"))
			for _, env := range []pipeline.Environment{"staging", "production"} {
				_, err := w.Apply(w.Target(request, env))
				var refused *pipeline.RefusedError
				if !errors.As(err, &refused) || refused.Reason != c.reason {
					t.Errorf("apply of %s: %v, want %s", env, err, c.reason)
				}
			}
			if w.Engine.Applies != 0 {
				t.Fatalf("%d applies", w.Engine.Applies)
			}
			got := w.Report(request, true).Targets[0]
			if got.Outcome != pipeline.OutcomeFailed || got.Reason != c.reason || len(got.Outputs) != 0 || strings.Contains(got.Message+got.Next, "evil") {
				t.Errorf("told as %+v", got)
			}
			if len(w.Hub.DeploymentList) != 0 {
				t.Errorf("deployments: %+v", w.Hub.DeploymentList)
			}
		})
	}
}

// TestForgedLastApply: what a drift scan tells of the last apply is what someone
// vouches for.
func TestForgedLastApply(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	load := func() (record.DriftLastApply, error) {
		return pipelinetest.LastApplyOf(context.Background(), w.Store, w.Sealer, pipeline.Target{Customer: "acme", Environment: "staging"})
	}
	genuine, err := load()
	if err != nil || genuine.Actor != "dev" {
		t.Fatalf("%+v %v", genuine, err)
	}
	keys := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/applied/"))
	b := w.Read(keys[0])
	w.Write(keys[0], bytes.Replace(b, []byte(`"dev"`), []byte(`"eve"`), 1))
	if got, err := load(); !errors.Is(err, pipeline.ErrTampered) || got.Actor != "" {
		t.Fatalf("another actor: %+v %v", got, err)
	}
	w.Write(keys[0], bytes.Replace(b, []byte(string(request.Commit)), []byte(strings.Repeat("b", 40)), 1))
	if got, err := load(); !errors.Is(err, pipeline.ErrTampered) {
		t.Fatalf("another commit: %+v %v", got, err)
	}
}

// FuzzRecord: whatever is laid into the place of a record, it is read as what was
// written there or not at all.
func FuzzRecord(f *testing.F) {
	objects, err := store.NewDirectory(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	sealer, err := store.NewSealer(store.NewKey())
	if err != nil {
		f.Fatal(err)
	}
	const key = "acme/staging/plans/x/0001/planned.json"
	want := record.Result{Outcome: pipeline.OutcomeWaiting, Message: "<a> & b"}
	if err := pipelinetest.CreateRecord(context.Background(), objects, sealer, "acme", key, want); err != nil {
		f.Fatal(err)
	}
	genuine := readAll(f, objects, key)
	for _, seed := range [][]byte{genuine, bytes.Replace(genuine, []byte("waiting"), []byte("applied"), 1), []byte(`{"outcome":"applied"}`), []byte(`{"record":{},"seal":""}`), []byte(`{"record":`), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got record.Result
		err := pipelinetest.ReadRecord(context.Background(), one{objects, b}, sealer, "acme", key, &got)
		if err == nil && (got.Outcome != want.Outcome || got.Message != want.Message) {
			t.Fatalf("%q is believed: %+v", b, got)
		}
		if err != nil && !errors.Is(err, pipeline.ErrTampered) && !errors.Is(err, pipeline.ErrUnknownKey) {
			t.Fatalf("%q: %v", b, err)
		}
		if bytes.Equal(b, genuine) && err != nil {
			t.Fatal(err)
		}
	})
}

// one is a store whose every object is the same.
type one struct {
	pipeline.Store
	object []byte
}

func (s one) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.object)), nil
}

func readAll(t testing.TB, s pipeline.Store, key string) []byte {
	t.Helper()
	r, err := s.Open(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}
