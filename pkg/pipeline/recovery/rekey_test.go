package recovery_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/store"
)

// rotated is a setup with an apply under an old key, and a rekeyer with both keys.
func rotated(t *testing.T) (*pipelinetest.Setup, *recovery.Rekeyer) {
	t.Helper()
	w, r, _ := rotatedRequest(t)
	return w, r
}

// rotatedRequest is rotated with the request of the apply, which is open.
func rotatedRequest(t *testing.T) (*pipelinetest.Setup, *recovery.Rekeyer, pipeline.Request) {
	t.Helper()
	old, next := store.NewKey(), store.NewKey()
	w := pipelinetest.New(t)
	w.Sealer = pipelinetest.Must[*store.Sealer](t)(store.NewSealer(old))
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	return w, &recovery.Rekeyer{Store: w.Store, First: pipelinetest.Must[*store.Sealer](t)(store.NewSealer(next)), All: pipelinetest.Must[*store.Sealer](t)(store.NewSealer(next, old)), Now: func() time.Time { return w.Now }}, request
}

func states(r recovery.RekeyResult) string {
	var all []string
	for _, stored := range r.Records {
		if strings.Contains(stored.Key, "/applied/") {
			all = append(all, string(stored.State))
		}
	}
	return strings.Join(all, " ")
}

// TestRekeySealsAgain: dry by default, once with apply, and a later apply is newer.
func TestRekeySealsAgain(t *testing.T) {
	t.Parallel()
	w, r := rotated(t)
	before := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/applied/"))
	for _, step := range []struct {
		apply bool
		want  string
	}{{false, "old-key"}, {true, "resealed"}, {true, ""}, {false, ""}} {
		if got := states(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), step.apply))); got != step.want {
			t.Errorf("apply %v: %q, want %q", step.apply, got, step.want)
		}
		if now := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/staging/applied/")); !step.apply && step.want != "" && !slices.Equal(now, before) {
			t.Errorf("a dry run wrote %v", now)
		}
	}
	if _, err := pipelinetest.LastApplyOf(context.Background(), w.Store, r.First, pipeline.Target{Customer: "acme", Environment: "staging"}); err != nil {
		t.Errorf("with the new key alone: %v", err)
	}
	w.Sealer = r.All.(*store.Sealer)
	w.Now = w.Now.Add(1)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging three\nproduction one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	if last, err := pipelinetest.LastApplyOf(context.Background(), w.Store, r.First, pipeline.Target{Customer: "acme", Environment: "staging"}); err != nil || last.Request != request.ID {
		t.Errorf("the last apply is %s, %v", last.Request, err)
	}
}

// TestRekeyAdoptsNothing: what no key opens, and what was changed, is never sealed again.
func TestRekeyAdoptsNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*pipelinetest.Setup, *recovery.Rekeyer)
		want  string
	}{
		"foreign key": {func(_ *pipelinetest.Setup, r *recovery.Rekeyer) { r.All = r.First }, "no-key"},
		"changed":     {func(w *pipelinetest.Setup, _ *recovery.Rekeyer) { w.SpoilApplied(".json") }, "tampered"},
		"variables":   {func(w *pipelinetest.Setup, _ *recovery.Rekeyer) { w.Detach("acme/staging/applied/") }, "tampered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := rotated(t)
			c.spoil(w, r)
			applied := func() []string {
				return slices.DeleteFunc(w.Keys("acme/"), func(key string) bool { return strings.Contains(key, "/ledger/") && c.want == "tampered" })
			}
			before := applied()
			result := pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), true))
			if got := states(result); got != c.want || result.Removable {
				t.Errorf("%q removable=%v, want %q", got, result.Removable, c.want)
			}
			if after := applied(); !slices.Equal(before, after) {
				t.Errorf("written: %v", after)
			}
		})
	}
}

