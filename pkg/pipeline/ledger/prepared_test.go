package ledger_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestPreparedBehindAnother: where another writer was faster, the head of a prepared entry is not
// in the ledger, and the entry stands behind the other one.
func TestPreparedBehindAnother(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	target := pipeline.Target{Customer: "acme", Environment: "staging"}
	chain := w.Ledger()
	tip := pipelinetest.Must[ledger.Tip](t)(chain.Tip(t.Context(), target))
	e := ledger.NewEntry(ledger.Failed, request, target, pipeline.Run{ID: 5})
	holds := func(head pipeline.LedgerHead) bool {
		return pipelinetest.Must[bool](t)(chain.Holds(t.Context(), e, head))
	}
	first, second := chain.Prepare(t.Context(), tip, e), chain.Prepare(t.Context(), tip, e)
	head := *first.Head()
	if holds(head) {
		t.Error("an entry is there before it is written")
	}
	next := pipelinetest.Must[ledger.Tip](t)(chain.AppendPrepared(t.Context(), second))
	if next.LedgerHead != *second.Head() || !holds(next.LedgerHead) || holds(head) {
		t.Errorf("the last entry is %v", next.LedgerHead)
	}
	e.Reason = pipeline.ReasonExpired
	third := chain.Prepare(t.Context(), tip, e)
	last := pipelinetest.Must[ledger.Tip](t)(chain.AppendPrepared(t.Context(), third))
	if last.Sequence != next.Sequence+1 || holds(*third.Head()) || !holds(last.LedgerHead) {
		t.Errorf("the last entry is %v", last.LedgerHead)
	}
	if third = chain.Prepare(t.Context(), ledger.Tip{}, e); third.Head() != nil {
		t.Error("a head of an entry whose place is not known")
	}
}

// TestHeadOfAnotherEntry: the head of an entry says nothing of another event, request, plan or attempt.
func TestHeadOfAnotherEntry(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(request, "staging")))
	chain := w.Ledger()
	tip := pipelinetest.Must[ledger.Tip](t)(chain.Tip(t.Context(), pipeline.Target{Customer: "acme", Environment: "staging"}))
	for name, change := range map[string]func(*ledger.Entry){
		"":                func(*ledger.Entry) {},
		"another event":   func(e *ledger.Entry) { e.Event = ledger.Failed },
		"another request": func(e *ledger.Entry) { e.Request = "11111111-1111-4111-8111-111111111111" },
		"another plan":    func(e *ledger.Entry) { e.Receipt = pipeline.SHA256Hex(nil) },
		"another attempt": func(e *ledger.Entry) { e.Attempt-- },
	} {
		end := tip.Last
		change(&end)
		if held := pipelinetest.Must[bool](t)(chain.Holds(t.Context(), end, tip.LedgerHead)); held != (name == "") {
			t.Errorf("%q is held: %v", name, held)
		}
	}
}
