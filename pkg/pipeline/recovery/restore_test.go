package recovery_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/store"
)

// TestRestoreRefusesAMisfit: a copy that is not the state that the last apply left is not
// pushed, and nothing is recorded of it.
func TestRestoreRefusesAMisfit(t *testing.T) {
	t.Parallel()
	for name, copied := range map[string]pipeline.StateRecord{
		"older":          {StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 0}, Resources: 2},
		"other lineage":  {StateVersion: pipeline.StateVersion{Lineage: "k", Serial: 7}, Resources: 2},
		"one taken out":  {StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 1}, Resources: 1},
		"without any":    {Resources: 2},
		"emptied, newer": {StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.NewApplied(t)
			l := &losing{Engine: w.Engine}
			restorer := &recovery.Restorer{Store: w.Store, Sealer: w.Sealer, Engine: l, Now: w.Tick}
			before := pipelinetest.Must[[]string](t)(w.Store.List(t.Context(), ""))
			from := recovery.StateCopy{File: stateText(t), State: copied, Name: "file copy.tfstate", From: "from a file"}
			_, err := restorer.Restore(t.Context(), w.Target(pipeline.Request{}, "staging"), from)
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || !pipelinetest.ContainsAll(err.Error(), "file copy.tfstate", "acme/staging", "--force") {
				t.Errorf("err = %v", err)
			}
			if after := pipelinetest.Must[[]string](t)(w.Store.List(t.Context(), "")); len(l.pushed) != 0 || len(after) != len(before) {
				t.Errorf("pushed %v, and the store holds %v", l.pushed, after)
			}
			from.Force = true
			done, err := restorer.Restore(t.Context(), w.Target(pipeline.Request{}, "staging"), from)
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

// TestRestoreLosesNothing lets each call of a restore fail, and the push itself: where
// nothing was pushed, what lay in the place of the state is there, byte for byte. What was
// replaced is kept, and the ledger says so before.
func TestRestoreLosesNothing(t *testing.T) {
	t.Parallel()
	for _, damaged := range []bool{false, true} {
		for _, through := range []bool{false, true} {
			for call := 0; restoreOnce(t, damaged, call, through, nil); call++ {
			}
		}
		restoreOnce(t, damaged, -1, false, errors.New("the tool failed"))
	}
}

// restoreOnce replaces a state while one call of the store fails, and reports whether it did.
func restoreOnce(t *testing.T, damaged bool, call int, through bool, push error) bool {
	t.Helper()
	const old = "[half of a sta"
	w := pipelinetest.NewApplied(t)
	place := filepath.Join(w.ManagerDir, "store", "acme", "staging", "terraform.tfstate")
	if err := errors.Join(os.MkdirAll(filepath.Dir(place), 0o700), os.WriteFile(place, []byte(old), 0o600)); err != nil {
		t.Fatal(err)
	}
	fault := pipelinetest.FaultStore{Store: w.Store, Fault: &pipelinetest.Fault{Left: call, Through: through}}
	if call < 0 {
		fault.Left = 1 << 20
	}
	l := &losing{Engine: w.Engine, damaged: damaged, err: push}
	restorer := &recovery.Restorer{Store: fault, States: fault, Sealer: w.Sealer, Engine: l, Now: w.Tick,
		WayBack: func(_ pipeline.TargetInput, key string) string { return "bring back " + key }}
	from := recovery.StateCopy{File: stateText(t), State: pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 1}, Resources: 2}, From: "from a file", Replace: true}
	_, err := restorer.Restore(t.Context(), w.Target(pipeline.Request{}, "staging"), from)
	kept := pipelinetest.Must[[]string](t)(filepath.Glob(filepath.Join(filepath.Dir(place), "replaced", "*")))
	content, readErr := os.ReadFile(place)
	what := fmt.Sprintf("damaged %v, call %d, through %v: %v", damaged, call, through, err)
	if err != nil && (len(l.pushed) == 0 || push != nil) && (readErr != nil || string(content) != old) {
		t.Errorf("%s: the old state is gone: %q %v", what, content, readErr)
	}
	if len(l.pushed) > 0 && (len(kept) != 1 || string(pipelinetest.Must[[]byte](t)(os.ReadFile(kept[0]))) != old) {
		t.Errorf("%s: kept %v", what, kept)
	}
	if err == nil && len(l.pushed) == 0 {
		t.Errorf("%s: nothing was restored, and no error says so", what)
	}
	if push != nil && (!pipelinetest.ContainsAll(err.Error(), "byte for byte", "acme/staging/replaced/") || strings.Contains(err.Error(), "bring back acme/staging/replaced/") == damaged) {
		t.Errorf("%s: the way back is not in the error", what)
	}
	if push != nil {
		w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, applying, applied, restoring")
	} else if !fault.Hit {
		if err != nil {
			t.Error(what)
		}
		w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, applying, applied, restoring, restored")
		if _, gone := os.Stat(place); damaged != os.IsNotExist(gone) {
			t.Errorf("%s: only a damaged state is removed: %v", what, gone)
		}
	}
	return fault.Hit
}

// TestOnlyStatesAreRemoved: the store gives nothing else away.
func TestOnlyStatesAreRemoved(t *testing.T) {
	t.Parallel()
	w := pipelinetest.NewApplied(t)
	directory := w.Store.(*store.Directory)
	for _, key := range append(pipelinetest.Must[[]string](t)(w.Store.List(t.Context(), "")), "", "../terraform.tfstate", "acme/staging/terraform.tfstate.backup") {
		if err := directory.RemoveState(t.Context(), key); err == nil || !strings.Contains(err.Error(), "key") {
			t.Errorf("%q: %v", key, err)
		}
	}
}
