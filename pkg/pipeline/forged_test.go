package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/fleet"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
)

// ReportError reports and returns only the error.
func (w *Setup) ReportError(id pipeline.RequestID, final bool) error {
	w.T.Helper()
	w.Tick()
	r := &publish.Reporter{GitHub: w.Hub, Store: w.Store, Sealer: w.Sealer, Renderer: PlainRenderer{}, Now: func() time.Time { return w.Now }, Logf: w.Logf}
	_, _, err := r.Run(context.Background(), publish.ReportInput{Manager: ManagerSlug, Customer: w.Current, Request: id, Final: final})
	return err
}

// RequestFile is the key of the record of a request.
func RequestFile(id pipeline.RequestID) string { return "acme/requests/" + string(id) + ".json" }

// WantRefused wants a refusal with a reason and a remedy.
func WantRefused(t *testing.T, what string, err error, reason pipeline.Reason) {
	t.Helper()
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != reason || refused.Next == "" {
		t.Errorf("%s: %v, want a refusal for %s with a remedy", what, err, reason)
	}
}

// requestEdits are what a writer of the store without the key may change in a record.
var requestEdits = map[string][2]string{
	"targets":                  {`"staging",`, ``},
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

// EditRequest changes the record of a request as somebody without the key can.
func (w *Setup) EditRequest(id pipeline.RequestID, change [2]string) {
	w.T.Helper()
	before := w.Read(RequestFile(id))
	var r struct{ Record pipeline.Request }
	if err := json.Unmarshal(before, &r); err != nil {
		w.T.Fatal(err)
	}
	old := strings.ReplaceAll(change[0], "RUN", fmt.Sprint(r.Record.ManagerRun.ID))
	after := bytes.Replace(before, []byte(old), []byte(change[1]), 1)
	if bytes.Equal(before, after) {
		w.T.Fatalf("no %s in %s", old, before)
	}
	w.Write(RequestFile(id), after)
}

// TestEditedRequest: whatever is edited in the record of an open request, no command
// acts on it, nothing is written to any repository, no run is cancelled, and the sweep
// finds it once.
func TestEditedRequest(t *testing.T) {
	t.Parallel()
	for name, change := range requestEdits {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := New(t)
			request := w.WaitingRequest()
			w.EditRequest(request.ID, change)
			writes := w.Hub.Writes
			WantRefused(t, "report", w.ReportError(request.ID, false), pipeline.ReasonTampered)
			WantRefused(t, "last report", w.ReportError(request.ID, true), pipeline.ReasonTampered)
			_, err := w.Plan(request, "production")
			WantRefused(t, "plan", err, pipeline.ReasonTampered)
			_, err = w.Apply(w.Target(request, "staging"))
			WantRefused(t, "apply", err, pipeline.ReasonTampered)
			w.Now = w.Now.Add(2 * time.Hour)
			if got := FindingKinds(w.Sweep(&StateLocks{}, false)); got != "tampered fixed=false" {
				t.Errorf("the sweep finds %q", got)
			}
			if got := FindingKinds(w.Sweep(&StateLocks{}, true)); got != "tampered fixed=true" {
				t.Errorf("the sweep with fix finds %q", got)
			}
			if got := FindingKinds(w.Sweep(&StateLocks{}, true)); got != "" {
				t.Errorf("the next sweep finds %q", got)
			}
			if w.Hub.Writes != writes || len(w.Hub.Cancelled) != 0 || len(w.Hub.CommentList) != 0 {
				t.Errorf("%d writes, cancelled %v, comments %v", w.Hub.Writes-writes, w.Hub.Cancelled, w.Hub.CommentList)
			}
			if events := w.Events("acme", ""); !strings.Contains(events, "refused") {
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
			w := New(t)
			old := w.WaitingRequest()
			w.Now = w.Now.Add(time.Hour) // no order is asked for
			w.EditRequest(old.ID, change)
			Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
			if len(w.Hub.Cancelled) != 0 {
				t.Errorf("cancelled runs: %v", w.Hub.Cancelled)
			}
		})
	}
}

