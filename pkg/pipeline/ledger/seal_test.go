package ledger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

// failed appends entries to the ledger of acme/staging.
func failed(w *pipelinetest.Setup, runs int) {
	w.T.Helper()
	for n := range runs {
		e := ledger.Entry{Event: ledger.Failed, Target: staging, Run: pipeline.Run{ID: int64(n + 1)}}
		pipelinetest.Must[ledger.Tip](w.T)(w.Ledger().Append(w.T.Context(), e))
	}
}

var staging = pipeline.Target{Customer: "acme", Environment: "staging"}

// TestForgedLastEntry: a last entry that was not sealed with the key is not believed, whatever
// its hashes are, and nothing comes behind it.
func TestForgedLastEntry(t *testing.T) {
	t.Parallel()
	const second = "acme/staging/ledger/9999999997-2.json"
	other := pipelinetest.Must[*store.Sealer](t)(store.NewSealer(store.NewKey()))
	for name, c := range map[string]struct {
		forge func(w *pipelinetest.Setup, e ledger.Entry) []byte
		want  error
	}{
		"changed": {func(w *pipelinetest.Setup, _ ledger.Entry) []byte {
			return []byte(strings.Replace(string(w.Read(second)), `"run": {`, `"actor": "eve", "run": {`, 1))
		}, pipeline.ErrTampered},
		"without a seal": {func(w *pipelinetest.Setup, e ledger.Entry) []byte {
			return pipelinetest.Must[[]byte](w.T)(record.Unsigned(second, e))
		}, pipeline.ErrTampered},
		"as another record": {func(w *pipelinetest.Setup, e ledger.Entry) []byte {
			return pipelinetest.Must[[]byte](w.T)(pipelinetest.RecordsOf(w.Store, w.Sealer).Sign(t.Context(), record.LedgerOf(staging), "acme/staging/ledger/9999999996-3.json", e))
		}, pipeline.ErrTampered},
		"of another target": {func(w *pipelinetest.Setup, e ledger.Entry) []byte {
			return pipelinetest.Must[[]byte](w.T)(pipelinetest.RecordsOf(w.Store, w.Sealer).Sign(t.Context(), record.LedgerOf(pipeline.Target{Customer: "evil", Environment: "staging"}), "evil/staging/ledger/9999999997-2.json", e))
		}, pipeline.ErrTampered},
		"another key": {func(w *pipelinetest.Setup, e ledger.Entry) []byte {
			return pipelinetest.Must[[]byte](w.T)(pipelinetest.RecordsOf(w.Store, other).Sign(t.Context(), record.LedgerOf(staging), second, e))
		}, pipeline.ErrUnknownKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			failed(w, 2)
			forged := c.forge(w, w.LastEvent(staging))
			w.Rewrite("acme/staging/ledger/", func(o map[string][]byte) { o[second] = forged })
			if _, err := w.Ledger().Tip(t.Context(), staging); !errors.Is(err, c.want) {
				t.Errorf("tip: %v, want %v", err, c.want)
			}
			var refused *pipeline.RefusedError
			if _, err := w.Ledger().Append(t.Context(), ledger.Entry{Event: ledger.Failed, Target: staging, Run: pipeline.Run{ID: 9}}); !errors.As(err, &refused) {
				t.Errorf("append: %v", err)
			}
			if _, _, err := w.Ledger().Read(t.Context(), staging); !errors.Is(err, c.want) {
				t.Errorf("read: %v, want %v", err, c.want)
			}
			report := pipelinetest.Must[ledger.AuditReport](t)(ledger.Auditor{Ledger: w.Ledger()}.Chain(t.Context(), staging))
			if said := strings.Join(append(report.Findings, report.Notes...), "\n"); !strings.Contains(said, "signature of the last entry") && !strings.Contains(said, "no valid signature") {
				t.Errorf("the audit says %q", said)
			}
			if keys := w.Keys("acme/staging/ledger/"); len(keys) != 2 {
				t.Errorf("written: %v", keys)
			}
		})
	}
}

// TestReplacedEntry: the seal of the last entry verifies the ones before it.
func TestReplacedEntry(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	failed(w, 3)
	const first = "acme/staging/ledger/9999999998-1.json"
	w.Rewrite("acme/staging/ledger/", func(o map[string][]byte) {
		o[first] = []byte(strings.Replace(string(o[first]), `"run": {`, `"actor": "eve", "run": {`, 1))
	})
	if _, _, err := w.Ledger().Read(t.Context(), staging); !errors.Is(err, ledger.ErrBroken) {
		t.Errorf("read: %v", err)
	}
	e := ledger.Entry{Event: ledger.Failed, Target: staging, Run: pipeline.Run{ID: 9}} // looks back to the first
	if _, err := w.Ledger().Append(t.Context(), e); !errors.Is(err, ledger.ErrBroken) {
		t.Errorf("append: %v", err)
	}
}

// TestUnlockWithoutAKey: a lock is released where no key is at hand, and what is recorded of it
// says nothing of the target. Without end such entries are not believed.
func TestUnlockWithoutAKey(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	failed(w, 1)
	without := ledger.Ledger{Records: record.Records{Store: w.Store}, Now: w.Tick}
	unlocked := ledger.Entry{Event: ledger.Unlocked, Target: staging, Actor: "ops"}
	pipelinetest.Must[ledger.Tip](t)(without.Append(t.Context(), unlocked))
	if _, err := without.Append(t.Context(), ledger.Entry{Event: ledger.Failed, Target: staging, Run: pipeline.Run{ID: 2}}); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("another event without a key: %v", err)
	}
	left := ledger.Entry{Event: ledger.Failed, Target: staging, Run: pipeline.Run{ID: 3}, State: &pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 1}}}
	pipelinetest.Must[ledger.Tip](t)(w.Ledger().Append(t.Context(), left))
	pipelinetest.Must[ledger.Tip](t)(without.Append(t.Context(), unlocked))
	tip := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Tip(t.Context(), staging))
	if tip.Sequence != 4 || tip.Last.Event != ledger.Unlocked || tip.Fold.State == nil || tip.Fold.State.Event != ledger.Failed {
		t.Errorf("%+v", tip)
	}
	w.LastEvent(staging) // which audits
	for n := range 101 {
		unlocked.Message = fmt.Sprint(n)
		var err error
		if tip, err = without.AppendAfter(t.Context(), tip, unlocked); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Ledger().Tip(t.Context(), staging); errors.Is(err, ledger.ErrBroken) {
		return
	}
	t.Error("101 entries without a seal are believed")
}
