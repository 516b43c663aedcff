package deploy_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/pipelinetest"
)

// gateCase is who asked, who approved, and what becomes of the apply.
type gateCase struct {
	wait      int // minutes of the timer
	approvals []deploy.Approval
	asks      func(w *pipelinetest.Setup, a *pipeline.DispatchRequest) // changes who asks; nil: dev
	want      pipeline.Reason
	says      string
}

// asker changes the customer's run.
func asker(change func(run *pipeline.WorkflowRun)) func(*pipelinetest.Setup, *pipeline.DispatchRequest) {
	return func(w *pipelinetest.Setup, a *pipeline.DispatchRequest) {
		run := w.Hub.Runs[a.RunID]
		change(&run)
		w.Hub.Runs[a.RunID] = run
	}
}

var (
	renamed = pipeline.Account{ID: pipelinetest.Dev.ID, Login: "dev-2"}
	ghost   = pipeline.Account{Login: "ghost"}
	byRobin = []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "production-apply")}
)

var gateCases = map[string]gateCase{
	"somebody else":            {10, []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "Production-apply")}, nil, "", ""},
	"longer than asked for":    {30, byRobin, nil, "", ""},
	"no timer":                 {0, byRobin, nil, pipeline.ReasonMissingProtection, "waits for 10 min, but the wait timer of environment production-apply of ops/manager is 0 min"},
	"shorter timer":            {9, byRobin, nil, pipeline.ReasonMissingProtection, "is 9 min"},
	"the requester":            {10, []deploy.Approval{pipelinetest.Approved(pipelinetest.Dev, "production-apply")}, nil, pipeline.ReasonSelfApproved, "dev requested the apply of acme/production and approved it"},
	"the requester, renamed":   {10, []deploy.Approval{pipelinetest.Approved(renamed, "production-apply")}, nil, pipeline.ReasonSelfApproved, "dev-2 requested the apply of acme/production and approved it"},
	"somebody with that login": {10, []deploy.Approval{pipelinetest.Approved(pipeline.Account{ID: 77, Login: "robin"}, "production-apply")}, nil, "", ""},
	"both":                     {10, []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "production-apply"), pipelinetest.Approved(pipelinetest.Dev, "production-apply")}, nil, pipeline.ReasonSelfApproved, "approved it"},
	"of another environment":   {10, []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "staging-apply")}, nil, pipeline.ReasonMissingProtection, "no approval of the apply of"},
	"a rejection":              {10, []deploy.Approval{{Login: "robin", User: pipelinetest.Robin, Environments: []string{"production-apply"}}}, nil, pipeline.ReasonMissingProtection, "no approval of the apply of"},
	"nobody":                   {10, nil, nil, pipeline.ReasonMissingProtection, "no approval of the apply of"},
	"an account that is gone":  {10, []deploy.Approval{pipelinetest.Approved(ghost, "production-apply")}, nil, pipeline.ReasonMissingProtection, "does not say which account approved"},
	"one that is gone, and robin": {10, []deploy.Approval{pipelinetest.Approved(ghost, "production-apply"), pipelinetest.Approved(pipelinetest.Robin, "production-apply")}, nil, pipeline.ReasonMissingProtection,
		"does not say which account approved"},
	"nobody knows who asked": {10, byRobin, asker(func(run *pipeline.WorkflowRun) {
		run.Actor, run.StartedBy, run.TriggeredBy = "", pipeline.Account{}, pipeline.Account{}
	}), pipeline.ReasonSelfApproved, "reports no account that requested"},
	"nobody knows who ran it again": {10, byRobin, asker(func(run *pipeline.WorkflowRun) { run.TriggeredBy = ghost }), pipeline.ReasonSelfApproved, "reports no account that requested"},
	"who ran the customer's run again": {10, byRobin, asker(func(run *pipeline.WorkflowRun) { run.TriggeredBy = pipelinetest.Robin }), pipeline.ReasonSelfApproved,
		"robin requested the apply"},
	"who ran it again, before somebody else did": {10, byRobin, func(w *pipelinetest.Setup, a *pipeline.DispatchRequest) {
		run := w.Hub.Runs[a.RunID]
		old := run
		old.TriggeredBy = pipelinetest.Robin
		w.Hub.Attempts[a.RunID] = []pipeline.WorkflowRun{old}
		run.Attempt = 2
		w.Hub.Runs[a.RunID] = run
	}, pipeline.ReasonSelfApproved, "robin requested the apply"},
	"who started the manager's run": {10, byRobin, func(w *pipelinetest.Setup, _ *pipeline.DispatchRequest) {
		run := w.Hub.Runs[1]
		run.StartedBy = pipelinetest.Robin
		w.Hub.Runs[1] = run
	}, pipeline.ReasonSelfApproved, "robin requested the apply"},
	"who ran the manager's run again": {10, byRobin, func(w *pipelinetest.Setup, _ *pipeline.DispatchRequest) {
		run := w.Hub.Runs[1]
		run.TriggeredBy = pipelinetest.Robin
		w.Hub.Runs[1] = run
	}, pipeline.ReasonSelfApproved, "robin requested the apply"},
	"the same person, thrice": {10, []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "production-apply"), pipelinetest.Approved(pipelinetest.Robin, "production-apply"), pipelinetest.Approved(pipeline.Account{ID: pipelinetest.Robin.ID, Login: "rob"}, "production-apply")}, nil, "", ""},
}