// TestForgedRejection: a rejected request is a record as any other.
func TestForgedRejection(t *testing.T) {
	t.Parallel()
	w := New(t)
	a := w.Dispatch(w.Hub.Commit("nonsense"), "pull_request")
	if _, err := w.Send(a); err == nil {
		t.Fatal("it was accepted")
	}
	writes := w.Hub.Writes
	w.EditRequest(a.ID, [2]string{"want two words", "call +1 555 0100"})
	WantRefused(t, "report", w.ReportError(a.ID, true), pipeline.ReasonTampered)
	if w.Hub.Writes != writes || len(w.Hub.CommentList) != 0 {
		t.Errorf("%d writes, comments %v", w.Hub.Writes-writes, w.Hub.CommentList)
	}
}

// TestMadeUpRequest: a record and an entry of the index, laid by hand for a commit that
// no run planned, turn nothing green.
func TestMadeUpRequest(t *testing.T) {
	t.Parallel()
	w := New(t)
	genuine := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	forged := genuine
	forged.ID, forged.Commit, forged.Targets = pipeline.NewRequestID(), w.Hub.Commit("evil"), nil
	b, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	sealed := w.Read(RequestFile(genuine.ID))
	for _, body := range [][]byte{b, fmt.Appendf(nil, `{"record": %s}`, b), fmt.Appendf(nil, `{"record": %s, "seal": "bWV0YXBpcGU="}`, b), sealed} {
		w.Write(RequestFile(forged.ID), body)
		entry := w.OpenKeys()[0]
		entry = strings.Replace(entry, string(genuine.ID), string(forged.ID), 1)
		w.Write(entry, nil)
		w.Now = w.Now.Add(2 * time.Hour)
		writes := w.Hub.Writes
		WantRefused(t, "report", w.ReportError(forged.ID, true), pipeline.ReasonTampered)
		result := w.Sweep(&StateLocks{}, false)
		if got := FindingKinds(result); !strings.Contains(got, "tampered") {
			t.Errorf("the sweep finds %q", got)
		}
		if s := w.Hub.Status(forged.Commit, "infra/terraform-deploy"); w.Hub.Writes != writes || s.State != "" {
			t.Errorf("%d writes; the commit that no run planned says %+v", w.Hub.Writes-writes, s)
		}
	}
}

// TestNothingIsNotSuccess: an accepted request without targets is an error, even when it
// was made with the key.
func TestNothingIsNotSuccess(t *testing.T) {
	t.Parallel()
	if got := (pipeline.Report{}).Overall(); got != pipeline.StatusError {
		t.Errorf("a report about nothing is %q", got)
	}
	w := New(t)
	r := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
	r.ID, r.Targets = pipeline.NewRequestID(), nil
	if err := CreateRecord(t.Context(), w.Store, w.Sealer, "acme", RequestFile(r.ID), r); err != nil {
		t.Fatal(err)
	}
	WantRefused(t, "report", w.ReportError(r.ID, true), pipeline.ReasonTampered)
}

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
			w := New(t)
			r := w.WaitingRequest()
			c.run(&r.ManagerRun)
			w.Delete(RequestFile(r.ID))
			if err := CreateRecord(t.Context(), w.Store, w.Sealer, "acme", RequestFile(r.ID), r); err != nil {
				t.Fatal(err)
			}
			w.SetRun(r, "waiting", "")
			w.Now = w.Now.Add(2 * time.Hour) // its plan is past its time
			reads := w.Hub.Reads
			got := FindingKinds(w.Sweep(&StateLocks{}, true))
			switch {
			case c.foreign && (len(w.Hub.Cancelled) != 0 || w.Hub.Reads != reads || !strings.Contains(got, "not a run of the manager")):
				t.Errorf("cancelled %v, %d reads; the sweep finds %q", w.Hub.Cancelled, w.Hub.Reads-reads, got)
			case !c.foreign && !slices.Equal(w.Hub.Cancelled, []int64{r.ManagerRun.ID}):
				t.Errorf("cancelled %v; the sweep finds %q", w.Hub.Cancelled, got)
			}
			// The manager that it belonged to is lost: a request does not hang for ever.
			w.Now = w.Now.Add(48 * time.Hour)
			got = FindingKinds(w.Sweep(&StateLocks{}, true))
			if c.foreign && (len(w.Hub.Cancelled) != 0 || w.Hub.Reads != reads || !strings.Contains(got, "unfinished fixed=true")) {
				t.Errorf("two days later: cancelled %v; the sweep finds %q", w.Hub.Cancelled, got)
			}
		})
	}
}