// TestRekeyFault: a store that takes no record leaves the old one, and
// a repetition ends the work.
func TestRekeyFault(t *testing.T) {
	t.Parallel()
	w, r := rotated(t)
	r.Store = failing{w.Store, ".json"}
	if _, err := r.Run(context.Background(), true); err == nil {
		t.Fatal("no error")
	}
	if _, err := pipelinetest.LastApplyOf(context.Background(), w.Store, r.All, pipeline.Target{Customer: "acme", Environment: "staging"}); err != nil {
		t.Errorf("the old record is gone: %v", err)
	}
	r.Store, w.Now = w.Store, w.Now.Add(1)
	if got := states(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(context.Background(), true))); got != "resealed" {
		t.Errorf("again: %q", got)
	}
}

// failing is a store that takes no object with a suffix.
type failing struct {
	pipeline.Store
	suffix string
}

func (f failing) Create(ctx context.Context, key string, body io.Reader) error {
	if strings.HasSuffix(key, f.suffix) {
		return errors.New("the store is gone")
	}
	return f.Store.Create(ctx, key, body)
}

// TestRekeyNames: which customer a repository is, and which name a renamed one has, is
// sealed again; what was changed is not.
func TestRekeyNames(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w, r := rotated(t)
	w.DeleteAll("_metapipe/open/")
	if err := w.Rename("acme", "store"); err != nil {
		t.Fatal(err)
	}
	of := func(apply bool, state recovery.RekeyState) (names int) {
		for _, stored := range pipelinetest.Must[recovery.RekeyResult](t)(r.Run(ctx, apply)).Records {
			if strings.HasPrefix(stored.Key, "_metapipe/customers/") && stored.State == state {
				names++
			}
		}
		return names
	}
	if dry, done, again := of(false, recovery.RekeyOld), of(true, recovery.RekeyDone), of(true, recovery.RekeyDone); dry != 2 || done != 2 || again != 0 {
		t.Errorf("old: %d, sealed again: %d, and once more: %d", dry, done, again)
	}
	for name, good := range map[pipeline.CustomerName]bool{"store": true, "acme": false} {
		w.Current.Name = name
		if err := registry.CheckRegistered(ctx, w.Store, r.First, w.Current); (err == nil) != good {
			t.Errorf("%s, with the new key alone: %v", name, err)
		}
	}
	w.DeleteRegistrations()
	w.Current.Name = "acme"
	var renamed *pipeline.RenamedError
	if err := registry.CheckRegistered(ctx, w.Store, r.First, w.Current); !errors.As(err, &renamed) || renamed.Old != "store" {
		t.Errorf("without registrations, with the new key alone: %v", err)
	}
	for _, key := range w.Registrations() {
		w.Write(key, bytes.Replace(w.Read(key), []byte("store"), []byte("stole"), 1))
	}
	if bad := of(true, recovery.RekeyTampered); bad != 1 {
		t.Errorf("%d forged records are found", bad)
	}
}

// TestOtherKeyAfterAnApply: who cannot read a record does not say that nothing was
// applied where an apply has begun, and says it where none has.
func TestOtherKeyAfterAnApply(t *testing.T) {
	t.Parallel()
	old, next := store.NewKey(), store.NewKey()
	both := func(first, second store.Key) *store.Sealer {
		return pipelinetest.Must[*store.Sealer](t)(store.NewSealer(first, second))
	}
	w := pipelinetest.New(t)
	w.Sealer = both(next, old)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\nproduction one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	w.Sealer = both(old, next)
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "production"))
	w.Sealer = pipelinetest.Must[*store.Sealer](t)(store.NewSealer(next))

	_, err := w.Apply(w.Target(request, "staging"))
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != pipeline.ReasonUnknownKey || strings.Contains(err.Error(), "applied") || !strings.Contains(refused.Message, "this step has changed nothing") {
		t.Errorf("a second apply: %v", err)
	}
	targets := w.Report(request, false).Targets
	if got := targets[0].Message; targets[0].Outcome != pipeline.OutcomeFailed || !strings.Contains(got, "how the apply ended is recorded under another key") {
		t.Errorf("after the apply the customer reads %q", got)
	}
	if got := targets[1].Message; !strings.Contains(got, "so this plan was not applied") || !strings.Contains(targets[1].Next, "nothing to do but wait") {
		t.Errorf("before the apply the customer reads %q → %q", got, targets[1].Next)
	}
}
