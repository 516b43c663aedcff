package pipeline_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/store"
)

// RemoveState is a call of the store, too.
func (s nthStore) RemoveState(ctx context.Context, key string) error {
	return s.call(func() error { return s.Store.(*store.Directory).RemoveState(ctx, key) })
}

// TestRestoreRefusesAMisfit: a copy that is not the state that the last apply left is not
// pushed, and nothing is recorded of it.
func TestRestoreRefusesAMisfit(t *testing.T) {
	t.Parallel()
	for name, copied := range map[string]pipeline.StateRecord{
		"older":          {StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 0}, Resources: 2},
		"other lineage":  {StateVersion: pipeline.StateVersion{Lineage: "k", Serial: 7}, Resources: 2},
		"without any":    {Resources: 2},
		"emptied, newer": {StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := applied(t)
			l := &losing{engine: w.engine}
			restorer := &recovery.Restorer{Store: w.store, Sealer: w.sealer, Engine: l, Now: w.tick}
			before := must[[]string](t)(w.store.List(t.Context(), ""))
			from := recovery.StateCopy{File: stateText(t), State: copied, Name: "file copy.tfstate", From: "from a file"}
			_, err := restorer.Restore(t.Context(), w.target(pipeline.Request{}, "staging"), from)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || !contains(err.Error(), "file copy.tfstate", "acme/staging", "--force") {
				t.Errorf("err = %v", err)
			}
			if after := must[[]string](t)(w.store.List(t.Context(), "")); len(l.pushed) != 0 || len(after) != len(before) {
				t.Errorf("pushed %v, and the store holds %v", l.pushed, after)
			}
			from.Force = true
			done, err := restorer.Restore(t.Context(), w.target(pipeline.Request{}, "staging"), from)
			if err != nil || done.Misfit == nil || len(l.pushed) != 1 {
				t.Errorf("forced: %+v, %v", done, err)
			}
		})
	}
}

func stateText(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "copy.tfstate")
	if err := os.WriteFile(file, []byte("a state"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestRestoreLosesNothing lets each call of a restore fail: what lay in the place of the
// state is there, or it is kept, and the restore can be done again.
func TestRestoreLosesNothing(t *testing.T) {
	t.Parallel()
	const damaged = "[half of a sta"
	for _, through := range []bool{false, true} {
		for call := 0; ; call++ {
			w := applied(t)
			place := filepath.Join(w.dir, "store", "acme", "staging", "terraform.tfstate")
			if err := errors.Join(os.MkdirAll(filepath.Dir(place), 0o700), os.WriteFile(place, []byte(damaged), 0o600)); err != nil {
				t.Fatal(err)
			}
			fault := nthStore{w.store, &nth{left: call, through: through}}
			l := &losing{engine: w.engine}
			restorer := &recovery.Restorer{Store: fault, States: fault, Sealer: w.sealer, Engine: l, Now: w.tick}
			from := recovery.StateCopy{File: stateText(t), State: pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 9}, Resources: 2}, From: "from a file", Replace: true}
			_, err := restorer.Restore(t.Context(), w.target(pipeline.Request{}, "staging"), from)
			kept := must[[]string](t)(filepath.Glob(filepath.Join(filepath.Dir(place), "replaced", "*")))
			found := false
			for _, file := range append(kept, place) {
				content, readErr := os.ReadFile(file)
				found = found || readErr == nil && string(content) == damaged
			}
			if !found {
				t.Errorf("call %d (through: %v): the damaged state is gone (%v)", call, through, err)
			}
			if !fault.hit {
				if err != nil || len(l.pushed) != 1 || len(kept) != 1 {
					t.Errorf("without a fault: %v, pushed %v, kept %v", err, l.pushed, kept)
				}
				break
			}
			if err == nil && len(l.pushed) == 0 {
				t.Errorf("call %d (through: %v): nothing was restored, and no error says so", call, through)
			}
		}
	}
}

// TestOnlyStatesAreRemoved: the store gives nothing else away.
func TestOnlyStatesAreRemoved(t *testing.T) {
	t.Parallel()
	w := applied(t)
	directory := w.store.(*store.Directory)
	for _, key := range append(must[[]string](t)(w.store.List(t.Context(), "")), "", "../terraform.tfstate", "acme/staging/terraform.tfstate.backup") {
		if err := directory.RemoveState(t.Context(), key); err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("%q: %v", key, err)
		}
	}
}
