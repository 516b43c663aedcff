package attack

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// attackCommands are the commands of testdata/attack.
var attackCommands = map[string]func(*attempt, []string){
	"push": (*attempt).pushes, "pull": (*attempt).pulls, "from-fork": (*attempt).fromFork, "other-run": (*attempt).otherRun, "end-run": (*attempt).endRun,
	"generate": (*attempt).generate, "symlink": (*attempt).symlink, "later": (*attempt).later, "rename": (*attempt).rename, "transfer": (*attempt).transfer,
	"recreate": (*attempt).recreate, "force-branch": (*attempt).forceBranch, "manager-commit": (*attempt).managerCommit,
	"ask": (*attempt).asks, "ask-as-victim": (*attempt).asksAsVictim, "forge": (*attempt).forges, "sign": (*attempt).signs,
	"rejected": (*attempt).rejected, "answered": (*attempt).answered, "accepted": (*attempt).accepted, "back": (*attempt).back, "misconfigured": (*attempt).misconfigured,
	"plan": (*attempt).plan, "approve": (*attempt).approve, "with-receipt-of": (*attempt).withReceiptOf, "review": (*attempt).review, "with": (*attempt).withVariables, "tool-shows": (*attempt).toolShows, "reviewers": (*attempt).reviewers,
	"keep": (*attempt).keep, "copy": (*attempt).copyObject, "flip": (*attempt).flip, "cut": (*attempt).cut, "edit": (*attempt).edit, "lay": (*attempt).lay, "disbelieved": (*attempt).disbelieved, "reseal": (*attempt).reseal, "remove": (*attempt).removeObjects,
	"rotate": (*attempt).rotate, "not-rekeyed": (*attempt).notRekeyed, "move-stored": (*attempt).moveStored, "serve-module": (*attempt).serveModule, "exchange-module": (*attempt).exchangeModule,
	"take-away": (*attempt).takeAway, "save": (*attempt).save, "lay-back": (*attempt).layBack, "rewrite": (*attempt).rewrite, "rename-customer": (*attempt).renameCustomer, "renamed": (*attempt).renamed, "not-renamed": (*attempt).notRenamed, "unregistered": (*attempt).unregistered, "plan-refused": (*attempt).planRefused, "drifted": (*attempt).drifted,
	"withheld": (*attempt).withheld, "undrifted": (*attempt).undrifted,
	"rewrite-ledger": (*attempt).rewriteLedger, "unrecorded": (*attempt).unrecorded, "paste": (*attempt).paste, "secret": (*attempt).secret, "state": (*attempt).holds,
	"refused": (*attempt).refused, "unreported": (*attempt).unreported, "applied": (*attempt).applied, "failed": (*attempt).failed, "found": (*attempt).found, "harmless": (*attempt).harmless,
	"checkout": (*attempt).checkout, "lose-object": (*attempt).loseObject, "embed": (*attempt).embed, "ran-nothing": (*attempt).ranNothing,
	"put": (*attempt).put, "drop": (*attempt).drop, "foreign-run": (*attempt).foreignRun, "going": (*attempt).going, "swept": (*attempt).swept,
	"untold": (*attempt).untold, "not-green": (*attempt).notGreen, "scanned": (*attempt).scanned, "unexplained": (*attempt).unexplained,
	"comments": (*attempt).comments, "shown": (*attempt).shown,
	"temp-trap": (*attempt).tempTrap, "trap-untouched": (*attempt).trapUntouched, "event": (*attempt).changeEvent, "unsent": (*attempt).unsent, "idle": (*attempt).idle,
	"inbox": (*attempt).useInbox, "not-forwarded": (*attempt).notForwarded, "other-event": (*attempt).otherEvent, "denied": (*attempt).denied,
	"close-pull": (*attempt).closePull, "superseded": (*attempt).superseded, "red": (*attempt).red, "still-red": (*attempt).stillRed,
	"unplanned": (*attempt).unplanned, "properties": (*attempt).properties,
	"small-objects": (*attempt).smallObjects, "take-over": (*attempt).takeOver, "old-job": (*attempt).oldJob, "rename-victim": (*attempt).renameVictim,
}