// TestForgedEntries: entries of an index that are laid by hand move no request.
func TestForgedEntries(t *testing.T) {
	t.Parallel()
	const late = "29990101T000000.000000000Z-00000000000000000001-000001-"
	for _, body := range []string{"", "%s", `"%s"`, `{"record": "%s"}`, `{"record": "%s", "seal": "bWV0YXBpcGU="}`} {
		w := New(t)
		old := w.WaitingRequest()
		w.Now = w.Now.Add(time.Hour)
		newer := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit(BothEnvironments), "push")))
		Must[deploy.TargetResult](t)(w.Plan(newer, "staging"))
		for _, prefix := range []string{"acme/staging/queue/", "acme/requests/by-commit/" + string(newer.Commit) + "/", "acme/pulls/5/"} {
			w.Write(prefix+late+string(old.ID), []byte(strings.ReplaceAll(body, "%s", string(old.ID))))
		}
		if got := w.Report(newer, false).Targets[0]; got.Outcome != pipeline.OutcomeWaiting {
			t.Errorf("%q: the newer request is %s", body, got.Outcome)
		}
		if got := Must[deploy.TargetResult](t)(w.Apply(w.Target(newer, "staging"))); got.Outcome != pipeline.OutcomeApplied {
			t.Errorf("%q: the newer request is %s", body, got.Outcome)
		}
		_, err := w.Apply(w.Target(old, "staging"))
		WantRefused(t, "the older request", err, pipeline.ReasonSuperseded)
	}
}

