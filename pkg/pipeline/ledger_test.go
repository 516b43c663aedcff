package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/store"
)

func (w *world) ledger() ledger.Ledger {
	return ledger.Ledger{Store: w.store, Now: func() time.Time { return w.now }}
}

// events are the entries of a ledger, "event who reason" each.
func (w *world) events(customer pipeline.CustomerName, env pipeline.Environment) string {
	w.t.Helper()
	entries, _, err := w.ledger().Read(context.Background(), customer, env)
	if err != nil {
		w.t.Fatal(err)
	}
	var words []string
	for _, e := range entries {
		words = append(words, strings.Join(strings.Fields(fmt.Sprint(e.Event, " ", e.Actor, " ", e.Reason)), " "))
	}
	return strings.Join(words, ", ")
}

func (w *world) wantEvents(customer pipeline.CustomerName, env pipeline.Environment, want string) {
	w.t.Helper()
	if got := w.events(customer, env); got != want {
		w.t.Fatalf("ledger of %s:\n got %s\nwant %s", ledger.Name(customer, env), got, want)
	}
}

func TestLedgerOfARequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.ask(w.hub.commit(bothEnvironments), "push")
	in := w.fetchInput(a, w.claims(a))
	request := must[pipeline.Request](t)(w.fetcher().Run(context.Background(), in))
	// The process dies before the request is written, and the job runs again.
	if err := w.store.Delete(context.Background(), "acme/requests/"+string(request.ID)+".json"); err != nil {
		t.Fatal(err)
	}
	must[pipeline.Request](t)(w.fetcher().Run(context.Background(), in))
	planned := must[deploy.TargetResult](t)(w.plan(request, "staging"))
	mistaken := w.target(request, "staging")
	mistaken.Receipt = strings.Repeat("0", 64)
	for range 2 { // the same step of the same attempt
		if _, err := w.apply(mistaken); err == nil {
			t.Fatal("another receipt was applied")
		}
	}
	mine := w.target(request, "staging")
	mine.Receipt = planned.Receipt
	must[deploy.TargetResult](t)(w.apply(mine))
	must[deploy.TargetResult](t)(w.apply(mine)) // the job is run again
	w.report(request, false)
	w.report(request, true)
	w.report(request, true)
	w.wantEvents("acme", "staging", "requested dev, planned, refused receipt-mismatch, applying, applied")
	w.wantEvents("acme", "production", "requested dev, closed")

	entries, head, err := w.ledger().Read(context.Background(), "acme", "staging")
	if err != nil || entries[4].Receipt != planned.Receipt || pipeline.ReceiptCode(entries[4].Receipt) != planned.ReceiptCode {
		t.Fatalf("%+v %v", entries, err)
	}
	anchored := w.hub.deployments[0].Payload
	if anchored.Ledger == nil || *anchored.Ledger != head || anchored.Receipt != planned.Receipt {
		t.Errorf("anchored %+v, the head is %+v", anchored, head)
	}
	if url := w.hub.status(request.Commit, "infra/terraform-deploy/staging").TargetURL; url != "https://hub/run#receipt-"+planned.Receipt {
		t.Errorf("the status leads to %s", url)
	}
}

func TestLedgerOfRejections(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.send(w.ask(w.hub.commit("nonsense\n"), "push")); err == nil {
		t.Fatal("it was accepted")
	}
	w.wantEvents("acme", "", "rejected dev invalid-variables")
	foreign := w.ask(w.hub.commit(bothEnvironments), "push")
	foreign.RepositoryID = 8
	before := must[[]string](t)(w.store.List(context.Background(), "acme/"))
	if _, err := w.send(foreign); err == nil {
		t.Fatal("it was accepted")
	}
	if after := must[[]string](t)(w.store.List(context.Background(), "acme/")); len(after) != len(before) {
		t.Fatalf("a request without proof wrote to a customer: %v", after)
	}
	w.wantEvents("", "", "rejected unknown-customer")
}

func TestLedgerOfSuperseded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	older := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(older, "staging"))
	newer := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging two\n"), "push")))
	if _, err := w.apply(w.target(older, "staging")); err == nil {
		t.Fatal("it was applied")
	}
	w.report(older, true)
	w.engine.planErr = &pipeline.FailedError{Message: "the tool failed"}
	if _, err := w.plan(newer, "staging"); err == nil {
		t.Fatal("it was planned")
	}
	w.report(newer, true)
	w.wantEvents("acme", "staging", "requested dev, planned, requested dev, superseded superseded, failed")
}

// deaf is a store whose ledger cannot be written.
type deaf struct{ pipeline.Store }

func (d deaf) Create(ctx context.Context, key string, body io.Reader) error {
	if strings.Contains(key, "/ledger/") {
		return errors.New("the disk is full")
	}
	return d.Store.Create(ctx, key, body)
}

