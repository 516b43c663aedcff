package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// TestFold: the last entry of a ledger says how its target stands, whatever came between.
func TestFold(t *testing.T) {
	t.Parallel()
	target := pipeline.Target{Customer: "acme", Environment: "staging"}
	first, second, third := pipeline.RequestID("00000000-0000-4000-8000-000000000001"), pipeline.RequestID("00000000-0000-4000-8000-000000000002"), pipeline.RequestID("00000000-0000-4000-8000-000000000003")
	at := func(event ledger.Event, id pipeline.RequestID, actor string, outcome pipeline.Outcome) ledger.Entry {
		e := ledger.Entry{Event: event, Target: target, Request: id, Actor: actor, Outcome: outcome}
		if event == ledger.Planned && outcome == pipeline.OutcomeWaiting || event == ledger.Applying {
			e.Receipt = strings.Repeat("a", 64)
		}
		return e
	}
	planOnly := at(ledger.Requested, third, "eve", "")
	planOnly.PlanOnly = true
	applied := at(ledger.Applied, first, "", pipeline.OutcomeApplied)
	applied.Commit, applied.Receipt = "0f1e2d3c4b5a69788796a5b4c3d2e1f001122334", strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		events []ledger.Entry
		want   string // request event outcome actor approvers; request of the apply, actor, approvers, destroyed
	}{
		"requested": {[]ledger.Entry{at(ledger.Requested, first, "dev", "")}, "1 requested  dev []; none"},
		"waiting":   {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Planned, first, "", pipeline.OutcomeWaiting)}, "1 planned waiting dev []; none"},
		"applied": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Planned, first, "", pipeline.OutcomeWaiting), at(ledger.Approved, first, "robin", ""),
			at(ledger.Approved, first, "kim", ""), at(ledger.Applying, first, "", ""), applied}, "1 applied applied dev [robin kim]; 1 dev [robin kim] false"},
		"failed after an apply": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Planned, first, "", pipeline.OutcomeWaiting), at(ledger.Applying, first, "", ""), applied, at(ledger.Requested, second, "kim", ""), at(ledger.Failed, second, "", pipeline.OutcomeFailed)},
			"2 failed failed kim []; 1 dev [] false"},
		"refused after its apply": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Planned, first, "", pipeline.OutcomeWaiting), at(ledger.Applying, first, "", ""), applied, at(ledger.Refused, first, "", pipeline.OutcomeRefused)},
			"1 applied applied dev []; 1 dev [] false"},
		"older one ends later": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Requested, second, "kim", ""), at(ledger.Superseded, first, "", pipeline.OutcomeSuperseded)},
			"2 requested  kim []; none"},
		"older one is applied later": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Requested, second, "kim", ""), applied}, "2 requested  kim []; 1  [] false"},
		"plan of a pull request": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Failed, first, "", pipeline.OutcomeFailed), planOnly, at(ledger.Planned, third, "", pipeline.OutcomePlanned)},
			"1 failed failed dev []; none"},
		"lock": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Unlocking, "", "ops", ""), at(ledger.Unlocked, "", "ops", "")}, "1 requested  dev []; none"},
		"planned again": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Planned, first, "", pipeline.OutcomeWaiting), at(ledger.Approved, first, "robin", ""),
			at(ledger.Failed, first, "", pipeline.OutcomeFailed), at(ledger.Planned, first, "", pipeline.OutcomeWaiting)}, "1 planned waiting dev []; none"},
		"destroyed": {[]ledger.Entry{at(ledger.Requested, first, "dev", ""), at(ledger.Planned, first, "", pipeline.OutcomeWaiting), at(ledger.Applying, first, "", ""), at(ledger.Destroyed, first, "", pipeline.OutcomeApplied)}, "1 destroyed applied dev []; 1 dev [] true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			for i, e := range c.events {
				w.Now = w.Now.Add(time.Minute)
				e.Run = pipeline.Run{ID: int64(i + 1), URL: fmt.Sprintf("https://hub.example/runs/%d", i+1)}
				if _, err := w.Ledger().Append(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			w.LastEvent(target) // which audits
			tip, err := w.Ledger().Tip(t.Context(), target)
			if got := foldText(tip.Fold); err != nil || got != c.want {
				t.Errorf("got %q, want %q: %v", got, c.want, err)
			}
			if tip, err = w.Ledger().AppendAfter(t.Context(), tip, at(ledger.Unlocked, "", "ops", "")); err != nil || foldText(tip.Fold) != c.want {
				t.Errorf("behind it: %q %v", foldText(tip.Fold), err)
			}
			if tip, err = w.Ledger().Tip(t.Context(), target); err != nil || foldText(tip.Fold) != c.want {
				t.Errorf("read again: %q %v", foldText(tip.Fold), err)
			}
			w.LastEvent(target) // which audits
		})
	}
}

func foldText(f ledger.Fold) string {
	request, apply := "none", "none"
	if r := f.Request; r != nil {
		request = fmt.Sprintf("%s %s %s %s %v", r.ID[len(r.ID)-1:], r.Event, r.Outcome, r.Actor, r.Approvers)
	}
	if a := f.Apply; a != nil {
		apply = fmt.Sprintf("%s %s %v %t", a.Request[len(a.Request)-1:], a.Actor, a.Approvers, a.Destroyed)
	}
	return request + "; " + apply
}

// TestForgedFold: an entry cannot say another status than the ones before it come to, also
// where someone has the key.
func TestForgedFold(t *testing.T) {
	t.Parallel()
	w, target := pipelinetest.New(t), pipeline.Target{Customer: "acme", Environment: "staging"}
	for _, event := range []ledger.Event{ledger.Requested, ledger.Failed} {
		e := ledger.Entry{Event: event, Target: target, Request: "00000000-0000-4000-8000-000000000001", Actor: "dev", Run: pipeline.Run{ID: 1}}
		if _, err := w.Ledger().Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	const key = "acme/staging/ledger/9999999997-2.json"
	forged := w.LastEvent(target)
	request := *forged.Fold.Request
	request.Actor, request.Event = "eve", ledger.Applied
	forged.Fold.Request = &request
	signed := pipelinetest.Must[[]byte](t)(pipelinetest.RecordsOf(w.Store, w.Sealer).Sign(t.Context(), record.LedgerOf(target), key, forged))
	w.Rewrite("acme/staging/ledger/", func(o map[string][]byte) { o[key] = signed })
	report, err := ledger.Auditor{Ledger: w.Ledger()}.Chain(t.Context(), target)
	if err != nil || len(report.Findings) != 1 || !strings.Contains(report.Findings[0], "entry 2 says another status of the target") {
		t.Fatalf("%q %v", report.Findings, err)
	}
}

// TestFoldOfARename: a target that was never applied keeps its status under the new name,
// and the audit finds nothing.
func TestFoldOfARename(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	before, now := pipeline.Target{Customer: "old", Environment: "staging"}, pipeline.Target{Customer: "acme", Environment: "staging"}
	e := ledger.Entry{Event: ledger.Requested, Target: before, Request: "00000000-0000-4000-8000-000000000001", Actor: "dev", Run: pipeline.Run{ID: 1}}
	tip := pipelinetest.Must[ledger.Tip](t)(w.Ledger().Append(t.Context(), e))
	renamed := ledger.Entry{Event: ledger.Renamed, Target: now, Message: "from old", Fold: tip.Fold}
	pipelinetest.Must[ledger.Tip](t)(w.Ledger().Append(t.Context(), renamed))
	if got, want := foldText(w.LastEvent(now).Fold), "1 requested  dev []; none"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
