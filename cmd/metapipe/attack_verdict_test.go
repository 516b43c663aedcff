package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

func (a *attempt) rejected(args []string) {
	a.t.Helper()
	a.wantRejected(a.dispatches(), args[0], args[1:])
}

func (a *attempt) wantRejected(run workflowRun, reason string, texts []string, flags ...string) {
	a.t.Helper()
	before := a.seenIn(a.customer)
	a.noteRun(run)
	a.hub.ResetCalls()
	fetched := a.job(run).do(3, append([]string{"fetch-vars"}, flags...)...)
	fetched.want(a.t, "outcome=rejected", "reason="+reason, "request-id=", "customer=", "environments=[]", "applies=[]")
	fetched.says(a.t, texts...)
	printed := a.job(run).do(0, "report")
	printed.want(a.t, "outcome=")
	if !strings.Contains(printed.summary, "Request rejected: `"+reason+"`") || !strings.Contains(printed.summary, "Nothing was written to any customer's repository") {
		a.t.Errorf("the manager's summary does not explain:\n%s", printed.summary)
	}
	for _, problem := range misreadings(printed.summary) {
		a.t.Error(problem)
	}
	if found := commandsIn(fetched.log + printed.log); len(found) > 0 {
		a.t.Errorf("a step writes commands: %q", found)
	}
	a.job(run).do(0, "report", "--final")
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	if after := a.seenIn(a.customer); after != before {
		a.t.Errorf("the attacker's repository has changed:\n%s\n%s", before, after)
	}
	if sent := string(must(json.Marshal(a.ask))(a.t)); !strings.Contains(sent, "northwind") && strings.Contains(fetched.log+printed.summary, "northwind") {
		a.t.Errorf("the rejection names another customer:\n%s", fetched.log)
	}
	a.recorded(run, "", "", ledger.Rejected, pipeline.Reason(reason))
	a.verdicts++
}

func (a *attempt) answered(args []string) {
	a.t.Helper()
	run := a.dispatches()
	a.noteRun(run)
	fetched := a.job(run).do(3, "fetch-vars")
	a.values["REQUEST"] = fetched.outputs["request-id"]
	fetched.want(a.t, "outcome=rejected", "reason="+args[0], "customer=shop", "environments=[]", "applies=[]")
	fetched.says(a.t, args[1:]...)
	a.job(run).do(0, "report", "--customer", "shop", "--request", fetched.outputs["request-id"], "--final").want(a.t, "outcome=failure")
	a.wantStatus(string(a.ask.Commit), "infra/terraform-deploy", "failure: ")
	a.wantNothingPending()
	a.recorded(run, "shop", "", ledger.Rejected, pipeline.Reason(args[0]))
	a.verdicts++
}

func (a *attempt) misconfigured(args []string) {
	a.t.Helper()
	check(a.t, os.MkdirAll(a.store, 0o700)) // nothing comes that far here
	run := a.dispatches()
	a.hub.ResetCalls()
	fetched := a.job(run).do(2, "fetch-vars")
	fetched.says(a.t, args...)
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	a.verdicts++
}

func (a *attempt) manually(args []string) {
	a.t.Helper()
	a.manuallyOn(args[0], args[1:], "--customer", "shop")
}

// manuallyOn is manually with other flags.
func (a *attempt) manuallyOn(branch string, texts []string, flags ...string) {
	a.t.Helper()
	sha := a.commit(a.manager, branch, map[string]string{"README.md": "mine"})
	check(a.t, a.manager.Grant("mallory", hub.Write))
	run := must(a.manager.StartRun(hub.NewRun{Event: "workflow_dispatch", Path: managerWorkflow, HeadSHA: sha, HeadBranch: branch, Actor: "mallory", Status: "in_progress"}))(a.t)
	event := must(a.manager.ManualEvent(managerWorkflow, branch, nil, "mallory"))(a.t)
	a.wantRejected(workflowRun{repo: a.manager, run: run, event: event, sha: sha, ref: "refs/heads/" + branch}, "unverified-origin", texts, flags...)
}

func (a *attempt) recorded(run workflowRun, customer, env string, event ledger.Event, reason pipeline.Reason) {
	a.t.Helper()
	args := []string{"ledger", "--json"}
	if customer != "" {
		args = append(args, "--customer", customer)
	}
	if env != "" {
		args = append(args, "--environment", env)
	}
	reader := run
	reader.ref = "refs/heads/main" // also for what was tried on a branch
	_, list, _ := strings.Cut("\n"+a.job(reader).do(0, args...).log, "\n[")
	var reports []ledger.AuditReport
	check(a.t, json.Unmarshal([]byte("["+list), &reports))
	for _, e := range reports[0].Entries {
		if e.Event == event && e.Reason == reason && (e.Run.ID == run.run.ID || event == ledger.Superseded) && (a.r == nil || env == "" || e.Request == pipeline.RequestID(a.r.id)) {
			return
		}
	}
	a.t.Errorf("the ledger of %s has no entry %s %s of run %d: %+v", reports[0].Name(), event, reason, run.run.ID, reports[0].Entries)
}

