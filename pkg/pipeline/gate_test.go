package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestGate(t *testing.T) {
	t.Parallel()
	approved := func(login, env string) pipeline.Approval {
		return pipeline.Approval{Login: login, Approved: true, Environments: []string{env}}
	}
	cases := map[string]struct {
		wait      int // minutes of the timer
		approvals []pipeline.Approval
		actor     string // who asks, dev when empty
		want      pipeline.Reason
		says      string
	}{
		"somebody else":           {10, []pipeline.Approval{approved("Robin", "Production-apply")}, "", "", ""},
		"longer than asked for":   {30, []pipeline.Approval{approved("Robin", "production-apply")}, "", "", ""},
		"no timer":                {0, []pipeline.Approval{approved("robin", "production-apply")}, "", pipeline.ReasonUngated, "waits for 10 min, but the wait timer of environment production-apply of ops/manager is 0 min"},
		"shorter timer":           {9, []pipeline.Approval{approved("robin", "production-apply")}, "", pipeline.ReasonUngated, "is 9 min"},
		"the requester":           {10, []pipeline.Approval{approved("DEV", "production-apply")}, "", pipeline.ReasonSelfApproved, "dev asked for the apply of acme/production and approved it"},
		"both":                    {10, []pipeline.Approval{approved("robin", "production-apply"), approved("dev", "production-apply")}, "", pipeline.ReasonSelfApproved, "approved it"},
		"of another environment":  {10, []pipeline.Approval{approved("robin", "staging-apply")}, "", pipeline.ReasonUngated, "nobody is on record"},
		"a rejection":             {10, []pipeline.Approval{{Login: "robin", Environments: []string{"production-apply"}}}, "", pipeline.ReasonUngated, "nobody is on record"},
		"nobody":                  {10, nil, "", pipeline.ReasonUngated, "nobody is on record"},
		"nobody knows who asked":  {10, []pipeline.Approval{approved("robin", "production-apply")}, "-", pipeline.ReasonSelfApproved, "does not say who asked"},
		"the same person, thrice": {10, []pipeline.Approval{approved("Robin", "production-apply"), approved("robin", "production-apply"), approved("Robin", "production-apply")}, "", "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			rule := &w.customer.Manager.Environments[1]
			rule.Wait, rule.RequesterMayNotApprove = 10*time.Minute, true
			w.hub.wait, w.hub.approvals = c.wait, c.approvals
			a := w.ask(w.hub.commit("production one\n"), "push")
			if c.actor != "" {
				run := w.hub.runs[a.RunID]
				run.Actor = strings.Trim(c.actor, "-")
				w.hub.runs[a.RunID] = run
			}
			request := must[pipeline.Request](t)(w.send(a))
			must[pipeline.TargetResult](t)(w.plan(request, "production"))
			result, err := w.apply(w.target(request, "production"))
			if c.want == "" {
				if err != nil || result.Outcome != pipeline.OutcomeApplied {
					t.Fatalf("%+v %v", result, err)
				}
				w.wantEvents("acme", "production", "requested dev, planned, approved Robin, applying, applied")
				return
			}
			var refused *pipeline.RefusedError
			if !errors.As(err, &refused) || refused.Reason != c.want || !strings.Contains(refused.Message, c.says) || refused.Next == "" {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if got := w.events("acme", "production"); !strings.HasSuffix(got, "planned, refused "+string(c.want)) || w.engine.applies != 0 {
				t.Errorf("%d applies, ledger: %s", w.engine.applies, got)
			}
			if got := w.report(request, true).Targets[0]; got.Outcome != pipeline.OutcomeRefused || got.Reason != c.want {
				t.Errorf("%+v", got)
			}
		})
	}
}
