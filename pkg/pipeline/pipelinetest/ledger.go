package pipelinetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Ledger is the ledger in the store.
func (w *Setup) Ledger() ledger.Ledger {
	return ledger.Ledger{Records: RecordsOf(w.Store, w.Sealer), Now: func() time.Time { return w.Now }}
}

// chain reads a ledger that must hold.
func (w *Setup) chain(t pipeline.Target) []ledger.Entry {
	w.T.Helper()
	report := Must[ledger.AuditReport](w.T)(ledger.Auditor{Ledger: w.Ledger()}.Chain(context.Background(), t))
	if len(report.Findings) > 0 {
		w.T.Fatalf("ledger of %s: %q", ledger.Name(t), report.Findings)
	}
	return report.Entries
}

// Events are the entries of a ledger, "event who reason" each.
func (w *Setup) Events(t pipeline.Target) string {
	w.T.Helper()
	var words []string
	for _, e := range w.chain(t) {
		words = append(words, strings.Join(strings.Fields(fmt.Sprint(e.Event, " ", e.Actor, " ", e.Reason)), " "))
	}
	return strings.Join(words, ", ")
}

// WantEvents compares the entries of a ledger with those wanted, in the form of Events.
func (w *Setup) WantEvents(t pipeline.Target, want string) {
	w.T.Helper()
	if got := w.Events(t); got != want {
		w.T.Fatalf("ledger of %s:\n got %s\nwant %s", ledger.Name(t), got, want)
	}
}

// AcceptLedgers writes what `state accept` writes into the ledgers of a customer's targets
// whose key is gone.
func (w *Setup) AcceptLedgers(c pipeline.CustomerName) {
	w.T.Helper()
	for _, env := range []pipeline.Environment{"staging", "production"} {
		left := Must[*ledger.LeftState](w.T)(w.Ledger().LastState(context.Background(), c.In(env)))
		e := ledger.Entry{Event: ledger.Accepted, Target: c.In(env), Message: "the key is gone"}
		if left != nil {
			e.State = left.State
		}
		if _, err := w.Ledger().Append(context.Background(), e); err != nil {
			w.T.Fatal(err)
		}
	}
}

// LastEvent is the last entry of a ledger.
func (w *Setup) LastEvent(t pipeline.Target) ledger.Entry {
	w.T.Helper()
	entries := w.chain(t)
	if len(entries) == 0 {
		w.T.Fatal("the ledger is empty")
	}
	return entries[len(entries)-1]
}

// Receipt is that of the newest plan of a request.
func (w *Setup) Receipt(request pipeline.Request, env pipeline.Environment) pipeline.Receipt {
	w.T.Helper()
	records := RecordsOf(w.Store, w.Sealer)
	folder, found, err := record.LatestPlanAttempt(w.T.Context(), records, request, pipeline.Target{Customer: "acme", Environment: env})
	if err != nil || !found {
		w.T.Fatalf("plan of %s: %t %v", env, found, err)
	}
	return *Must[record.Result](w.T)(record.ReadPlanned(w.T.Context(), records, folder)).Receipt
}

// BeginApply writes the entry of an apply that begins and does not end.
func (w *Setup) BeginApply(request pipeline.Request, env pipeline.Environment) ledger.Tip {
	w.T.Helper()
	e := ledger.NewEntry(ledger.Applying, request, pipeline.Target{Customer: "acme", Environment: env}, request.ManagerRun)
	e.Receipt = w.Receipt(request, env).Digest()
	return Must[ledger.Tip](w.T)(w.Ledger().Append(w.T.Context(), e))
}
