package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// gateCase is who asked, who approved, and what becomes of the apply.
type gateCase struct {
	wait      int // minutes of the timer
	approvals []deploy.Approval
	asks      func(w *world, a *pipeline.DispatchRequest) // changes who asks; nil: dev
	want      pipeline.Reason
	says      string
}

// asker changes the customer's run.
func asker(change func(run *pipeline.WorkflowRun)) func(*world, *pipeline.DispatchRequest) {
	return func(w *world, a *pipeline.DispatchRequest) {
		run := w.hub.runs[a.RunID]
		change(&run)
		w.hub.runs[a.RunID] = run
	}
}

var (
	renamed = pipeline.Account{ID: dev.ID, Login: "dev-2"}
	ghost   = pipeline.Account{Login: "ghost"}
	byRobin = []deploy.Approval{approved(robin, "production-apply")}
)

var gateCases = map[string]gateCase{
	"somebody else":            {10, []deploy.Approval{approved(robin, "Production-apply")}, nil, "", ""},
	"longer than asked for":    {30, byRobin, nil, "", ""},
	"no timer":                 {0, byRobin, nil, pipeline.ReasonMissingProtection, "waits for 10 min, but the wait timer of environment production-apply of ops/manager is 0 min"},
	"shorter timer":            {9, byRobin, nil, pipeline.ReasonMissingProtection, "is 9 min"},
	"the requester":            {10, []deploy.Approval{approved(dev, "production-apply")}, nil, pipeline.ReasonSelfApproved, "dev requested the apply of acme/production and approved it"},
	"the requester, renamed":   {10, []deploy.Approval{approved(renamed, "production-apply")}, nil, pipeline.ReasonSelfApproved, "dev-2 requested the apply of acme/production and approved it"},
	"somebody with that login": {10, []deploy.Approval{approved(pipeline.Account{ID: 77, Login: "robin"}, "production-apply")}, nil, "", ""},
	"both":                     {10, []deploy.Approval{approved(robin, "production-apply"), approved(dev, "production-apply")}, nil, pipeline.ReasonSelfApproved, "approved it"},
	"of another environment":   {10, []deploy.Approval{approved(robin, "staging-apply")}, nil, pipeline.ReasonMissingProtection, "no approval of the apply of"},
	"a rejection":              {10, []deploy.Approval{{Login: "robin", User: robin, Environments: []string{"production-apply"}}}, nil, pipeline.ReasonMissingProtection, "no approval of the apply of"},
	"nobody":                   {10, nil, nil, pipeline.ReasonMissingProtection, "no approval of the apply of"},
	"an account that is gone":  {10, []deploy.Approval{approved(ghost, "production-apply")}, nil, pipeline.ReasonMissingProtection, "does not say which account approved"},
	"one that is gone, and robin": {10, []deploy.Approval{approved(ghost, "production-apply"), approved(robin, "production-apply")}, nil, pipeline.ReasonMissingProtection,
		"does not say which account approved"},
	"nobody knows who asked": {10, byRobin, asker(func(run *pipeline.WorkflowRun) {
		run.Actor, run.StartedBy, run.TriggeredBy = "", pipeline.Account{}, pipeline.Account{}
	}), pipeline.ReasonSelfApproved, "reports no account that requested"},
	"nobody knows who ran it again": {10, byRobin, asker(func(run *pipeline.WorkflowRun) { run.TriggeredBy = ghost }), pipeline.ReasonSelfApproved, "reports no account that requested"},
	"who ran the customer's run again": {10, byRobin, asker(func(run *pipeline.WorkflowRun) { run.TriggeredBy = robin }), pipeline.ReasonSelfApproved,
		"robin requested the apply"},
	"who ran it again, before somebody else did": {10, byRobin, func(w *world, a *pipeline.DispatchRequest) {
		run := w.hub.runs[a.RunID]
		old := run
		old.TriggeredBy = robin
		w.hub.attempts[a.RunID] = []pipeline.WorkflowRun{old}
		run.Attempt = 2
		w.hub.runs[a.RunID] = run
	}, pipeline.ReasonSelfApproved, "robin requested the apply"},
	"who started the manager's run": {10, byRobin, func(w *world, _ *pipeline.DispatchRequest) {
		run := w.hub.runs[1]
		run.StartedBy = robin
		w.hub.runs[1] = run
	}, pipeline.ReasonSelfApproved, "robin requested the apply"},
	"who ran the manager's run again": {10, byRobin, func(w *world, _ *pipeline.DispatchRequest) {
		run := w.hub.runs[1]
		run.TriggeredBy = robin
		w.hub.runs[1] = run
	}, pipeline.ReasonSelfApproved, "robin requested the apply"},
	"the same person, thrice": {10, []deploy.Approval{approved(robin, "production-apply"), approved(robin, "production-apply"), approved(pipeline.Account{ID: robin.ID, Login: "rob"}, "production-apply")}, nil, "", ""},
}

func TestGate(t *testing.T) {
	t.Parallel()
	for name, c := range gateCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			rule := &w.customer.Manager.Environments[1]
			rule.WaitTimer, rule.PreventSelfReview = 10*time.Minute, true
			c.play(t, w)
		})
	}
}