func TestGate(t *testing.T) {
	t.Parallel()
	for name, c := range gateCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			rule := &w.Current.Manager.Environments[1]
			rule.WaitTimer, rule.PreventSelfReview = 10*time.Minute, true
			c.play(t, w)
		})
	}
}

// play asks for production and tries to apply it.
func (c gateCase) play(t *testing.T, w *pipelinetest.Setup) {
	t.Helper()
	w.Hub.WaitMinutes, w.Hub.ApprovalList = c.wait, c.approvals
	a := w.Dispatch(w.Hub.Commit("production one\n"), "push")
	if c.asks != nil {
		c.asks(w, &a)
	}
	request := pipelinetest.Must[pipeline.Request](t)(w.Send(a))
	pipelinetest.Must[deploy.TargetResult](t)(w.Plan(request, "production"))
	result, err := w.Apply(w.Target(request, "production"))
	if c.want == "" {
		if err != nil || result.Outcome != pipeline.OutcomeApplied {
			t.Fatalf("%+v %v", result, err)
		}
		w.WantEvents(pipeline.Target{Customer: "acme", Environment: "production"}, "requested dev, planned, approved robin, applying, applied")
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
	if got := w.Events(pipeline.Target{Customer: "acme", Environment: "production"}); !strings.HasSuffix(got, "planned, refused "+string(c.want)) || w.Engine.Applies != 0 {
		t.Errorf("%d applies, ledger: %s", w.Engine.Applies, got)
	}
	if got := w.Report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeRefused || got.Reason != c.want {
		t.Errorf("%+v", got)
	}
}

// TestGateNeedsAnApproval: that reviewers are required is a rule, and that one of them
// approved is a fact.
func TestGateNeedsAnApproval(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]gateCase{
		"somebody":               {approvals: byRobin},
		"who asked":              {approvals: []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "production-apply")}, asks: asker(func(run *pipeline.WorkflowRun) { run.TriggeredBy = pipelinetest.Dev })},
		"nobody":                 {want: pipeline.ReasonMissingProtection, says: "no approval for environment production-apply is on record in run 1 of ops/manager"},
		"of another environment": {approvals: []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "staging-apply"), pipelinetest.Approved(pipelinetest.Robin, "production-apply-2")}, want: pipeline.ReasonMissingProtection, says: "no approval"},
		"of the plan":            {approvals: []deploy.Approval{pipelinetest.Approved(pipelinetest.Robin, "production-plan"), pipelinetest.Approved(pipelinetest.Robin, "production")}, want: pipeline.ReasonMissingProtection, says: "no approval"},
		"a rejection":            {approvals: []deploy.Approval{{Login: "robin", User: pipelinetest.Robin, Environments: []string{"production-apply"}}}, want: pipeline.ReasonMissingProtection, says: "no approval"},
		"an account that is gone": {approvals: []deploy.Approval{pipelinetest.Approved(ghost, "production-apply")}, want: pipeline.ReasonMissingProtection,
			says: "does not say which account approved"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Current.Manager.Environments[1].Gated = true
			c.play(t, w)
		})
	}
}

