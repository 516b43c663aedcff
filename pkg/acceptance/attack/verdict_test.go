package attack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

func (a *attempt) rejected(args []string) {
	a.T.Helper()
	a.wantRejected(a.dispatches(), args[0], args[1:])
}

func (a *attempt) wantRejected(run fixture.WorkflowRun, reason string, texts []string) {
	a.T.Helper()
	before := a.seenIn(a.Customer)
	a.noteRun(run)
	a.Hub.ResetCalls()
	fetched, printed := a.prepare(run, 3)
	fetched.Want(a.T, "outcome=rejected", "reason="+reason, "request-id=", "customer=", "targets=[]", "applies=[]")
	fetched.Says(a.T, texts...)
	printed.Want(a.T, "outcome=")
	if !strings.Contains(printed.Summary, "Request rejected: `"+reason+"`") || !strings.Contains(printed.Summary, "Nothing was written to any customer's repository") {
		a.T.Errorf("the manager's summary does not explain:\n%s", printed.Summary)
	}
	for _, problem := range fixture.Misreadings(printed.Summary) {
		a.T.Error(problem)
	}
	if found := fixture.CommandsIn(fetched.Log + printed.Log); len(found) > 0 {
		a.T.Errorf("a step writes commands: %q", found)
	}
	a.finish(run, 0, "", "")
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	if after := a.seenIn(a.Customer); after != before {
		a.T.Errorf("the attacker's repository has changed:\n%s\n%s", before, after)
	}
	if sent := string(fixture.Must(json.Marshal(a.ask))(a.T)); !strings.Contains(sent, "northwind") && strings.Contains(fetched.Log+printed.Summary, "northwind") {
		a.T.Errorf("the rejection names another customer:\n%s", fetched.Log)
	}
	a.recorded(run, "", "", ledger.Rejected, pipeline.Reason(reason))
	a.verdicts++
}

func (a *attempt) answered(args []string) {
	a.T.Helper()
	run := a.dispatches()
	a.noteRun(run)
	fetched, _ := a.prepare(run, 3)
	a.values["REQUEST"] = fetched.Outputs["request-id"]
	fetched.Want(a.T, "outcome=rejected", "reason="+args[0], "customer=shop", "targets=[]", "applies=[]")
	fetched.Says(a.T, args[1:]...)
	a.finish(run, 0, "shop", fetched.Outputs["request-id"]).Want(a.T, "outcome=failure")
	a.WantStatus(string(a.ask.Commit), "infra/terraform-deploy", "failure: ")
	a.WantNothingPending()
	a.recorded(run, "shop", "", ledger.Rejected, pipeline.Reason(args[0]))
	a.verdicts++
}

func (a *attempt) misconfigured(args []string) {
	a.T.Helper()
	fixture.Check(a.T, os.MkdirAll(a.Store, 0o700)) // nothing comes that far here
	run := a.dispatches()
	a.Hub.ResetCalls()
	fetched, _ := a.prepare(run, 2)
	fetched.Says(a.T, args...)
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	a.verdicts++
}

func (a *attempt) recorded(run fixture.WorkflowRun, customer, env string, event ledger.Event, reason pipeline.Reason) {
	a.T.Helper()
	args := []string{"ledger", "--json"}
	if customer != "" {
		args = append(args, "--customer", customer)
	}
	if env != "" {
		args = append(args, fixture.TargetFlags(env)...)
	}
	reader := run
	reader.Ref = "refs/heads/main" // also for what was tried on a branch
	_, list, _ := strings.Cut("\n"+a.job(reader).Do(0, args...).Log, "\n[")
	var reports []ledger.AuditReport
	fixture.Check(a.T, json.Unmarshal([]byte("["+list), &reports))
	for _, e := range reports[0].Entries {
		if e.Event == event && e.Reason == reason && (e.Run.ID == run.Run.ID || event == ledger.Superseded) && (a.r == nil || env == "" || e.Request == pipeline.RequestID(a.r.ID)) {
			return
		}
	}
	a.T.Errorf("the ledger of %s has no entry %s %s of run %d: %+v", reports[0].Name(), event, reason, run.Run.ID, reports[0].Entries)
}

func (a *attempt) refused(args []string) {
	a.T.Helper()
	env, reason := args[0], args[1]
	a.notApplied(args)
	a.toldRefused(env, reason)
	event := ledger.Refused
	if reason == string(pipeline.ReasonSuperseded) {
		event = ledger.Superseded
	}
	a.recorded(a.r.Run, "shop", env, event, pipeline.Reason(reason))
	a.verdicts++
}

// unrecorded is refused where the ledger itself is not believed: unrecorded ENV REASON TEXT...
// The apply writes nothing behind its last entry.
func (a *attempt) unrecorded(args []string) {
	a.T.Helper()
	dir := filepath.Join(a.Store, "shop", part(args[0]), "ledger")
	before := len(fixture.ReadChain(a.T, dir))
	a.notApplied(args)
	if after := len(fixture.ReadChain(a.T, dir)); after != before {
		a.T.Errorf("the ledger has %d entries, and had %d", after, before)
	}
	a.toldRefused(args[0], args[1])
	a.verdicts++
}

