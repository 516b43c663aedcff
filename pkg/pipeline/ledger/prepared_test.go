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
	holds := func(head pipeline.LedgerHead) bool {
		return pipelinetest.Must[bool](t)(chain.Holds(t.Context(), target, head))
	}
	tip := pipelinetest.Must[ledger.Tip](t)(chain.Tip(t.Context(), target))
	e := ledger.NewEntry(ledger.Failed, request, target, pipeline.Run{ID: 5})
	first, second := chain.Prepare(t.Context(), tip, e), chain.Prepare(t.Context(), tip, e)
	head := *first.Head()
	if !holds(tip.LedgerHead) || holds(head) {
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
