package sweep_test

import (
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// TestSweepClosesEachStack: what fetch-vars began to write of the stacks of a request, before
// it died, is closed in the ledger of each.
func TestSweepClosesEachStack(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.NameStacks("network", "hosts")
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	if len(request.Targets) != 4 {
		t.Fatalf("targets %v", request.Targets)
	}
	if err := w.Store.Delete(t.Context(), record.RequestKey("acme", request.ID)); err != nil {
		t.Fatal(err)
	}
	w.Now = w.Now.Add(2 * time.Hour)
	if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != "orphan fixed=true" {
		t.Fatalf("found %q", got)
	}
	for _, of := range request.Targets {
		entries, _, err := w.Ledger().Read(t.Context(), of.Target)
		if n := len(entries); err != nil || n == 0 || entries[n-1].Event != ledger.Closed || entries[n-1].Request != request.ID {
			t.Errorf("the ledger of %s: %+v, %v", of.Target, entries, err)
		}
	}
}