// TestForgedOpenEntry: an entry that is not where its request stands is dropped, and the
// request closed no second time.
func TestForgedOpenEntry(t *testing.T) {
	t.Parallel()
	w := New(t)
	r := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	w.SetRun(r, "in_progress", "")
	for _, at := range []string{"20010101T000000.000000000Z", "29990101T000000.000000000Z"} {
		w.Write("_metapipe/open/acme/"+at+"-00000000000000000001-000001-"+string(r.ID), nil)
	}
	if got := FindingKinds(w.Sweep(&StateLocks{}, true)); got != "orphan fixed=true, orphan fixed=true" {
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
	w := New(t)
	r := Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	w.Sealer = New(t).Sealer
	WantRefused(t, "report", w.ReportError(r.ID, true), pipeline.ReasonUnknownKey)
	if got := FindingKinds(w.Sweep(&StateLocks{}, true)); got != "unknown-key fixed=false" {
		t.Errorf("the sweep finds %q", got)
	}
	w.Now = w.Now.AddDate(0, 0, 40)
	if got := FindingKinds(w.Sweep(&StateLocks{}, true)); got != "unknown-key fixed=true" {
		t.Errorf("the sweep finds %q", got)
	}
	if keys := w.OpenKeys(); len(keys) != 0 {
		t.Errorf("open: %v", keys)
	}
}

// silent is a tracker of issues that must not be spoken to.
type silent struct{ t *testing.T }

func (s silent) Login(context.Context) (string, error) { return "metapipe-bot", nil }
func (s silent) Repository(_ context.Context, repo pipeline.Slug) (pipeline.Repository, error) {
	s.t.Errorf("asked for %s", repo)
	return pipeline.Repository{}, nil
}
func (s silent) Issue(_ context.Context, repo pipeline.Slug, n int) (issues.Issue, error) {
	s.t.Errorf("asked for #%d of %s", n, repo)
	return issues.Issue{}, nil
}
func (s silent) Issues(_ context.Context, repo pipeline.Slug, _ string) ([]issues.Issue, error) {
	s.t.Errorf("asked for the issues of %s", repo)
	return nil, nil
}
func (s silent) CreateIssue(_ context.Context, repo pipeline.Slug, _ issues.Draft) (issues.Issue, error) {
	s.t.Errorf("an issue in %s", repo)
	return issues.Issue{}, nil
}
func (s silent) EditIssue(_ context.Context, repo pipeline.Slug, n int, _ issues.Draft) (issues.Issue, error) {
	s.t.Errorf("#%d of %s is edited", n, repo)
	return issues.Issue{}, nil
}
func (s silent) CreateComment(_ context.Context, repo pipeline.Slug, n int, _ string) (pipeline.Comment, error) {
	s.t.Errorf("a comment on #%d of %s", n, repo)
	return pipeline.Comment{}, nil
}

// TestForgedFleetRecords: what the fleet remembers is sealed too; a forged book of
// issues leads to no repository.
func TestForgedFleetRecords(t *testing.T) {
	t.Parallel()
	const book = `{"version": 1, "targets": {"gone/staging": {"repository_id": 4711, "repository": {"owner": "victim", "name": "app"}, "number": 5, "open": true}}}`
	for name, body := range map[string]string{"plain": book, "without a seal": `{"record": ` + book + `}`, "with another seal": `{"record": ` + book + `, "seal": "bWV0YXBpcGU="}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := New(t)
			now := func() time.Time { return w.Now }
			w.Write("_metapipe/scans/issues/20260301T115900.000000000Z-x.json", []byte(body))
			issuer := &drift.Issuer{Store: w.Store, Sealer: w.Sealer, GitHub: silent{t}, Body: func(drift.Result) string { return "" },
				Closing: func(drift.Result) string { return "" }, Now: now}
			_, err := issuer.Run(t.Context(), drift.Scan{Manager: ManagerSlug}, nil, 10)
			WantRefused(t, "issues", err, pipeline.ReasonTampered)
			w.Write("_metapipe/scans/history/20260301T115900.000Z-0a1b2c3d.json", []byte(body))
			_, err = drift.Scans(w.Store, w.Sealer, now).List(t.Context(), fleet.ListInput{Manager: ManagerSlug, Shards: 1})
			WantRefused(t, "history", err, pipeline.ReasonTampered)
			w.Write("_metapipe/scans/begun/20260301T115900.000Z-0a1b2c3d.json", []byte(body))
			_, err = drift.Summarize(t.Context(), drift.Scans(w.Store, w.Sealer, now), "20260301T115900.000Z-0a1b2c3d", nil)
			WantRefused(t, "scan", err, pipeline.ReasonTampered)
			run := pipeline.Run{ID: 1, Attempt: 1}
			w.Write("_metapipe/rejected/1-1.json", []byte(body))
			_, err = publish.FindRejected(t.Context(), w.Store, w.Sealer, run)
			WantRefused(t, "rejection", err, pipeline.ReasonTampered)
		})
	}
}

// TestForgedTokenMark: who used a signature is sealed, so that a mark cannot be turned
// to let another run use it again.
func TestForgedTokenMark(t *testing.T) {
	t.Parallel()
	w := New(t)
	a := w.Dispatch(w.Hub.Commit("staging one\n"), "push")
	request := Must[pipeline.Request](t)(w.Send(a))
	marks := Must[[]string](t)(w.Store.List(t.Context(), "_metapipe/tokens/"))
	in := w.FetchInput(a, w.Claims(a))
	in.Run.ID = 4242 // a replay, in a run of its own
	w.Write(marks[0], bytes.Replace(w.Read(marks[0]), fmt.Append(nil, request.ManagerRun.ID), []byte("4242"), 1))
	w.Delete(RequestFile(request.ID))
	_, err := w.Fetcher().Run(t.Context(), in)
	WantRefused(t, "a replay", err, pipeline.ReasonTampered)
}

// Delete deletes an object.
func (w *Setup) Delete(key string) {
	w.T.Helper()
	if err := w.Store.Delete(context.Background(), key); err != nil {
		w.T.Fatal(err)
	}
}