// TestLedgerNamesAccounts that asked and approved by an id beside the login.
func TestLedgerNamesAccounts(t *testing.T) {
	t.Parallel()
	w := pipelinetest.New(t)
	w.Current.Manager.Environments[1].Gated = true
	gateCase{approvals: byRobin}.play(t, w)
	entries, _, err := w.Ledger().Read(t.Context(), pipeline.Target{Customer: "acme", Environment: "production"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Event == ledger.Approved && (e.ActorID != pipelinetest.Robin.ID || e.Actor != "robin") {
			t.Errorf("%+v", e)
		}
		if e.Event == ledger.Requested && (e.ActorID != pipelinetest.Dev.ID || e.Actor != pipelinetest.Dev.Login) {
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
		"again, and nothing can be asked": {attempt: 2, head: "a", blind: pipelinetest.NotVisible()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Hub.Commit("staging one\n")
			sha := func(c pipeline.SHA) pipeline.SHA { return pipeline.SHA(strings.Repeat(string(c), 40)) }
			w.Hub.ManagerHead, w.Hub.ManagerError = sha(c.head), c.blind
			f := w.Fetcher()
			f.Own = w.Hub
			in := intake.FetchInput{Manager: pipelinetest.ManagerSlug, ManagerCommit: sha("a"), Manual: &intake.ManualRequest{Customer: "acme", Actor: "dev"}, Requesters: []pipeline.Account{pipelinetest.Dev, pipelinetest.Robin},
				Run: pipeline.Run{Repository: pipelinetest.ManagerSlug, ID: 1, Attempt: c.attempt, URL: "https://hub/run", CreatedAt: w.Now}}
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

// TestApprovalOfAnEarlierPlan: a run that is planned again has one approval more, or none of
// them may be for the new plan.
func TestApprovalOfAnEarlierPlan(t *testing.T) {
	t.Parallel()
	const failed, no = "failed", "no"
	for name, c := range map[string]struct {
		plans     []string // of attempts 1, 2, …: how each ended; no: none was made
		apply     int      // attempt
		approvals int
		refused   bool
	}{
		"planned once":                   {[]string{""}, 1, 1, false},
		"only the apply runs again":      {[]string{"", no}, 2, 1, false},
		"planned again":                  {[]string{"", ""}, 2, 1, true},
		"planned and approved again":     {[]string{"", ""}, 2, 2, false},
		"after a plan that failed":       {[]string{failed, ""}, 2, 1, false},
		"after two that failed":          {[]string{failed, failed, ""}, 3, 1, false},
		"the apply ran again in between": {[]string{"", no, ""}, 3, 2, true},
		"each was approved":              {[]string{"", no, ""}, 3, 3, false},
		"in the second attempt":          {[]string{failed, "", ""}, 3, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := pipelinetest.New(t)
			w.Current.Manager.Environments[1].Gated = true
			request := pipelinetest.Must[pipeline.Request](t)(w.Send(w.Dispatch(w.Hub.Commit("production one\n"), "push")))
			for i, how := range c.plans {
				if how == no {
					continue
				}
				in := w.Target(request, "production")
				in.Run.Attempt = i + 1
				w.Engine.PlanErr = nil
				if how == failed {
					w.Engine.PlanErr = &pipeline.FailedError{Message: "the provider did not answer"}
				}
				w.Tick()
				if _, err := w.Planner().Run(t.Context(), in); (err != nil) != (how == failed) {
					t.Fatal(err)
				}
			}
			w.Hub.ApprovalList = nil
			for range c.approvals {
				w.Hub.ApprovalList = append(w.Hub.ApprovalList, byRobin...)
			}
			in := w.Target(request, "production")
			in.Run.Attempt = c.apply
			_, err := w.Apply(in)
			var refused *pipeline.RefusedError
			if c.refused != (errors.As(err, &refused) && refused.Reason == pipeline.ReasonMissingProtection && strings.Contains(refused.Message, "was planned again in run 1")) || !c.refused && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}
