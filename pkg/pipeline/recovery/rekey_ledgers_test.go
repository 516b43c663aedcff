package recovery_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

// ledgerStates are the states of the ledgers that rekey lists.
func ledgerStates(r recovery.RekeyResult) string {
	var all []string
	for _, stored := range r.Records {
		if strings.Contains(stored.Key, "ledger/") {
			all = append(all, stored.Key[:strings.Index(stored.Key, "ledger/")]+" "+string(stored.State))
		}
	}
	return strings.Join(all, ", ")
}

// TestRekeyLedgers: one more entry brings a whole ledger under the new key, also those of
// requests that were not accepted.
func TestRekeyLedgers(t *testing.T) {
	t.Parallel()
	w, r := rotated(t)
	for _, t := range []pipeline.Target{{}, {Customer: "acme"}} {
		chain := ledger.Ledger{Records: record.Records{Store: w.Store, Sealer: w.Sealer}, Now: w.Tick}
		pipelinetest.Must[ledger.Tip](w.T)(chain.Append(w.T.Context(), ledger.Entry{Event: ledger.Rejected, Target: t, Run: pipeline.Run{ID: 7}}))
	}
	const all = "_metapipe/ %s, acme/ %s, acme/production/ %s, acme/staging/ %s"
	for _, step := range []struct {
		apply bool
		want  string
	}{{false, "old-key"}, {true, "resealed"}, {false, ""}} {
		got := ledgerStates(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), step.apply)))
		want := strings.ReplaceAll(all, "%s", step.want)
		if step.want == "" {
			want = ""
		}
		if got != want {
			t.Errorf("apply %v: %q, want %q", step.apply, got, want)
		}
	}
	first := ledger.Ledger{Records: record.Records{Store: w.Store, Sealer: r.First}, Now: w.Tick}
	tip, err := first.Tip(t.Context(), pipeline.Target{Customer: "acme", Environment: "staging"})
	if err != nil || tip.Last.Event != ledger.Rekeyed || tip.Fold.Apply == nil || tip.Fold.State == nil {
		t.Errorf("with the new key alone: %+v %v", tip, err)
	}
	report := pipelinetest.Must[ledger.AuditReport](t)(ledger.Auditor{Ledger: first}.Chain(t.Context(), tip.Last.Target))
	if len(report.Findings)+len(report.Notes) > 0 {
		t.Errorf("the audit: %q %q", report.Findings, report.Notes)
	}
}

// TestLedgerUnderALostKey: nothing is recorded behind an entry that no key opens, until an
// operator answers for the state.
func TestLedgerUnderALostKey(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.ApplyOnce()
	r := leaked(w, w.Current)
	if got := ledgerStates(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), true))); got != "acme/production/ no-key, acme/staging/ no-key" {
		t.Errorf("listed: %q", got)
	}
	staging := w.Current.Name.In("staging")
	e := ledger.Entry{Event: ledger.Failed, Target: staging, Run: pipeline.Run{ID: 9}}
	var refused *pipeline.RefusedError
	if _, err := w.Ledger().Append(t.Context(), e); !errors.As(err, &refused) || refused.Reason != pipeline.ReasonUnknownKey {
		t.Errorf("append: %v", err)
	}
	in := pipeline.TargetInput{Customer: w.Current, Environment: "staging", Backend: w.Backend(staging)}
	for range 2 { // the same state: without the key nobody says that it is the one that was left
		if err := restorer(w).Accept(t.Context(), in, recovery.Acceptable{State: pipeline.StateRecord{StateVersion: pipeline.StateVersion{Lineage: "l", Serial: 1}, Resources: 2}, Reason: "the key is gone"}); err != nil {
			break
		}
	}
	tip, err := w.Ledger().Tip(t.Context(), staging)
	if err != nil || tip.Last.Event != ledger.Accepted {
		t.Fatalf("%+v %v", tip, err)
	}
	if _, err := w.Ledger().Append(t.Context(), e); err != nil {
		t.Errorf("behind it: %v", err)
	}
	if got := ledgerStates(pipelinetest.Must[recovery.RekeyResult](t)(r.Run(t.Context(), true))); got != "acme/production/ no-key" {
		t.Errorf("listed: %q", got)
	}
}
