package pipeline_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// requestEdits are what a writer of the store without the key may change in a record.
var requestEdits = map[string][2]string{
	"targets":                  {`"environment": "staging"`, `"environment": "preview"`},
	"mode":                     {`"mode": "apply"`, `"mode": "plan"`},
	"commit":                   {`"commit": "`, `"commit": "0000000000000000000000000000000000000000", "x": "`},
	"pull request":             {`"event": "push"`, `"event": "push", "pull_request": 77`},
	"id of the run":            {`"id": RUN`, `"id": 987654`},
	"address of the run":       {`https://hub/run`, `https://evil.example/log-in`},
	"repository of the run":    {`"name": "manager"`, `"name": "other"`},
	"id of its repository":     {`"repository_id": 99`, `"repository_id": 9`},
	"accepted turned rejected": {`"mode": "apply"`, `"mode": "apply", "reason": "invalid-variables", "problems": [{"message": "go to https://evil.example"}]`},
	"sender":                   {`"actor": "dev"`, `"actor": "eve"`},
	"customer":                 {`"customer": "acme"`, `"customer": "crm"`},
	"no record":                {`{`, `[`},
}

// TestEditedRequest: whatever is edited in the record of an open request, no command
// acts on it, nothing is written to any repository, no run is cancelled, and the sweep
// finds it once.
func TestEditedRequest(t *testing.T) {
	t.Parallel()
	for name, change := range requestEdits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			request := w.WaitingRequest()
			w.EditRequest(request.ID, change)
			writes := w.Hub.Writes
			pipelinetest.WantRefused(t, "report", w.ReportError(request.ID, false), pipeline.ReasonTampered)
			pipelinetest.WantRefused(t, "last report", w.ReportError(request.ID, true), pipeline.ReasonTampered)
			_, err := w.Plan(request, "production")
			pipelinetest.WantRefused(t, "plan", err, pipeline.ReasonTampered)
			_, err = w.Apply(w.Target(request, "staging"))
			pipelinetest.WantRefused(t, "apply", err, pipeline.ReasonTampered)
			w.Now = w.Now.Add(2 * time.Hour)
			if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, false)); got != "tampered fixed=false" {
				t.Errorf("the sweep finds %q", got)
			}
			if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != "tampered fixed=true" {
				t.Errorf("the sweep with fix finds %q", got)
			}
			if got := pipelinetest.FindingKinds(w.Sweep(&pipelinetest.StateLocks{}, true)); got != "" {
				t.Errorf("the next sweep finds %q", got)
			}
			if w.Hub.Writes != writes || len(w.Hub.Cancelled) != 0 || len(w.Hub.CommentList) != 0 {
				t.Errorf("%d writes, cancelled %v, comments %v", w.Hub.Writes-writes, w.Hub.Cancelled, w.Hub.CommentList)
			}
			if events := w.Events(pipeline.Target{Customer: "acme"}); !strings.Contains(events, "refused") {
				t.Errorf("the ledger of the customer has %q", events)
			}
			if w.Engine.Applies != 0 {
				t.Error("it was applied")
			}
		})
	}
}

// TestEditedOlderRequest: a new request ends no older one whose record was edited.
func TestEditedOlderRequest(t *testing.T) {
	t.Parallel()
	for name, change := range requestEdits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			old := w.WaitingRequest()
			w.Now = w.Now.Add(time.Hour) // no order is asked for
			w.EditRequest(old.ID, change)
			pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
			if len(w.Hub.Cancelled) != 0 {
				t.Errorf("cancelled runs: %v", w.Hub.Cancelled)
			}
		})
	}
}

// TestMadeUpRequest: a record and an entry of the index, laid by hand for a commit that
// no run planned, turn nothing green.
func TestMadeUpRequest(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	genuine := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")))
	forged := genuine
	forged.ID, forged.Commit, forged.Targets = pipeline.NewRequestID(), w.Hub.Commit("evil"), nil
	b, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	sealed := w.Read(pipelinetest.RequestFile(genuine.ID))
	for _, body := range [][]byte{b, fmt.Appendf(nil, `{"record": %s}`, b), fmt.Appendf(nil, `{"record": %s, "seal": "bWV0YXBpcGU="}`, b), sealed} {
		w.Write(pipelinetest.RequestFile(forged.ID), body)
		entry := w.OpenKeys()[0]
		entry = strings.Replace(entry, string(genuine.ID), string(forged.ID), 1)
		w.Write(entry, nil)
		w.Now = w.Now.Add(2 * time.Hour)
		writes := w.Hub.Writes
		pipelinetest.WantRefused(t, "report", w.ReportError(forged.ID, true), pipeline.ReasonTampered)
		result := w.Sweep(&pipelinetest.StateLocks{}, false)
		if got := pipelinetest.FindingKinds(result); !strings.Contains(got, "tampered") {
			t.Errorf("the sweep finds %q", got)
		}
		if s := w.Hub.Status(forged.Commit, "infra/terraform-deploy"); w.Hub.Writes != writes || s.State != "" {
			t.Errorf("%d writes; the commit that no run planned says %+v", w.Hub.Writes-writes, s)
		}
	}
}
