package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/store"
)

func TestLedgerOfARequest(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
	in := w.FetchInput(a, w.Claims(a))
	request := pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in))
	// The process dies before the request is written, and the job runs again.
	if err := w.Store.Delete(context.Background(), "acme/requests/"+string(request.ID)+".json"); err != nil {
		t.Fatal(err)
	}
	pipelinetest.Must[pipeline.Request](t)(w.Fetcher().Run(context.Background(), in))
	planned := pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "staging"))
	mistaken := w.Target(request, "staging")
	mistaken.Receipt = strings.Repeat("0", 64)
	for range 2 { // the same step of the same attempt
		if _, err := w.Apply(mistaken); err == nil {
			t.Fatal("another receipt was applied")
		}
	}
	mine := w.Target(request, "staging")
	mine.Receipt = planned.Receipt
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(mine))
	pipelinetest.Must[deploy.TargetResult](t)(w.Apply(mine)) // the job is run again
	w.Report(request, false)
	w.Report(request, true)
	w.Report(request, true)
	w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, refused receipt-mismatch, applying, applied")
	w.WantEvents(pipeline.Target{Customer: "acme", Environment: "production"}, "requested dev, closed")

	entries, head, err := w.Ledger().Read(context.Background(), pipeline.Target{Customer: "acme", Environment: "staging"})
	if err != nil || entries[4].Receipt != planned.Receipt || pipeline.ReceiptCode(entries[4].Receipt) != planned.ReceiptCode {
		t.Fatalf("%+v %v", entries, err)
	}
	anchored := w.Hub.DeploymentList[0].Payload
	if anchored.Ledger == nil || *anchored.Ledger != head || anchored.Receipt != planned.Receipt {
		t.Errorf("anchored %+v, the head is %+v", anchored, head)
	}
	if url := w.Hub.Status(request.Commit, "infra/terraform-deploy/staging").TargetURL; url != "https://hub/run#receipt-"+planned.Receipt {
		t.Errorf("the status leads to %s", url)
	}
}

func TestLedgerOfRejections(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	if _, err := w.Send(w.Dispatch(w.Hub.Commit("nonsense\n"), "push")); err == nil {
		t.Fatal("it was accepted")
	}
	w.WantEvents(pipeline.Target{Customer: "acme"}, "rejected dev invalid-variables")
	foreign := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
	foreign.RepositoryID = 8
	before := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/"))
	if _, err := w.Send(foreign); err == nil {
		t.Fatal("it was accepted")
	}
	if after := pipelinetest.Must[[]string](t)(w.Store.List(context.Background(), "acme/")); len(after) != len(before) {
		t.Fatalf("a request without proof wrote to a customer: %v", after)
	}
	w.WantEvents(pipeline.Target{}, "rejected unknown-customer")
}

func TestLedgerOfSuperseded(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	older := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging one\n"), "push")))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(older, "staging"))
	newer := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("staging two\n"), "push")))
	if _, err := w.Apply(w.Target(older, "staging")); err == nil {
		t.Fatal("it was applied")
	}
	w.Report(older, true)
	w.Engine.PlanErr = &pipeline.FailedError{Message: "the tool failed"}
	if _, err := w.Plan(newer, "staging"); err == nil {
		t.Fatal("it was planned")
	}
	w.Report(newer, true)
	w.WantEvents(pipeline.Target{Customer: "acme", Environment: "staging"}, "requested dev, planned, requested dev, superseded superseded, failed")
}

func TestBrokenLedgers(t *testing.T) {
	t.Parallel()
	const prefix = "acme/staging/ledger/"
	key := func(n int) string { return record.LedgerKey(staging, n) }
	cases := map[string]struct {
		change func(objects map[string][]byte)
		holds  int // entries that are still told
		says   string
	}{
		"missing":   {func(o map[string][]byte) { delete(o, key(2)) }, 1, "9999999997-2.json is missing"},
		"changed":   {func(o map[string][]byte) { o[key(2)] = bytes.Replace(o[key(2)], []byte("dev"), []byte("eve"), 1) }, 2, "entry 3 does not follow entry 2"},
		"reordered": {func(o map[string][]byte) { o[key(1)], o[key(2)] = o[key(2)], o[key(1)] }, 0, "9999999998-1.json holds entry 2"},
		"of others": {func(o map[string][]byte) { o[key(2)] = bytes.Replace(o[key(2)], []byte("acme"), []byte("evil"), 1) }, 1, "holds entry 2 of evil/staging"},
		"more":      {func(o map[string][]byte) { o[prefix+"x.json"] = []byte("{}") }, 3, "x.json is no entry"},
		"no JSON":   {func(o map[string][]byte) { o[key(3)] = []byte("{") }, 2, "9999999996-3.json: ledger entry"},
		"two":       {func(o map[string][]byte) { o[key(3)] = append(o[key(3)], o[key(3)]...) }, 2, "after top-level value"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			for n := range 3 {
				if _, err := w.Ledger().Append(context.Background(), ledger.Entry{Event: ledger.Failed, Target: pipeline.Target{Customer: "acme", Environment: "staging"}, Actor: "dev", Run: pipeline.Run{ID: int64(n + 1)}}); err != nil {
					t.Fatal(err)
				}
			}
			w.Rewrite(prefix, c.change)
			entries, _, err := w.Ledger().Read(context.Background(), pipeline.Target{Customer: "acme", Environment: "staging"})
			if !errors.Is(err, ledger.ErrBroken) || !strings.Contains(err.Error(), c.says) || len(entries) != c.holds {
				t.Fatalf("%d entries, %v", len(entries), err)
			}
		})
	}
}

// FuzzLedger reads whatever stands where the first entry should.
func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"record":{"version":1,"sequence":1,"previous":"","at":"2026-03-01T12:00:00Z","event":"applied","customer":"acme","environment":"staging"},"seal":"AA=="}`))
	f.Add([]byte(`{"record":{"version":1,"sequence":1,"previous":"","at":"2026-03-01T12:00:00Z","event":"unlocked","customer":"acme","environment":"staging"},"seal":null}`))
	f.Add([]byte(`{"record":{"version":1,"sequence":1,"previous":"","at":"2026-03-01T12:00:00Z","event":"applied","customer":"acme","environment":"staging",` +
		`"fold":{"request":{"id":"1a2b3c4d-0000-4000-8000-000000000001","event":"applied","at":"2026-03-01T12:00:00Z"},"apply":{"request":"","at":"2026-03-01T12:00:00Z","actor":"\u001b[2J"}}},"seal":null}`))
	f.Add([]byte(`{"record":{"version":1,"sequence":1}}{}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		directory, err := store.NewDirectory(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := directory.Create(context.Background(), "acme/staging/ledger/9999999998-1.json", bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		chain := ledger.Ledger{Records: record.Records{Store: directory}, Now: time.Now}
		entries, head, err := chain.Read(context.Background(), pipeline.Target{Customer: "acme", Environment: "staging"})
		if err == nil && (len(entries) != 1 || head.Sequence != 1 || entries[0].Customer != "acme") {
			t.Fatalf("%+v %+v", entries, head)
		}
		if err != nil && (!errors.Is(err, ledger.ErrBroken) || len(entries) != 0) {
			t.Fatal(err)
		}
		e := ledger.Entry{Event: ledger.Unlocked, Target: pipeline.Target{Customer: "acme", Environment: "staging"}}
		if _, err2 := chain.Append(context.Background(), e); err == nil && err2 != nil {
			t.Fatalf("read: %v, append: %v", err, err2)
		}
	})
}
