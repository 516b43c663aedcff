package recovery_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

const lostState = "a state with a secret in it"

// losing is an engine whose backend is gone when it applies, and back later.
type losing struct {
	*pipelinetest.Engine
	pushed []pipeline.KeptState
	text   string
	err    error
	// damaged: what a push replaces is no state.
	damaged bool
}

func (l *losing) Apply(ctx context.Context, job pipeline.Job, plan pipeline.StoredPlan) (pipeline.Applied, error) {
	applied, err := l.Engine.Apply(ctx, job, plan)
	applied.ErroredState = filepath.Join(job.Dir, "errored.tfstate")
	return applied, errors.Join(err, os.WriteFile(applied.ErroredState, []byte(lostState), 0o600))
}

func (l *losing) PushState(ctx context.Context, _ pipeline.Job, kept pipeline.KeptState) (pipeline.StateVersion, error) {
	if kept.Replace != nil {
		if err := kept.Replace(ctx, l.damaged); err != nil {
			return pipeline.StateVersion{}, err
		}
	}
	b, err := os.ReadFile(kept.File)
	l.text, l.pushed = string(b), append(l.pushed, kept)
	return pipeline.StateVersion{Lineage: "l", Serial: 9}, errors.Join(l.err, err)
}

// full is a store that takes no sealed state any more.
type full struct{ pipeline.Store }

func (f full) Create(ctx context.Context, key string, body io.Reader) error {
	if strings.HasSuffix(key, "errored-state.sealed") {
		return errors.New("no space")
	}
	return f.Store.Create(ctx, key, body)
}

// lose plans and applies a request whose state cannot be written.
func lose(t *testing.T, w *pipelinetest.Setup, l *losing, s pipeline.Store) (pipeline.Request, pipeline.TargetInput, error) {
	t.Helper()
	l.Engine.ApplyErr = &pipeline.FailedError{Message: "the state could not be written"}
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging 1\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	in := w.Target(request, "staging")
	in.SpareDir = t.TempDir()
	applier := w.Applier()
	applier.Engine, applier.Store = l, s
	w.Tick()
	result, err := applier.Run(t.Context(), in)
	if _, whole := s.(full); whole != (result.SpareFile != "") {
		t.Errorf("the spare file is %q", result.SpareFile)
	}
	if !result.StateKept || result.Outcome != pipeline.OutcomeFailed {
		t.Errorf("result %+v", result)
	}
	return request, w.Target(request, "staging"), err
}

func recoverer(w *pipelinetest.Setup, l *losing) *recovery.Recoverer {
	return &recovery.Recoverer{Store: w.Store, Sealer: w.Sealer, Engine: l, Now: func() time.Time { return w.Now }}
}

func TestRecover(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	l := &losing{Engine: w.Engine}
	request, in, err := lose(t, w, l, w.Store)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !strings.Contains(failed.Operator, "metapipe state recover --customer "+string(request.Customer)+" --environment staging --request "+string(request.ID)) {
		t.Fatalf("the apply: %v", err)
	}
	report := w.Report(request, true)
	if next := report.Targets[0].Next; strings.Contains(next, "metapipe") || !strings.Contains(next, "brings the state back") {
		t.Errorf("the report says %q", next)
	}
	keys, err := w.Store.List(t.Context(), string(request.Customer)+"/staging/")
	if err != nil {
		t.Fatal(err)
	}
	if kept := record.KeptStates(keys); len(kept) != 1 || kept[0] != string(request.ID) {
		t.Errorf("kept %v", kept)
	}
	for _, key := range keys {
		r, err := w.Store.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || strings.Contains(string(b), lostState) || r.Close() != nil {
			t.Errorf("%s holds the state in clear, or %v", key, err)
		}
	}
	elsewhere := in
	elsewhere.Backend = pipeline.State{}.Target(in.Target(), "/elsewhere")
	var refused *pipeline.RefusedError
	if _, err := recoverer(w, l).Run(t.Context(), recovery.RecoverInput{TargetInput: elsewhere}); !errors.As(err, &refused) || len(l.pushed) > 0 {
		t.Errorf("to another backend: %v", err)
	}
	for range 2 {
		state, err := recoverer(w, l).Run(t.Context(), recovery.RecoverInput{TargetInput: in, Unlock: "id"})
		if err != nil || state.Serial != 9 || len(l.pushed) != 1 || l.text != lostState || l.pushed[0].Unlock != "id" {
			t.Fatalf("%+v %+v %v", state, l, err)
		}
	}
	w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, applying, failed, recovered")
	if _, err := os.Stat(l.pushed[0].File); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the clear text is still there: %v", err)
	}
	if keys, err = w.Store.List(t.Context(), string(request.Customer)+"/staging/"); err != nil || len(record.KeptStates(keys)) > 0 {
		t.Errorf("still kept: %v %v", keys, err)
	}
}

func TestRecoverFromAFile(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	l := &losing{Engine: w.Engine}
	_, in, err := lose(t, w, l, full{w.Store})
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	_, file, found := strings.Cut(strings.TrimSuffix(failed.Operator, "`"), " --file ")
	content, readErr := os.ReadFile(file)
	if !found || readErr != nil || strings.Contains(string(content), lostState) {
		t.Fatalf("%q: %v", failed.Operator, readErr)
	}
	var usage *pipeline.UsageError
	if _, err := recoverer(w, l).Run(t.Context(), recovery.RecoverInput{TargetInput: in}); !errors.As(err, &usage) {
		t.Errorf("without the file: %v", err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged")
	if err := os.WriteFile(damaged, append(content[:len(content)-1:len(content)-1], content[len(content)-1]^1), 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *pipeline.RefusedError
	if _, err := recoverer(w, l).Run(t.Context(), recovery.RecoverInput{TargetInput: in, File: damaged}); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
		t.Errorf("a damaged file: %v", err)
	}
	edited := filepath.Join(t.TempDir(), "edited")
	if err := os.WriteFile(edited, bytes.Replace(content, []byte(`"state_serial":"`), []byte(`"state_serial":"1`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{"receipt": edited, "no line": "/dev/null"} {
		if _, err := recoverer(w, l).Run(t.Context(), recovery.RecoverInput{TargetInput: in, File: bad}); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonTampered {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := in
	other.Request = pipeline.NewRequestID()
	if _, err := recoverer(w, l).Run(t.Context(), recovery.RecoverInput{TargetInput: other, File: file}); err == nil || len(l.pushed) > 0 {
		t.Errorf("as the state of another request: %v", err)
	}
	// The plan went with the lifecycle of the bucket, and so did the request.
	for _, prefix := range []string{"acme/staging/plans/", "acme/staging/kept/", "acme/requests/"} {
		w.Rewrite(prefix, func(objects map[string][]byte) { clear(objects) })
	}
	for range 2 {
		state, err := recoverer(w, l).Run(t.Context(), recovery.RecoverInput{TargetInput: in, File: file})
		if err != nil || l.text != lostState || len(l.pushed) != 1 || state.Serial != 9 {
			t.Errorf("%q %v", l.text, err)
		}
	}
}