// asks makes the request of the present run, changed by NAME=VALUE, with a genuine
// signature by that run over the changed request.
func (a *attempt) asks(changes []string) {
	a.extra = map[string]any{}
	a.ask = pipeline.DispatchRequest{Version: 1, Repository: a.Customer.Slug(), RepositoryID: a.Customer.ID(), Path: "infra", Event: a.run.Run.Event,
		Commit: pipeline.SHA(a.run.Run.HeadSHA), Ref: a.run.Ref, Mode: pipeline.ModeApply, RunID: a.run.Run.ID, RunAttempt: a.run.Run.Attempt}
	_, err := fmt.Sscanf(a.run.Ref, "refs/pull/%d/merge", &a.ask.PullRequest)
	if (err == nil) != (a.run.Run.Event == "pull_request") {
		a.T.Fatalf("ref %s of %s", a.run.Ref, a.run.Run.Event)
	}
	a.ask.ID = a.ask.OwnID()
	a.forges(changes)
	if !slices.ContainsFunc(changes, func(c string) bool { return strings.HasPrefix(c, "id=") }) {
		a.ask.ID = a.ask.OwnID() // as the rules have it
	}
	a.signs([]string{"run"})
}

// asksAsVictim makes a request of the victim's run, with all that is true of it.
// The attacker has no token of that run.
func (a *attempt) asksAsVictim(changes []string) {
	v := a.victimRun
	a.extra = map[string]any{}
	a.ask = pipeline.DispatchRequest{Version: 1, Repository: a.victim.Slug(), RepositoryID: a.victim.ID(), Path: "infra", Event: v.Run.Event,
		Commit: pipeline.SHA(v.SHA), Ref: v.Ref, Mode: pipeline.ModeApply, RunID: v.Run.ID, RunAttempt: 1}
	a.ask.ID = a.ask.OwnID()
	a.forges(changes)
	a.proof = map[string]any{}
}

// forges changes the request and leaves its signature as it was. A field that there
// is not is added, as JSON.
func (a *attempt) forges(changes []string) {
	a.T.Helper()
	fields := map[string]any{}
	fixture.Check(a.T, json.Unmarshal(fixture.Must(json.Marshal(a.ask))(a.T), &fields))
	for _, change := range changes {
		name, value, ok := strings.Cut(change, "=")
		if !ok {
			a.T.Fatalf("%q is not NAME=VALUE", change)
		}
		if _, known := fields[name]; !known && name != "customer" {
			a.extra[name] = json.RawMessage(value)
			continue
		}
		if _, number := fields[name].(float64); number {
			fields[name] = json.RawMessage(value)
		} else {
			fields[name] = value
		}
	}
	fixture.Check(a.T, json.Unmarshal(fixture.Must(json.Marshal(fields))(a.T), &a.ask))
}

// idToken gets a genuine token of a run from an issuer.
func (a *attempt) idToken(server *hubtest.Server, j hub.IDTokenJob, audience string) string {
	a.T.Helper()
	j.Job = "trigger"
	address, bearer, err := server.OpenJob(j)
	fixture.Check(a.T, err)
	get := fixture.Must(http.NewRequestWithContext(a.T.Context(), http.MethodGet, address+"&audience="+url.QueryEscape(audience), nil))(a.T)
	get.Header.Set("Authorization", "Bearer "+bearer)
	answer := fixture.Must(http.DefaultClient.Do(get))(a.T)
	body := fixture.Must(io.ReadAll(answer.Body))(a.T)
	fixture.Check(a.T, answer.Body.Close())
	var token struct{ Value string }
	fixture.Check(a.T, json.Unmarshal(body, &token))
	if token.Value == "" {
		a.T.Fatalf("no token: %s", body)
	}
	return token.Value
}

