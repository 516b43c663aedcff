package pipelinetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// Kept are requests that the store keeps.
type Kept struct {
	Requests int
	From     time.Time // of the first
	Every    time.Duration
	Open     bool // no report has closed them, and nothing is planned; else they were planned
}

// Keep writes the records of requests as the commands do, with their entries in the indexes. Every
// third one is of a pull request.
func (w *Setup) Keep(k Kept) {
	w.T.Helper()
	ctx, records := context.Background(), RecordsOf(w.Store, w.Sealer)
	check := func(err error) {
		w.T.Helper()
		if err != nil {
			w.T.Fatal(err)
		}
	}
	for n := range k.Requests {
		at := k.From.Add(time.Duration(n) * k.Every)
		w.lastRun++
		run := pipeline.Run{Repository: w.Current.Repository, ID: w.lastRun, Attempt: 1, URL: "https://hub/run", CreatedAt: at}
		r := pipeline.Request{ID: pipeline.DeriveRequestID("kept", fmt.Sprint(w.lastRun)), Customer: w.Current.Name,
			Repository: pipeline.Repository{Slug: w.Current.Repository, ID: w.Current.RepositoryID, DefaultBranch: "main"}, Event: "push", Actor: "dev", Mode: pipeline.ModeApply,
			Commit: w.Hub.Commit(BothEnvironments), Branch: "main", File: "infra/variables.yml", ManagerCommit: ManagerCommit, CustomerRun: run,
			ManagerRun: pipeline.Run{Repository: ManagerSlug, RepositoryID: ManagerID, ID: w.lastRun + 1000, Attempt: 1, URL: "https://hub/run", CreatedAt: at}, CreatedAt: at}
		if n%3 == 2 {
			r.Event, r.Mode, r.PullRequest = "pull_request", pipeline.ModePlan, 6+n
		}
		for _, t := range w.Current.Targets() {
			r.Targets = append(r.Targets, pipeline.RequestTarget{Target: t})
		}
		for _, key := range record.Places(r) {
			check(w.Store.Create(ctx, key, strings.NewReader(string(r.ID))))
		}
		if k.Open {
			check(record.MarkOpen(ctx, w.Store, r))
		} else {
			for _, t := range r.Targets {
				p := record.PlanAttempt{Target: t.Target, Prefix: record.PlansPrefix(t.Target, r.ID) + "0001/"}
				check(records.CreateRecord(ctx, p, record.ObjectStart, record.StartRecord{Run: r.ManagerRun, At: at}))
				check(records.CreateRecord(ctx, p, record.ObjectPlanned, record.Result{Outcome: pipeline.OutcomeNoChanges, Run: r.ManagerRun, At: at}))
			}
		}
		check(records.CreateRecord(ctx, record.PlanAttempt{Target: pipeline.Target{Customer: r.Customer}}, record.RequestKey(r.Customer, r.ID), r))
	}
}

// Lengthen adds entries to the ledger of each target, the last of them at a time.
func (w *Setup) Lengthen(entries int, until time.Time) {
	w.T.Helper()
	chain := w.Ledger()
	for _, t := range w.Current.Targets() {
		at := until.Add(-time.Duration(entries) * time.Minute)
		chain.Now = func() time.Time { at = at.Add(time.Minute); return at }
		var tip ledger.Tip
		for n := range entries {
			e := ledger.Entry{Event: ledger.Planned, Target: t, Request: pipeline.DeriveRequestID("kept", fmt.Sprint(n)), Outcome: pipeline.OutcomeNoChanges}
			next, err := chain.AppendAfter(context.Background(), tip, e)
			if err != nil {
				w.T.Fatal(err)
			}
			tip = next
		}
	}
}

// Neighbors adds customers to the store: each is registered and has a request and a ledger for each
// target. They are the customers of a registry, with that of the setup.
func (w *Setup) Neighbors(number int) pipeline.CustomerRegistry {
	w.T.Helper()
	all := neighbors{Setup: w, customers: map[pipeline.CustomerName]pipeline.Customer{}}
	own := w.Current
	for n := range number {
		c := own
		c.Name, c.Repository.Name, c.RepositoryID = pipeline.CustomerName(fmt.Sprintf("n%05d", n)), fmt.Sprintf("n%05d", n), 1000+int64(n)
		if err := registry.Create(context.Background(), RecordsOf(w.Store, w.Sealer), c, 1, w.Now); err != nil {
			w.T.Fatal(err)
		}
		w.Current, all.customers[c.Name] = c, c
		w.Keep(Kept{Requests: 1, From: w.Now.Add(-time.Hour)})
		w.Lengthen(3, w.Now.Add(-time.Hour))
	}
	w.Current = own
	return all
}

// neighbors is a registry of many customers.
type neighbors struct {
	*Setup
	customers map[pipeline.CustomerName]pipeline.Customer
}

// Customer implements pipeline.CustomerRegistry.
func (n neighbors) Customer(name pipeline.CustomerName) (pipeline.Customer, bool) {
	if c, is := n.customers[name]; is {
		return c, true
	}
	return n.Setup.Customer(name)
}