func (a *attempt) refused(args []string) {
	a.t.Helper()
	env, reason := args[0], args[1]
	before := a.state("shop/" + env)
	refused := a.apply(4, env)
	refused.want(a.t, "reason="+reason)
	refused.says(a.t, args[2:]...)
	if a.state("shop/"+env) != before {
		a.t.Error("a refused apply has changed the state")
	}
	a.r.report("--final")
	printed := a.statuses(a.r.trigger.run.HeadSHA)["infra/terraform-deploy/"+env]
	if strings.HasPrefix(printed, "pending") || reason != "branch-may-not-apply" && reason != "mode-forbids-apply" && strings.HasPrefix(printed, "success") {
		a.t.Errorf("the customer is told %q", printed)
	}
	event := ledger.Refused
	if reason == string(pipeline.ReasonSuperseded) {
		event = ledger.Superseded
	}
	a.recorded(a.r.run, "shop", env, event, pipeline.Reason(reason))
	a.verdicts++
}

func (a *attempt) unreported(args []string) {
	a.t.Helper()
	a.hub.ResetCalls()
	for _, flags := range [][]string{nil, {"--final"}} {
		a.job(a.r.run).do(4, append([]string{"report", "--customer", "shop", "--request", a.r.id}, flags...)...).says(a.t, args[1:]...)
	}
	if writes := a.writes(); len(writes) != 0 {
		a.t.Errorf("written: %v", writes)
	}
	a.apply(4, args[0]).want(a.t, "reason=tampered")
	a.recorded(a.r.run, "shop", args[0], ledger.Refused, pipeline.ReasonTampered)
	a.verdicts++
}

func (a *attempt) disbelieved(args []string) {
	a.t.Helper()
	env := args[0]
	printed := a.r.report()
	if status := a.statuses(a.r.trigger.run.HeadSHA)["infra/terraform-deploy/"+env]; !strings.HasPrefix(status, "failure") {
		a.t.Errorf("the customer is told %q", status)
	}
	if made := a.customer.Snapshot().Deployments; len(made) != 0 {
		a.t.Errorf("deployments tell of an apply: %+v", made)
	}
	for _, text := range args[1:] {
		if !strings.Contains(printed.summary, text) {
			a.t.Errorf("the summary does not say %q:\n%s", text, printed.summary)
		}
	}
	if strings.Contains(printed.summary, "evil") {
		a.t.Errorf("the forgery is shown:\n%s", printed.summary)
	}
	a.recorded(a.r.run, "shop", env, ledger.Failed, pipeline.ReasonTampered)
	a.verdicts++
}

func (a *attempt) found(args []string) {
	a.t.Helper()
	a.job(a.r.run).do(6, "ledger", "--customer", "shop", "--environment", args[0], "--verify").says(a.t, args[1:]...)
	a.verdicts++
}

func (a *attempt) harmless(args []string) {
	a.t.Helper()
	printed := a.r.report("--final")
	a.wantNothingPending()
	shown := []string{printed.summary}
	for _, pr := range a.customer.Snapshot().Pulls {
		for _, c := range pr.Comments {
			if c.Author == "metapipe-bot" {
				shown = append(shown, c.Body)
			}
		}
	}
	for _, text := range shown {
		for _, problem := range misreadings(text) {
			a.t.Error(problem)
		}
		if n := len([]rune(text)); n > 65536 {
			a.t.Errorf("a text has %d characters", n)
		}
	}
	for i, log := range a.seen {
		if found := commandsIn(log); i%2 == 0 && len(found) > 0 { // behind each log is its summary
			a.t.Errorf("a step writes commands: %q", found)
		}
	}
	for sha := range a.customer.Snapshot().Statuses {
		for statusContext, status := range a.statuses(sha) {
			if strings.ContainsFunc(status, invisible) || strings.Contains(status, "\n") {
				a.t.Errorf("status %s: %q", statusContext, status)
			}
		}
	}
	a.recorded(a.r.run, "shop", args[0], ledger.Requested, "")
	a.verdicts++
}

func (a *attempt) shown(args []string) {
	for _, text := range args {
		if !slices.ContainsFunc(a.seen, func(s string) bool { return strings.Contains(s, text) }) {
			a.t.Errorf("%q is shown nowhere", text)
		}
	}
}

func (a *attempt) comments(args []string) {
	for _, pr := range a.customer.Snapshot().Pulls {
		n := 0
		for _, c := range pr.Comments {
			if c.Author == args[1] {
				n++
			}
		}
		if want := args[2]; string(must(json.Marshal(pr.Number))(a.t)) == args[0] && string(must(json.Marshal(n))(a.t)) != want {
			a.t.Errorf("%d comments by %s on #%s, want %s", n, args[1], args[0], want)
		}
	}
}
