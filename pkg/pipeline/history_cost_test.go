package pipeline_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// past is what a store holds beside the request that is measured.
type past struct {
	kept, entries, open, newer, customers int
}

// historyCosts are what the steps of a request ask of a store with a past, as a bucket bills it, and how
// many keys their lists return.
func historyCosts(t *testing.T, p past) (asked, listed map[string]int) {
	t.Helper()
	w, m := pipelinetest.New(t), pipelinetest.NewMemory()
	w.Store = m
	began := w.Now
	registry := w.Neighbors(p.customers)
	w.Keep(pipelinetest.Kept{Requests: p.kept, From: began.Add(-60 * 24 * time.Hour), Every: 17 * time.Minute})
	w.Lengthen(p.entries, began.Add(-2*time.Hour))
	send := func() pipeline.Request {
		t.Helper()
		w.Tick()
		a := w.Dispatch(w.Hub.Commit(pipelinetest.BothEnvironments), "push")
		fetch := w.Fetcher()
		fetch.Customers = registry
		return pipelinetest.Must[pipeline.Request](t)(fetch.Run(context.Background(), w.FetchInput(a, w.Claims(a))))
	}
	deployed := func(r pipeline.Request) {
		t.Helper()
		for _, target := range r.Targets {
			pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, target.Environment))
			pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(r, target.Environment)))
		}
		w.Report(r, true)
	}
	asked, listed = map[string]int{}, map[string]int{}
	count := func(step string, run func()) {
		t.Helper()
		m.Asked, m.Listed = 0, 0
		run()
		asked[step], listed[step] = m.Asked, m.Listed
	}
	var first, r pipeline.Request
	count(firstFetch, func() { first = send() })
	deployed(first)
	w.Now = w.Now.Add(time.Hour)
	w.Keep(pipelinetest.Kept{Requests: p.open, From: w.Now.Add(-30 * time.Minute), Every: time.Second, Open: true})
	count("fetch-vars", func() { r = send() })
	count("plan", func() { pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, "staging")) })
	count("report", func() { w.Report(r, false) })
	count("apply", func() { pipelinetest.Must[deploy.TargetResult](t)(w.Apply(w.Target(r, "staging"))) })
	count("plan of production", func() { pipelinetest.Must[deploy.TargetResult](t)(w.Plan(r, "production")) })
	w.Now = w.Now.Add(20 * time.Minute)
	w.Keep(pipelinetest.Kept{Requests: p.newer, From: w.Now, Every: time.Second})
	w.Now = w.Now.Add(time.Hour)
	if p.newer > 0 {
		count("overtaken plan", func() { _, _ = w.Plan(r, "production") })
		count("overtaken apply", func() { _, _ = w.Apply(w.Target(r, "production")) })
	}
	count("final report", func() { w.Report(r, true) })
	count("sweep", func() { w.Sweep(&pipelinetest.StateLocks{}, false) })
	count("status", func() {
		fleetstatus.Read(t.Context(), pipelinetest.RecordsOf(w.Store, w.Sealer), []fleetstatus.Wanted{{Target: r.Targets[0].Target}, {Target: r.Targets[1].Target}}, w.Now)
	})
	return asked, listed
}

// TestCostDoesNotGrowWithHistory: what a step asks of the store, as a bucket bills it, is the same within
// a tenth after 10 and after 5,000 requests that are kept, with 300 open or newer requests of the
// customer and with a ledger of 999 entries, and within a fifth with 1,000 customers.
//
// Three costs grow by their nature. A sweep looks at each open request. The first request of a
// customer looks at each name in the store, since any of them may be its former one. And a ledger with
// more entries than a page of a list has is searched for its end: looks for one entry, two more for
// each time that it doubles.
func TestCostDoesNotGrowWithHistory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		few, many past
		most      float64
		more      int      // requests beside that
		except    []string // steps that grow by their nature
	}{
		"requests and entries": {few: past{kept: 10, entries: 10}, many: past{kept: 5000, entries: 980}, most: 1.1},
		"long ledgers":         {few: past{entries: 1010}, many: past{entries: 1980}, most: 1.1},
		"a page of a ledger":   {few: past{entries: 980}, many: past{entries: 1010}, most: 1, more: 12, except: []string{firstFetch}},
		"open requests":        {few: past{kept: 10, open: 10}, many: past{kept: 10, open: 300}, most: 1.1, except: []string{"sweep"}},
		"newer requests":       {few: past{kept: 10, newer: 10}, many: past{kept: 10, newer: 300}, most: 1.1},
		"customers":            {few: past{customers: 10}, many: past{customers: 1000}, most: 1.2, except: []string{firstFetch}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			few, fewKeys := historyCosts(t, c.few)
			many, manyKeys := historyCosts(t, c.many)
			for _, step := range slices.Sorted(maps.Keys(few)) {
				t.Logf("%-32s %4d requests (%6d keys) with few, %4d (%6d) with many", step, few[step], fewKeys[step], many[step], manyKeys[step])
				if float64(many[step]) > c.most*float64(few[step])+float64(c.more) && !slices.Contains(c.except, step) {
					t.Errorf("%s asks the store %d times with few and %d times with many", step, few[step], many[step])
				}
			}
		})
	}
}

const firstFetch = "first fetch-vars of a customer"