// signs replaces the signature: sign HOW [AUDIENCE].
func (a *attempt) signs(args []string) {
	a.T.Helper()
	audience := a.ask.Audience(pipeline.Slug{Owner: "provider", Name: "infra"})
	if len(args) > 1 {
		audience = args[1]
	}
	own := hub.IDTokenJob{Repo: a.run.Repo, RunID: a.run.Run.ID, Ref: a.run.Ref, SHA: a.run.SHA, HeadRef: a.run.Head, BaseRef: a.run.Base}
	token := ""
	switch args[0] {
	case "run":
		token = a.idToken(a.Hub, own, audience)
	case "none":
		a.proof = map[string]any{}
		return
	case "reusable":
		own.JobWorkflowRef = "mallory/tools/.github/workflows/build.yml@refs/heads/main"
		token = a.idToken(a.Hub, own, audience)
	case "other-issuer":
		token = a.signedElsewhere(audience)
	case "alg-none":
		token = encoded(map[string]any{"alg": "none", "typ": "JWT"}) + "." + claimsOf(a.idToken(a.Hub, own, audience)) + "."
	case "alg-none-padded":
		token = encoded(map[string]any{"alg": "none", "typ": "JWT"}) + "." + claimsOf(a.idToken(a.Hub, own, audience)) + ".e30"
	case "public-key":
		token = a.signedWithPublicKey(a.idToken(a.Hub, own, audience))
	case "unknown-key":
		token = signedBy(a, a.idToken(a.Hub, own, audience), "of-mallory")
	case "stolen-key-id":
		token = signedBy(a, a.idToken(a.Hub, own, audience), "")
	default:
		a.T.Fatalf("sign %q?", args[0])
	}
	a.proof = map[string]any{"token": token}
	a.secrets = append(a.secrets, token) // must not lie anywhere
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func claimsOf(token string) string { return strings.Split(token, ".")[1] }

// signedBy signs the claims of a genuine token with a key of the attacker's. An
// empty id is the genuine one's.
func signedBy(a *attempt, genuine, id string) string {
	header := map[string]any{}
	fixture.Check(a.T, json.Unmarshal(fixture.Must(base64.RawURLEncoding.DecodeString(strings.Split(genuine, ".")[0]))(a.T), &header))
	if id != "" {
		header["kid"] = id
	}
	signed := encoded(header) + "." + claimsOf(genuine)
	sum := sha256.Sum256([]byte(signed))
	key := fixture.Must(rsa.GenerateKey(rand.Reader, 2048))(a.T)
	return signed + "." + base64.RawURLEncoding.EncodeToString(fixture.Must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]))(a.T))
}

