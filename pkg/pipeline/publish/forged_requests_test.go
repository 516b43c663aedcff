package publish_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestForgedRejection: a rejected request is a record as any other.
func TestForgedRejection(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	a := w.Dispatch(w.Hub.Commit("nonsense"), "pull_request")
	if _, err := w.Send(a); err == nil {
		t.Fatal("it was accepted")
	}
	writes := w.Hub.Writes
	w.EditRequest(a.ID, [2]string{"want two words", "call +1 555 0100"})
	pipelinetest.WantRefused(t, "report", w.ReportError(a.ID, true), pipeline.ReasonTampered)
	if w.Hub.Writes != writes || len(w.Hub.CommentList) != 0 {
		t.Errorf("%d writes, comments %v", w.Hub.Writes-writes, w.Hub.CommentList)
	}
}

// TestNothingIsNotSuccess: an accepted request without targets is an error, even when it
// was made with the key.
func TestNothingIsNotSuccess(t *testing.T) {
	t.Parallel()
	if got := (pipeline.Report{}).Overall(); got != pipeline.StatusError {
		t.Errorf("a report about nothing is %q", got)
	}
	w := pipelinetest.New(t)
	r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	r.ID, r.Targets = pipeline.NewRequestID(), nil
	if err := pipelinetest.CreateRecord(t.Context(), w.Store, w.Sealer, "acme", pipelinetest.RequestFile(r.ID), r); err != nil {
		t.Fatal(err)
	}
	pipelinetest.WantRefused(t, "report", w.ReportError(r.ID, true), pipeline.ReasonTampered)
}
