package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// changeEvent changes fields of the event file of the present run:
// event FIELD.FIELD=JSON ...
func (a *attempt) changeEvent(changes []string) {
	a.t.Helper()
	event := map[string]any{}
	check(a.t, json.Unmarshal(a.run.event, &event))
	for _, change := range changes {
		field, text, ok := strings.Cut(change, "=")
		if !ok {
			a.t.Fatalf("%q is not FIELD=JSON", change)
		}
		var value any
		check(a.t, json.Unmarshal([]byte(text), &value))
		at := event
		names := strings.Split(field, ".")
		for _, name := range names[:len(names)-1] {
			below, ok := at[name].(map[string]any)
			if !ok {
				a.t.Fatalf("the event has no object %s of %s", name, field)
			}
			at = below
		}
		at[names[len(names)-1]] = value
	}
	a.run.event = must(json.Marshal(event))(a.t)
}

// unsent runs the attacker's own trigger: it sends nothing, says why, and leaves no
// green status that the commit did not have: unsent EXIT TEXT [FLAG ...].
func (a *attempt) unsent(args []string) {
	a.t.Helper()
	exit, err := strconv.Atoi(args[0])
	check(a.t, err)
	check(a.t, os.MkdirAll(a.store, 0o700)) // nothing comes that far here
	before := a.statuses(a.values["COMMIT"])
	end := a.job(a.run).do(exit, append([]string{"trigger", "--wait", "1m"}, args[2:]...)...)
	if !strings.Contains(end.log, args[1]) {
		a.t.Errorf("trigger %v does not say %q:\n%s", args[2:], args[1], end.log)
	}
	a.wantNoDispatch()
	for statusContext, status := range a.statuses(a.values["COMMIT"]) {
		if strings.HasPrefix(status, "success") && status != before[statusContext] {
			a.t.Errorf("trigger %v: %s says %q", args[2:], statusContext, status)
		}
	}
	a.verdicts++
}

// closePull closes the attacker's pull request: close-pull [merge].
func (a *attempt) closePull(args []string) {
	a.t.Helper()
	number := must(strconv.Atoi(a.values["PULL"]))(a.t)
	if len(args) > 0 {
		must(a.customer.MergePull(number, hub.MergeCommit, "casey"))(a.t)
		return
	}
	check(a.t, a.customer.ClosePull(number))
}

// superseded sends the request, which comes too late to be planned: superseded TEXT...
func (a *attempt) superseded(args []string) {
	a.t.Helper()
	run := a.dispatches()
	a.noteRun(run)
	fetched := a.job(run).do(0, "fetch-vars")
	fetched.want(a.t, "outcome=superseded", "reason=superseded", "environments=[]", "applies=[]")
	fetched.says(a.t, args...)
	a.job(run).do(0, "report", "--customer", "shop", "--request", fetched.outputs["request-id"], "--final")
	a.notGreen([]string{a.values["COMMIT"]})
	a.wantNothingPending()
	a.verdicts++
}

// red gives the present commit the failure of an earlier request.
func (a *attempt) red([]string) {
	secret := a.token(hub.Token{Name: "red", Kind: hub.Actions, Repositories: []string{customerSlug}, Permissions: permissions("", "statuses")})
	body := strings.NewReader(`{"context":"infra/terraform-deploy","state":"failure","description":"1 of 2 failed (00000000)"}`)
	post := must(http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.hub.URL()+"/repos/"+customerSlug+"/statuses/"+a.values["COMMIT"], body))(a.t)
	post.Header.Set("Authorization", "Bearer "+secret)
	post.Header.Set("Content-Type", "application/json")
	answer := must(http.DefaultClient.Do(post))(a.t)
	check(a.t, answer.Body.Close())
	if answer.StatusCode != http.StatusCreated {
		a.t.Fatalf("GitHub says %s", answer.Status)
	}
}

// stillRed wants that failure to be the last word: still-red.
func (a *attempt) stillRed([]string) {
	if got := a.statuses(a.values["COMMIT"])["infra/terraform-deploy"]; !strings.HasPrefix(got, "failure: ") {
		a.t.Errorf("the status says %q", got)
	}
}
