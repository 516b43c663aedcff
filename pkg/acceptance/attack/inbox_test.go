package attack

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// useInbox gives the provider an inbox. The attacker has a token for it alone from here on,
// and each request goes through it: inbox.
func (a *attempt) useInbox([]string) {
	a.T.Helper()
	a.AddInbox(nil)
	a.inbox = a.InboxToken("mallory's")
	a.secrets = append(a.secrets, a.inbox)
}

// byInbox sends a body to the inbox, which forwards it, and returns the manager's run.
func (a *attempt) byInbox(body string) fixture.WorkflowRun {
	a.T.Helper()
	if status, text := a.calls(http.MethodPost, fixture.InboxSlug+"/dispatches", body); status != http.StatusNoContent {
		a.T.Fatalf("GitHub says %d: %s", status, text)
	}
	a.Forwarded(0).Says(a.T, "was forwarded to "+fixture.ManagerSlug)
	return a.Queued()
}

// notForwarded sends the request to the inbox. It refuses it, the manager hears nothing, and
// nothing of it is printed but what TEXT quotes: not-forwarded TEXT [SECRET ...].
func (a *attempt) notForwarded(args []string) {
	a.T.Helper()
	before := a.seenIn(a.Customer)
	if status, text := a.calls(http.MethodPost, fixture.InboxSlug+"/dispatches", a.body(pipeline.DispatchEvent)); status != http.StatusNoContent {
		a.T.Fatalf("GitHub says %d: %s", status, text)
	}
	refused := a.Forwarded(3)
	refused.Says(a.T, args[0])
	for _, hidden := range args[1:] {
		if strings.Contains(fixture.Unmasked(refused.Log), hidden) {
			a.T.Errorf("the inbox prints %q:\n%s", hidden, refused.Log)
		}
	}
	if found := fixture.CommandsIn(refused.Log); len(found) > 0 {
		a.T.Errorf("the step writes commands: %q", found)
	}
	a.WantNoDispatch()
	if a.seenIn(a.Customer) != before {
		a.T.Error("the attacker's repository has changed")
	}
	a.verdicts++
}

// otherEvent sends the request under another event type, which starts nothing:
// other-event TYPE.
func (a *attempt) otherEvent(args []string) {
	a.T.Helper()
	if status, text := a.calls(http.MethodPost, fixture.InboxSlug+"/dispatches", a.body(args[0])); status != http.StatusNoContent {
		a.T.Fatalf("GitHub says %d: %s", status, text)
	}
	if !a.NoRun() {
		a.T.Errorf("the event type %s starts a run", args[0])
	}
	a.verdicts++
}

// denied calls GitHub with the attacker's token, which is not let in: denied METHOD PATH
// STATUS [BODY].
func (a *attempt) denied(args []string) {
	a.T.Helper()
	body := ""
	if len(args) > 3 {
		body = args[3]
	}
	want := fixture.Must(strconv.Atoi(args[2]))(a.T)
	if status, text := a.calls(args[0], args[1], body); status != want || strings.Contains(text, "northwind") {
		a.T.Errorf("%s %s is answered with %d and not %d: %s", args[0], args[1], status, want, text)
	}
	a.verdicts++
}

// calls calls GitHub with the attacker's token for requests.
func (a *attempt) calls(method, path, body string) (status int, text string) {
	a.T.Helper()
	call := fixture.Must(http.NewRequestWithContext(a.T.Context(), method, a.Hub.URL()+"/repos/"+path, strings.NewReader(body)))(a.T)
	call.Header.Set("Authorization", "Bearer "+a.sendToken())
	call.Header.Set("Content-Type", "application/json")
	answer := fixture.Must(http.DefaultClient.Do(call))(a.T)
	raw := fixture.Must(io.ReadAll(answer.Body))(a.T)
	fixture.Check(a.T, answer.Body.Close())
	return answer.StatusCode, string(raw)
}

// sendToken is the attacker's token for requests: for the inbox, or for the manager itself.
func (a *attempt) sendToken() string {
	if a.inbox != "" {
		return a.inbox
	}
	a.sent++
	return a.Token(hub.Token{Name: fmt.Sprintf("mallory %d", a.sent), Kind: hub.FineGrained, User: "metapipe-bot", Repositories: []string{fixture.ManagerSlug}, Permissions: fixture.Permissions("", "contents")})
}
