package attack

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// changeEvent changes fields of the event file of the present run:
// event FIELD.FIELD=JSON ...
func (a *attempt) changeEvent(changes []string) {
	a.T.Helper()
	event := map[string]any{}
	fixture.Check(a.T, json.Unmarshal(a.run.Event, &event))
	for _, change := range changes {
		field, text, ok := strings.Cut(change, "=")
		if !ok {
			a.T.Fatalf("%q is not FIELD=JSON", change)
		}
		var value any
		fixture.Check(a.T, json.Unmarshal([]byte(text), &value))
		at := event
		names := strings.Split(field, ".")
		for _, name := range names[:len(names)-1] {
			below, ok := at[name].(map[string]any)
			if !ok {
				a.T.Fatalf("the event has no object %s of %s", name, field)
			}
			at = below
		}
		at[names[len(names)-1]] = value
	}
	a.run.Event = fixture.Must(json.Marshal(event))(a.T)
}

// unsent runs the attacker's own trigger: it sends nothing, says why, and leaves no
// green status that the commit did not have: unsent EXIT TEXT [FLAG ...].
func (a *attempt) unsent(args []string) {
	a.T.Helper()
	exit, err := strconv.Atoi(args[0])
	fixture.Check(a.T, err)
	fixture.Check(a.T, os.MkdirAll(a.Store, 0o700)) // nothing comes that far here
	before := a.Statuses(a.values["COMMIT"])
	end := a.job(a.run).Do(exit, append([]string{"trigger", "--wait", "1m"}, args[2:]...)...)
	if !strings.Contains(end.Log, args[1]) {
		a.T.Errorf("trigger %v does not say %q:\n%s", args[2:], args[1], end.Log)
	}
	a.WantNoDispatch()
	for statusContext, status := range a.Statuses(a.values["COMMIT"]) {
		if strings.HasPrefix(status, "success") && status != before[statusContext] {
			a.T.Errorf("trigger %v: %s says %q", args[2:], statusContext, status)
		}
	}
	a.verdicts++
}

// idle is the verdict that the manager takes the request for one that deploys nothing,
// and that its status says why: idle TEXT...
func (a *attempt) idle(args []string) {
	a.T.Helper()
	a.accepted([]string{"targets=[]", "applies=[]"})
	a.final().Want(a.T, "outcome=success")
	for _, text := range args {
		if status := a.Statuses(a.run.SHA)["infra/terraform-deploy"]; !strings.Contains(status, text) {
			a.T.Errorf("the status says %q, and not %q", status, text)
		}
	}
	a.verdicts++
}

// closePull closes the attacker's pull request: close-pull [merge].
func (a *attempt) closePull(args []string) {
	a.T.Helper()
	number := fixture.Must(strconv.Atoi(a.values["PULL"]))(a.T)
	if len(args) > 0 {
		fixture.Must(a.Customer.MergePull(number, hub.MergeCommit, "casey"))(a.T)
		return
	}
	fixture.Check(a.T, a.Customer.ClosePull(number))
}

// superseded sends the request, which comes too late to be planned: superseded TEXT...
func (a *attempt) superseded(args []string) {
	a.T.Helper()
	run := a.dispatches()
	a.noteRun(run)
	fetched, _ := a.prepare(run, 0)
	fetched.Want(a.T, "outcome=superseded", "reason=superseded", "targets=[]", "applies=[]")
	fetched.Says(a.T, args...)
	a.finish(run, 0, "shop", fetched.Outputs["request-id"])
	a.notGreen([]string{a.values["COMMIT"]})
	a.WantNothingPending()
	a.verdicts++
}

// red gives the present commit the failure of an earlier request.
func (a *attempt) red([]string) {
	secret := a.Token(hub.Token{Name: "red", Kind: hub.Actions, Repositories: []string{fixture.CustomerSlug}, Permissions: fixture.Permissions("", "statuses")})
	body := strings.NewReader(`{"context":"infra/terraform-deploy","state":"failure","description":"1 of 2 failed (00000000)"}`)
	post := fixture.Must(http.NewRequestWithContext(a.T.Context(), http.MethodPost, a.Hub.URL()+"/repos/"+fixture.CustomerSlug+"/statuses/"+a.values["COMMIT"], body))(a.T)
	post.Header.Set("Authorization", "Bearer "+secret)
	post.Header.Set("Content-Type", "application/json")
	answer := fixture.Must(http.DefaultClient.Do(post))(a.T)
	fixture.Check(a.T, answer.Body.Close())
	if answer.StatusCode != http.StatusCreated {
		a.T.Fatalf("GitHub says %s", answer.Status)
	}
}

// stillRed wants that failure to be the last word: still-red.
func (a *attempt) stillRed([]string) {
	if got := a.Statuses(a.values["COMMIT"])["infra/terraform-deploy"]; !strings.HasPrefix(got, "failure: ") {
		a.T.Errorf("the status says %q", got)
	}
}
