package intake_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestForgedTokenMark: who used a signature is sealed, so that a mark cannot be turned
// to let another run use it again.
func TestForgedTokenMark(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	a := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(a))
	marks := pipelinetest.Must[[]string](t)(w.Store.List(t.Context(), "_metapipe/tokens/"))
	in := w.FetchInput(a, w.Claims(a))
	in.Run.ID = 4242 // a replay, in a run of its own
	w.Write(marks[0], bytes.Replace(w.Read(marks[0]), fmt.Append(nil, request.ManagerRun.ID), []byte("4242"), 1))
	w.Delete(pipelinetest.RequestFile(request.ID))
	_, err := w.Fetcher().Run(t.Context(), in)
	pipelinetest.WantRefused(t, "a replay", err, pipeline.ReasonTampered)
}