func TestWhatCannotBeRecordedIsNotApplied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	request := must[pipeline.Request](t)(w.send(w.ask(w.hub.commit("staging one\n"), "push")))
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	good := w.store
	w.store = deaf{good}
	if _, err := w.apply(w.target(request, "staging")); err == nil || !strings.Contains(err.Error(), `record "applying" in the ledger of acme/staging: the disk is full`) {
		t.Fatalf("%v", err)
	}
	if _, err := w.plan(request, "staging"); err == nil {
		t.Fatal("a plan that is not recorded waits")
	}
	if _, err := w.send(w.ask(w.hub.commit("staging two\n"), "push")); err == nil {
		t.Fatal("a request that is not recorded is accepted")
	}
	if w.engine.applies != 0 {
		t.Fatal("it was applied")
	}
	w.store = good
	must[deploy.TargetResult](t)(w.plan(request, "staging"))
	must[deploy.TargetResult](t)(w.apply(w.target(request, "staging")))
}

func TestBrokenLedgers(t *testing.T) {
	t.Parallel()
	const prefix = "acme/staging/ledger/"
	key := func(n int) string { return fmt.Sprintf("%s%010d.json", prefix, n) }
	cases := map[string]struct {
		change func(objects map[string][]byte)
		holds  int // entries that are still told
		says   string
	}{
		"missing":   {func(o map[string][]byte) { delete(o, key(2)) }, 1, "0000000002.json is missing"},
		"changed":   {func(o map[string][]byte) { o[key(2)] = bytes.Replace(o[key(2)], []byte("dev"), []byte("eve"), 1) }, 2, "entry 3 does not follow entry 2"},
		"reordered": {func(o map[string][]byte) { o[key(1)], o[key(2)] = o[key(2)], o[key(1)] }, 0, "0000000001.json holds entry 2"},
		"of others": {func(o map[string][]byte) { o[key(2)] = bytes.Replace(o[key(2)], []byte("acme"), []byte("evil"), 1) }, 1, "holds entry 2 of evil/staging"},
		"more":      {func(o map[string][]byte) { o[prefix+"x.json"] = []byte("{}") }, 3, "0000000004.json is missing"},
		"no JSON":   {func(o map[string][]byte) { o[key(3)] = []byte("{") }, 2, "0000000003.json: ledger entry"},
		"two":       {func(o map[string][]byte) { o[key(3)] = append(o[key(3)], o[key(3)]...) }, 2, "not in the form"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for n := range 3 {
				if _, err := w.ledger().Append(context.Background(), ledger.Entry{Event: ledger.Failed, Customer: "acme", Environment: "staging", Actor: "dev", Run: pipeline.Run{ID: int64(n + 1)}}); err != nil {
					t.Fatal(err)
				}
			}
			w.rewrite(prefix, c.change)
			entries, _, err := w.ledger().Read(context.Background(), "acme", "staging")
			if !errors.Is(err, ledger.ErrBroken) || !strings.Contains(err.Error(), c.says) || len(entries) != c.holds {
				t.Fatalf("%d entries, %v", len(entries), err)
			}
		})
	}
}

// rewrite changes the objects under a prefix, as somebody with the store's
// credentials would.
func (w *world) rewrite(prefix string, change func(map[string][]byte)) {
	w.t.Helper()
	ctx := context.Background()
	objects := map[string][]byte{}
	for _, key := range must[[]string](w.t)(w.store.List(ctx, prefix)) {
		objects[key] = w.read(key)
		if err := w.store.Delete(ctx, key); err != nil {
			w.t.Fatal(err)
		}
	}
	change(objects)
	for key, b := range objects {
		if err := w.store.Create(ctx, key, bytes.NewReader(b)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// FuzzLedger reads whatever stands where the first entry should.
func FuzzLedger(f *testing.F) {
	f.Add([]byte(`{"version":1,"sequence":1,"previous":"","at":"2026-03-01T12:00:00Z","event":"applied","customer":"acme","environment":"staging"}`))
	f.Add([]byte(`{"version":1,"sequence":1}{}`))
	f.Add([]byte("{"))
	f.Fuzz(func(t *testing.T, b []byte) {
		directory, err := store.NewDirectory(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := directory.Create(context.Background(), "acme/staging/ledger/0000000001.json", bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		chain := ledger.Ledger{Store: directory, Now: time.Now}
		entries, head, err := chain.Read(context.Background(), "acme", "staging")
		if err == nil && (len(entries) != 1 || head.Sequence != 1 || entries[0].Customer != "acme") {
			t.Fatalf("%+v %+v", entries, head)
		}
		if err != nil && (!errors.Is(err, ledger.ErrBroken) || len(entries) != 0) {
			t.Fatal(err)
		}
		e := ledger.Entry{Event: ledger.Failed, Customer: "acme", Environment: "staging"}
		if _, err2 := chain.Append(context.Background(), e); err == nil && err2 != nil {
			t.Fatalf("read: %v, append: %v", err, err2)
		}
	})
}