// notApplied wants that an apply is refused and changes nothing: ENV REASON TEXT...
func (a *attempt) notApplied(args []string) {
	a.T.Helper()
	env := args[0]
	before := a.State("shop/" + part(env))
	refused := a.apply(4, env)
	refused.Want(a.T, "reason="+args[1])
	refused.Says(a.T, args[2:]...)
	if a.State("shop/"+part(env)) != before {
		a.T.Error("a refused apply has changed the state")
	}
}

// toldRefused wants that the customer reads of a refusal once the request is over. That of a plan
// which was applied is reported as applied, whatever was refused since.
func (a *attempt) toldRefused(env, reason string) {
	a.T.Helper()
	a.final()
	printed := a.Statuses(a.r.Trigger.Run.HeadSHA)["infra/terraform-deploy/"+env]
	if reason == "already-applied" {
		if !strings.HasPrefix(printed, "success: Applied") {
			a.T.Errorf("the status of a plan that was applied is %q", printed)
		}
		return
	}
	if strings.HasPrefix(printed, "pending") || reason != "branch-may-not-apply" && reason != "mode-forbids-apply" && strings.HasPrefix(printed, "success") {
		a.T.Errorf("the customer is told %q", printed)
	}
}

func (a *attempt) unreported(args []string) {
	a.T.Helper()
	a.Hub.ResetCalls()
	a.report(4, args[0]).Says(a.T, args[1:]...)
	a.finish(a.r.Run, 4, "shop", a.r.ID).Says(a.T, args[1:]...)
	if writes := a.Writes(); len(writes) != 0 {
		a.T.Errorf("written: %v", writes)
	}
	a.apply(4, args[0]).Want(a.T, "reason=tampered")
	a.recorded(a.r.Run, "shop", args[0], ledger.Refused, pipeline.ReasonTampered)
	a.verdicts++
}

func (a *attempt) disbelieved(args []string) {
	a.T.Helper()
	env := args[0]
	printed := a.report(0, env)
	if status := a.Statuses(a.r.Trigger.Run.HeadSHA)["infra/terraform-deploy/"+env]; !strings.HasPrefix(status, "failure") {
		a.T.Errorf("the customer is told %q", status)
	}
	if made := a.Customer.Snapshot().Deployments; len(made) != 0 {
		a.T.Errorf("deployments tell of an apply: %+v", made)
	}
	for _, text := range args[1:] {
		if !strings.Contains(printed.Summary, text) {
			a.T.Errorf("the summary does not say %q:\n%s", text, printed.Summary)
		}
	}
	if strings.Contains(printed.Summary, "evil") {
		a.T.Errorf("the forgery is shown:\n%s", printed.Summary)
	}
	a.recorded(a.r.Run, "shop", env, ledger.Failed, pipeline.ReasonTampered)
	a.verdicts++
}

func (a *attempt) found(args []string) {
	a.T.Helper()
	a.job(a.r.Run).Do(6, "ledger", "--customer", "shop", "--environment", args[0], "--verify").Says(a.T, args[1:]...)
	a.verdicts++
}

func (a *attempt) harmless(args []string) {
	a.T.Helper()
	printed := a.final()
	a.WantNothingPending()
	shown := []string{printed.Summary}
	for _, pr := range a.Customer.Snapshot().Pulls {
		for _, c := range pr.Comments {
			if c.Author == "metapipe-bot" {
				shown = append(shown, c.Body)
			}
		}
	}
	for _, text := range shown {
		for _, problem := range fixture.Misreadings(text) {
			a.T.Error(problem)
		}
		if n := len([]rune(text)); n > 65536 {
			a.T.Errorf("a text has %d characters", n)
		}
	}
	for i, log := range a.Printed() {
		if found := fixture.CommandsIn(log); i%2 == 0 && len(found) > 0 { // behind each log is its summary
			a.T.Errorf("a step writes commands: %q", found)
		}
	}
	for sha := range a.Customer.Snapshot().Statuses {
		for statusContext, status := range a.Statuses(sha) {
			if strings.ContainsFunc(status, fixture.Invisible) || strings.Contains(status, "\n") {
				a.T.Errorf("status %s: %q", statusContext, status)
			}
		}
	}
	a.recorded(a.r.Run, "shop", args[0], ledger.Requested, "")
	a.verdicts++
}

func (a *attempt) shown(args []string) {
	for _, text := range args {
		if !slices.ContainsFunc(a.Printed(), func(s string) bool { return strings.Contains(s, text) }) {
			a.T.Errorf("%q is shown nowhere", text)
		}
	}
}

func (a *attempt) comments(args []string) {
	for _, pr := range a.Customer.Snapshot().Pulls {
		n := 0
		for _, c := range pr.Comments {
			if c.Author == args[1] {
				n++
			}
		}
		if want := args[2]; string(fixture.Must(json.Marshal(pr.Number))(a.T)) == args[0] && string(fixture.Must(json.Marshal(n))(a.T)) != want {
			a.T.Errorf("%d comments by %s on #%s, want %s", n, args[1], args[0], want)
		}
	}
}
