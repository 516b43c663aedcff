package sweep_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// TestRunOfAnotherRepository: a run is cancelled and asked for only where it is the
// manager's own, even when the record was made with the key. Ids go before names.
func TestRunOfAnotherRepository(t *testing.T) {
	t.Parallel()
	other := pipeline.Slug{Owner: "ops", Name: "payments"}
	for name, c := range map[string]struct {
		run     func(*pipeline.Run)
		foreign bool
	}{
		"its own":                 {run: func(*pipeline.Run) {}},
		"its own, renamed":        {run: func(r *pipeline.Run) { r.Repository = other }},
		"another name, no id":     {run: func(r *pipeline.Run) { r.Repository, r.RepositoryID = other, 0 }, foreign: true},
		"the name of today":       {run: func(r *pipeline.Run) { r.RepositoryID = 91 }, foreign: true},
		"another name and its id": {run: func(r *pipeline.Run) { r.Repository, r.RepositoryID = other, 91 }, foreign: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			r := w.WaitingRequest()
			c.run(&r.ManagerRun)
			w.Delete(pipelinetest.RequestFile(r.ID))
			if err := pipelinetest.CreateRecord(t.Context(), w.Store, w.Sealer, "acme", pipelinetest.RequestFile(r.ID), r); err != nil {
				t.Fatal(err)
			}
			w.SetRun(r, "waiting", "")
			w.Now = w.Now.Add(2 * time.Hour) // its plan is past its time
			reads := w.Hub.Reads
			got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true))
			switch {
			case c.foreign && (len(w.Hub.Cancelled) != 0 || w.Hub.Reads != reads || !strings.Contains(got, "not a run of the manager")):
				t.Errorf("cancelled %v, %d reads; the sweep finds %q", w.Hub.Cancelled, w.Hub.Reads-reads, got)
			case !c.foreign && !slices.Equal(w.Hub.Cancelled, []int64{r.ManagerRun.ID}):
				t.Errorf("cancelled %v; the sweep finds %q", w.Hub.Cancelled, got)
			}
			// The manager that it belonged to is lost: a request does not hang for ever.
			w.Now = w.Now.Add(48 * time.Hour)
			got = pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true))
			if c.foreign && (len(w.Hub.Cancelled) != 0 || w.Hub.Reads != reads || !strings.Contains(got, "unfinished fixed=true")) {
				t.Errorf("two days later: cancelled %v; the sweep finds %q", w.Hub.Cancelled, got)
			}
		})
	}
}

// TestForgedOpenEntry: an entry that is not where its request stands is dropped, and the
// request closed no second time.
func TestForgedOpenEntry(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	w.SetRun(r, "in_progress", "")
	for _, at := range []string{"20010101T000000.000000000Z", "29990101T000000.000000000Z"} {
		w.Write("_metapipe/open/acme/"+at+"-00000000000000000001-000001-"+string(r.ID), nil)
	}
	if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != "orphan fixed=true, orphan fixed=true" {
		t.Errorf("the sweep finds %q", got)
	}
	if keys := w.OpenKeys(); len(keys) != 1 {
		t.Errorf("open: %v", keys)
	}
}

// TestUnknownKeyOfARequest: a request under a key that is gone is reported and not acted
// on, makes no sweep fail, and is dropped when no run can live any more.
func TestUnknownKeyOfARequest(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	r := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	w.Sealer = pipelinetest.New(t).Sealer
	pipelinetest.WantRefused(t, "report", w.ReportError(r.ID, true), pipeline.ReasonUnknownKey)
	if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != "unknown-key fixed=false" {
		t.Errorf("the sweep finds %q", got)
	}
	w.Now = w.Now.AddDate(0, 0, 40)
	if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != "unknown-key fixed=true" {
		t.Errorf("the sweep finds %q", got)
	}
	if keys := w.OpenKeys(); len(keys) != 0 {
		t.Errorf("open: %v", keys)
	}
}