// play asks for production and tries to apply it.
func (c gateCase) play(t *testing.T, w *world) {
	t.Helper()
	w.hub.wait, w.hub.approvals = c.wait, c.approvals
	a := w.ask(w.hub.commit("production one\n"), "push")
	if c.asks != nil {
		c.asks(w, &a)
	}
	request := must[pipeline.Request](t)(w.send(a))
	must[deploy.TargetResult](t)(w.plan(request, "production"))
	result, err := w.apply(w.target(request, "production"))
	if c.want == "" {
		if err != nil || result.Outcome != pipeline.OutcomeApplied {
			t.Fatalf("%+v %v", result, err)
		}
		w.wantEvents("acme", "production", "requested dev, planned, approved robin, applying, applied")
		return
	}
	var refused *pipeline.RefusedError
	if !errors.As(err, &refused) || refused.Reason != c.want || !strings.Contains(refused.Message, c.says) || refused.Next == "" {
		t.Fatalf("got %v, want %s", err, c.want)
	}
	// The customer reads Next, and cannot change the manager.
	for _, word := range []string{"Settings", "metapipe.yml", "administrators", "run the workflow"} {
		if strings.Contains(refused.Next, word) || refused.Operator == "" {
			t.Errorf("the customer reads %q, the operator %q", refused.Next, refused.Operator)
		}
	}
	if got := w.events("acme", "production"); !strings.HasSuffix(got, "planned, refused "+string(c.want)) || w.engine.applies != 0 {
		t.Errorf("%d applies, ledger: %s", w.engine.applies, got)
	}
	if got := w.report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeRefused || got.Reason != c.want {
		t.Errorf("%+v", got)
	}
}

// TestGateNeedsAnApproval: that reviewers are required is a rule, and that one of them
// approved is a fact.
func TestGateNeedsAnApproval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]gateCase{
		"somebody":               {approvals: byRobin},
		"who asked":              {approvals: []deploy.Approval{approved(robin, "production-apply")}, asks: asker(func(run *pipeline.WorkflowRun) { run.TriggeredBy = dev })},
		"nobody":                 {want: pipeline.ReasonMissingProtection, says: "no approval for environment production-apply is on record in run 1 of ops/manager"},
		"of another environment": {approvals: []deploy.Approval{approved(robin, "staging-apply"), approved(robin, "production-apply-2")}, want: pipeline.ReasonMissingProtection, says: "no approval"},
		"of the plan":            {approvals: []deploy.Approval{approved(robin, "production-plan"), approved(robin, "production")}, want: pipeline.ReasonMissingProtection, says: "no approval"},
		"a rejection":            {approvals: []deploy.Approval{{Login: "robin", User: robin, Environments: []string{"production-apply"}}}, want: pipeline.ReasonMissingProtection, says: "no approval"},
		"an account that is gone": {approvals: []deploy.Approval{approved(ghost, "production-apply")}, want: pipeline.ReasonMissingProtection,
			says: "does not say which account approved"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.customer.Manager.Environments[1].Gated = true
			c.play(t, w)
		})
	}
}

// TestLedgerNamesAccounts that asked and approved by an id beside the login.
func TestLedgerNamesAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.customer.Manager.Environments[1].Gated = true
	gateCase{approvals: byRobin}.play(t, w)
	entries, _, err := w.ledger().Read(t.Context(), "acme", "production")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Event == ledger.Approved && (e.ActorID != robin.ID || e.Actor != "robin") {
			t.Errorf("%+v", e)
		}
		if e.Event == ledger.Requested && (e.ActorID != dev.ID || e.Actor != dev.Login) {
			t.Errorf("%+v", e)
		}
	}
}

// TestManualRequestThatRunsAgain uses the commit of the manager that its run began
// with: an old one is refused.
func TestManualRequestThatRunsAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attempt int
		head    pipeline.SHA
		blind   error
		fine    bool
	}{
		"the first attempt":               {attempt: 1, head: "b", fine: true},
		"again, with the newest commit":   {attempt: 2, head: "a", fine: true},
		"again, with an old commit":       {attempt: 2, head: "b"},
		"again, and nothing can be asked": {attempt: 2, head: "a", blind: unseen()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.hub.commit("staging one\n")
			sha := func(c pipeline.SHA) pipeline.SHA { return pipeline.SHA(strings.Repeat(string(c), 40)) }
			w.hub.managerHead, w.hub.blind = sha(c.head), c.blind
			f := w.fetcher()
			f.Own = w.hub
			in := intake.FetchInput{Manager: managerSlug, ManagerCommit: sha("a"), Manual: &intake.ManualRequest{Customer: "acme", Actor: "dev"}, Requesters: []pipeline.Account{dev, robin},
				Run: pipeline.Run{Repository: managerSlug, ID: 1, Attempt: c.attempt, URL: "https://hub/run", CreatedAt: w.now}}
			request, err := f.Run(t.Context(), in)
			if (err == nil) != c.fine {
				t.Fatalf("%+v %v", request, err)
			}
			if c.fine && len(request.Requesters) != 2 {
				t.Errorf("requesters: %+v", request.Requesters)
			}
			f.Own = nil
			if _, err := f.Run(t.Context(), in); c.attempt > 1 && err == nil {
				t.Error("it was accepted without a look at the manager")
			}
		})
	}
}