// signedWithPublicKey takes the issuer's published key for a shared secret.
func (a *attempt) signedWithPublicKey(genuine string) string {
	answer := fixture.Must(http.Get(a.Hub.Issuer() + "/.well-known/jwks"))(a.T)
	var set struct{ Keys []struct{ N, Kid string } }
	fixture.Check(a.T, json.NewDecoder(answer.Body).Decode(&set))
	fixture.Check(a.T, answer.Body.Close())
	signed := encoded(map[string]any{"alg": "HS256", "typ": "JWT", "kid": set.Keys[0].Kid}) + "." + claimsOf(genuine)
	mac := hmac.New(sha256.New, fixture.Must(base64.RawURLEncoding.DecodeString(set.Keys[0].N))(a.T))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// signedElsewhere is a token of a GitHub server of the attacker's own, where
// repository, run and commit have the same ids.
func (a *attempt) signedElsewhere(audience string) string {
	other := hubtest.Start(a.T, hub.Options{})
	fixture.Must(other.AddUser(hub.User{Login: "acme", Type: hub.Organization}))(a.T)
	fixture.Must(other.AddUser(hub.User{Login: "casey", Type: hub.Person}))(a.T)
	repo := fixture.Must(other.AddRepo("acme", "shop", hub.RepoOptions{ID: a.Customer.ID(), Private: true}))(a.T)
	sha := fixture.Must(repo.Commit("main", hub.Change{Files: map[string]hub.File{"x": {Content: []byte("x")}}, Message: "x"}))(a.T)
	for {
		run := fixture.Must(repo.StartRun(hub.NewRun{Event: a.run.Run.Event, Path: intake.TriggerWorkflow, HeadSHA: sha, HeadBranch: "main", Actor: "casey", Status: "in_progress"}))(a.T)
		if run.ID >= a.run.Run.ID {
			return a.idToken(other, hub.IDTokenJob{Repo: repo, RunID: run.ID, Ref: a.run.Ref, SHA: a.run.SHA}, audience)
		}
	}
}

// dispatches sends the request with the token for dispatches.
func (a *attempt) dispatches() fixture.WorkflowRun {
	a.T.Helper()
	body := a.body(pipeline.DispatchEvent)
	if a.inbox != "" {
		return a.byInbox(body)
	}
	if status, text := a.calls(http.MethodPost, fixture.ManagerSlug+"/dispatches", body); status != http.StatusNoContent {
		a.T.Fatalf("GitHub says %d: %s", status, text)
	}
	return a.Queued()
}

// body is the present request as the dispatch of an event type.
func (a *attempt) body(eventType string) string {
	a.T.Helper()
	sent := map[string]any{}
	fixture.Check(a.T, json.Unmarshal(fixture.Must(json.Marshal(a.ask))(a.T), &sent))
	proof := "proof"
	for name, value := range a.extra {
		if strings.EqualFold(name, "proof") { // forged in its name only
			proof = name
			continue
		}
		sent[name] = value
	}
	return string(fixture.Must(json.Marshal(map[string]any{"event_type": eventType, "client_payload": map[string]any{"request": sent, proof: a.proof}}))(a.T))
}

// rejected sends the request: no one but the manager hears of it.
// answered sends a request whose origin holds, and which asks for what it may
// not: the customer is told, in their own repository.
// accepted sends a request that is as it should be.
func (a *attempt) accepted(args []string) {
	a.T.Helper()
	run := a.dispatches()
	fetched, _ := a.prepare(run, 0)
	fetched.Want(a.T, append([]string{"outcome=requested", "reason="}, args...)...)
	if a.r != nil {
		a.earlier = append(a.earlier, approved{a.r, a.plans, a.receipts})
	}
	a.r = &fixture.Request{W: a.Setup, Trigger: a.run, Run: run, Customer: fetched.Outputs["customer"], ID: fetched.Outputs["request-id"]}
	a.values["EARLIER"] = a.values["REQUEST"]
	a.noteRun(run)
	a.values["REQUEST"], a.plans, a.receipts = a.r.ID, map[string]fixture.Result{}, map[string]string{}
}

// noteRun remembers the manager's run of the present request.
func (a *attempt) noteRun(run fixture.WorkflowRun) {
	a.managerRun, a.values["MANAGER_RUN"] = run, fmt.Sprint(run.Run.ID)
}

// back goes back to the request that was accepted before.
func (a *attempt) back([]string) {
	last := a.earlier[len(a.earlier)-1]
	a.earlier = a.earlier[:len(a.earlier)-1]
	a.r, a.plans, a.receipts = last.r, last.plans, last.receipts
}

// misconfigured runs fetch-vars on the manager's own new commit, which no request
// gets past.
// recorded looks for what a run has put into a ledger: the fleet's, a customer's
// or a target's.
// later lets time pass: later DURATION.
func (a *attempt) later(args []string) {
	d := fixture.Must(time.ParseDuration(args[0]))(a.T)
	a.clock.Lock()
	defer a.clock.Unlock()
	a.ahead += d
}
