package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/spacelift"
	client "github.com/metapipe/metapipe/pkg/spacelift"
)

// lift is a ward with an account of Spacelift.
type lift struct {
	*ward
	account  *spacelift.Server
	endpoint string
	answer   atomic.Pointer[func(http.ResponseWriter, *http.Request) bool] // before the account; true: it has answered
}

const apiSecret = "the-secret-of-the-api-key"

func newLift(t *testing.T) *lift {
	t.Helper()
	l := &lift{ward: newWard(t)}
	l.account = l.newAccount()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := l.answer.Load(); answer == nil || !(*answer)(w, r) {
			l.account.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	l.endpoint = server.URL
	l.manage()
	l.environ = append(l.environ, "SPACELIFT_API_KEY_ID=key-1", "SPACELIFT_API_KEY_SECRET="+apiSecret)
	return l
}

// newAccount is an account without stacks.
func (l *lift) newAccount() *spacelift.Server {
	account := spacelift.New(func() time.Time { return time.Now().Add(l.later) })
	account.AddSpace("infra-01", "Infrastructure", "root")
	account.AddKey("key-1", apiSecret, spacelift.Rights{Spaces: []string{"infra-01"}})
	account.AddKey("person", "secret", spacelift.Rights{Admin: true})
	account.AddPolicy("require-approval", "Approval", "APPROVAL", "infra-01")
	account.AddPolicy("tags", "Tags", "PLAN", "infra-01")
	account.AddContext("aws", "AWS", "infra-01")
	account.AddWorkerPool("pool-1", "Pool", "infra-01")
	return account
}

// person sends a request as a person with all rights.
func (l *lift) person(document string, variables map[string]any) {
	l.t.Helper()
	token := ""
	for _, one := range []map[string]any{{"query": `mutation($id: ID!, $secret: String!){apiKeyUser(id: $id, secret: $secret){jwt}}`, "variables": map[string]any{"id": "person", "secret": "secret"}}, {"query": document, "variables": variables}} {
		body, err := json.Marshal(one)
		l.good(err)
		r := httptest.NewRequestWithContext(l.t.Context(), http.MethodPost, "/graphql", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		l.account.ServeHTTP(w, r)
		var answer struct {
			Data struct {
				User struct {
					JWT string `json:"jwt"`
				} `json:"apiKeyUser"`
			}
			Errors []any
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || len(answer.Errors) > 0 {
			l.t.Fatalf("%s: %v %s", document, err, w.Body)
		}
		token = answer.Data.User.JWT
	}
}

// writes are the mutations since the requests were forgotten, but for logins.
func (l *lift) writes() (names []string) {
	for _, r := range l.account.Requests() {
		if r.Kind == "mutation" && r.Operation != "apiKeyUser" {
			names = append(names, r.Operation)
		}
	}
	return names
}

// value is a value of a stack with its text.
func value(s spacelift.Stack, id string) (text string, secret, there bool) {
	for _, e := range s.Config {
		if e.ID != id {
			continue
		}
		text = e.Value
		if raw, err := base64.StdEncoding.DecodeString(e.Value); err == nil && e.Type == "FILE_MOUNT" {
			text = string(raw)
		}
		return text, e.WriteOnly, true
	}
	return "", false, false
}

func policiesOf(s spacelift.Stack) []string {
	var ids []string
	for _, a := range s.Policies {
		ids = append(ids, a.Of)
	}
	slices.Sort(ids)
	return ids
}

// manage writes metapipe.yml, and the root of two stacks of which the second needs the first.
func (l *lift) manage() {
	l.t.Helper()
	l.ward.write(filepath.Join(l.dir, "metapipe.yml"), fmt.Sprintf(`state:
  directory: %s
  backend: {type: gcs, config: {bucket: states, prefix: "{{ customer }}/{{ environment }}/{{ stack }}"}}
environments: [{name: staging}, {name: production, gated: true}]
tool: {name: tofu, version: "~> 1.8"}
schema: schema.json
properties: {}
customer_variables: ["*"]
stacks:
  - {name: network, root: network, runner: spacelift}
  - {name: hosts, root: hosts, runner: spacelift, needs: [network]}
spacelift:
  endpoint: %s
  space: infra-01
  branch: main
  approval_policy: require-approval
  policies: [tags]
  contexts: [aws]
`, l.states, l.endpoint))
	l.ward.write(filepath.Join(l.dir, "schema.json"), `{"type": "object"}`)
	for _, root := range []string{"network", "hosts"} {
		l.good(os.MkdirAll(filepath.Join(l.dir, root), 0o700))
	}
	l.ward.write(filepath.Join(l.dir, "network", "main.tf"), `variable "environment" {}
variable "size" { default = 1 }
variable "password" {
  default   = ""
  sensitive = true
}
variable "tags" { default = {} }
output "id" { value = "net-${var.environment}" }
`)
	l.ward.write(filepath.Join(l.dir, "hosts", "main.tf"), `variable "network" { type = any }
variable "environment" {}
output "id" { value = var.network.id }
`)
	l.customerWrites("size: 3\npassword: hunter2-of-shop\ntags: {team: \"${x}\"}\nenvironments:\n  staging: {}\n  production: {size: 9}\n")
}

func (l *lift) customerWrites(text string) {
	l.t.Helper()
	_, err := l.customer.Commit("main", hub.Change{Message: "Change", Author: "robin", Files: map[string]hub.File{"infra/variables.yml": {Content: []byte(text)}}})
	l.good(err)
}

func (l *lift) args(more ...string) []string {
	return append([]string{"spacelift", "sync", "--manager-dir", l.dir, "--repository", "provider/infra"}, more...)
}

// sync runs spacelift sync --apply and returns what it has done.
func (l *lift) sync(want int, more ...string) provision.Report {
	l.t.Helper()
	var r provision.Report
	l.good(json.Unmarshal([]byte(l.run(want, l.args(append([]string{"--apply", "--max-changes", "9", "--json"}, more...)...)...)), &r))
	return r
}

func statusesOf(r provision.Report) string {
	var lines []string
	for _, row := range r.Rows {
		lines = append(lines, fmt.Sprintf("%s %s %s", row.Name, provision.Verb(row.Row), row.Status))
	}
	return strings.Join(lines, "\n")
}

func (l *lift) stack(id string) spacelift.Stack {
	l.t.Helper()
	s, there := l.account.Stack(id)
	if !there {
		l.t.Fatalf("there is no stack %s", id)
	}
	return s
}

// TestSpaceliftSync: stacks are made, the second run writes nothing, and outputs reach the stacks that need them.
func TestSpaceliftSync(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	shown := l.run(0, l.args()...)
	for _, has := range []string{"mp-shop-staging-network: create, planned", `POST {"operationName":"StackCreate"`, `"projectRoot":"network"`, "*** ("} {
		if !strings.Contains(shown, has) {
			t.Errorf("the plan lacks %q:\n%s", has, shown)
		}
	}
	if strings.Contains(shown, "hunter2") || strings.Contains(shown, apiSecret) || len(l.writes()) > 0 {
		t.Errorf("a plan shows secrets or writes: %v\n%s", l.writes(), shown)
	}
	first := l.sync(0)
	want := "mp-shop-staging-network create written\nmp-shop-staging-hosts create written\nmp-shop-production-network create written\nmp-shop-production-hosts create written"
	if diff := cmp.Diff(want, statusesOf(first)); diff != "" {
		t.Error(diff)
	}
	got := l.stack("mp-shop-production-network")
	if got.Disabled || got.Autodeploy || got.ManagesState || !got.ProtectFromDeletion || got.Vendor.Settings["version"] != ">=1.8.0 <2.0.0" || got.Vendor.Kind != "opentofu" || got.ProjectRoot != "network" || got.Repository != "infra" || got.Namespace != "provider" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([]string{"require-approval", "tags"}, policiesOf(got)); diff != "" {
		t.Error(diff)
	}
	labels := []string{"customer:acme/shop", "environment:production", "managed-by:infrastructure-manager", "metapipe-target:shop/production/network", "metapipe:provider/infra", "tool:tofu"}
	if diff := cmp.Diff(labels, got.Labels); diff != "" {
		t.Error(diff)
	}
	l.checkValues(got)
	if waits := l.stack("mp-shop-staging-hosts"); !waits.Disabled || len(waits.Dependencies) != 1 || waits.Dependencies[0].DependsOn != "mp-shop-staging-network" {
		t.Errorf("hosts has no outputs to read yet: %+v", waits)
	}
	l.account.ResetRequests()
	if again := l.sync(0); again.Count(change.Same) != 4 || len(l.writes()) > 0 {
		t.Errorf("the second run: %s\n%v", statusesOf(again), l.writes())
	}
	l.account.SetOutputs("mp-shop-staging-network", spacelift.Output{ID: "id", Value: `"net-staging"`}, spacelift.Output{ID: "key", Value: `"hidden"`, Sensitive: true})
	l.sync(0)
	hosts := l.stack("mp-shop-staging-hosts")
	if text, _, _ := value(hosts, "source/hosts/zzzz_metapipe.auto.tfvars.json"); hosts.Disabled || !strings.Contains(text, `"id": "net-staging"`) || strings.Contains(text, "hidden") {
		t.Errorf("%+v", hosts)
	}
}

// checkValues looks at what the runs of production/network get.
func (l *lift) checkValues(got spacelift.Stack) {
	l.t.Helper()
	for id, want := range map[string]string{"TF_VAR_size": "9", "TF_VAR_environment": "production", "TF_VAR_password": "hunter2-of-shop"} {
		if text, secret, _ := value(got, id); text != want || secret != (id == "TF_VAR_password") {
			l.t.Errorf("%s: %q, write-only %t", id, text, secret)
		}
	}
	if _, _, there := value(got, "TF_VAR_tags"); there {
		l.t.Error("an object is no variable of the environment")
	}
	for id, has := range map[string]string{
		"source/network/source-variables.yml":              "hunter2-of-shop",
		"source/network/metapipe_backend_override.tf.json": `"prefix":"shop/production/network"`,
		"source/network/zzzz_metapipe.auto.tfvars.json":    `"team": "${x}"`,
	} {
		if text, secret, _ := value(got, id); !secret || !strings.Contains(text, has) {
			l.t.Errorf("%s: %q, write-only %t", id, text, secret)
		}
	}
}

// TestSpaceliftPushWhileSyncing: wherever a sync is killed, a run that a push has started of a stack without its values
// applies nothing and is discarded, and the next sync ends the same.
func TestSpaceliftPushWhileSyncing(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	incomplete := 0
	step := 1
	for n := 2; ; n += step { // the first requests only read
		if n > 18 {
			step = 5 // the first stack is made; the others are made alike
		}
		l.account = l.newAccount()
		l.account.Fault(spacelift.Fault{Skip: n, Kind: spacelift.GraphQLError, Message: "internal error"})
		_, _, _ = l.try(t.Context(), l.args("--apply", "--max-changes", "9")...)
		if !slices.ContainsFunc(l.account.Requests(), func(r spacelift.Request) bool { return slices.Contains(r.Errors, "internal error") }) {
			break // it was over before
		}
		l.goOn()
		l.later += 6 * time.Minute // a claim of the run that was killed has ended
		l.sync(0)
		l.goOn()
		incomplete += l.runsWithoutValues()
		l.account.ResetRequests()
		if again := l.sync(0); again.Count(change.Same) != 4 || len(l.writes()) > 0 {
			t.Fatalf("killed at request %d: %s", n, statusesOf(again))
		}
	}
	if incomplete == 0 {
		t.Error("no run of an incomplete stack was started: nothing was tried")
	}
}

// goOn pushes to the manager's repository, and lets the runs go on.
func (l *lift) goOn() {
	l.account.Push("provider/infra", "main", strings.Repeat("a", 40))
	for range 8 {
		l.account.Step()
	}
}

// runsWithoutValues counts the runs that began while their stack had no values. Each of them must be discarded.
func (l *lift) runsWithoutValues() (n int) {
	l.t.Helper()
	for _, id := range l.account.Stacks() {
		s := l.stack(id)
		for _, r := range s.Runs {
			if slices.ContainsFunc(r.Config, func(e spacelift.ConfigElement) bool { return e.ID == "source/"+s.ProjectRoot+"/source-variables.yml" }) {
				continue
			}
			if n++; r.State != "DISCARDED" {
				l.t.Errorf("a run of %s without its values is %s", id, r.State)
			}
		}
	}
	return n
}

// TestSpaceliftFaults: after each kind of fault at each request, a sync ends as it should or says what is not done, and
// the next one ends it.
func TestSpaceliftFaults(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]spacelift.FaultKind{"502": spacelift.BadGateway, "cut": spacelift.TimeoutAfterWrite, "429": spacelift.Throttle, "expired": spacelift.ExpireToken, "garbage": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLift(t)
			operations := []string{"searchStacks", "stackCreate", "stackDisable", "stackConfigAdd", "policyAttach", "contextAttach", "stackDependencyCreate", "stackEnable"}
			for _, operation := range operations {
				if kind > 0 && (kind != spacelift.ExpireToken || operation != "searchStacks") { // a token that was never good is no token
					l.account.Fault(spacelift.Fault{Operation: operation, Kind: kind})
				}
			}
			if kind == 0 {
				l.garble(operations)
			}
			stdout, stderr, code := l.try(t.Context(), l.args("--apply", "--max-changes", "9")...)
			if code != 0 {
				t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, apiSecret) {
				t.Error("the secret is shown")
			}
			l.account.ResetRequests()
			if again := l.sync(0); again.Count(change.Same) != 4 || len(l.writes()) > 0 {
				t.Errorf("%s\n%v", statusesOf(again), l.writes())
			}
		})
	}
}

// garble lets the first answer to each operation be lost: it is done, and what comes back is no JSON.
func (l *lift) garble(operations []string) {
	left := map[string]bool{}
	for _, operation := range operations {
		left["{"+operation+"("] = true
	}
	var mu sync.Mutex
	answer := func(w http.ResponseWriter, r *http.Request) bool {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return false
		}
		r.Body = io.NopCloser(bytes.NewReader(raw))
		mu.Lock()
		defer mu.Unlock()
		for operation := range left {
			if strings.Contains(string(raw), operation) {
				delete(left, operation)
				l.account.ServeHTTP(httptest.NewRecorder(), r)
				_, _ = w.Write([]byte("<html>")) // who asked is gone
				return true
			}
		}
		return false
	}
	l.answer.Store(&answer)
}

// TestSpaceliftByHand: what people have changed is taken back, and what metapipe does not own stays.
func TestSpaceliftByHand(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	l.sync(0)
	const id = "mp-shop-staging-network"
	before := l.stack(id)
	l.good(l.account.EditConfig(id, "TF_VAR_size", "7"))
	l.good(l.account.EditConfig(id, "TF_VAR_old", "7"))
	l.good(l.account.EditConfig(id, "AWS_REGION", "eu-west-1"))
	l.good(l.account.SetAutodeploy(id, true))
	l.good(l.account.SetLabels(id, append(slices.Clone(before.Labels), "feature:own")...))
	l.person(`mutation($id: ID!){policyDetach(id: $id){id}}`, map[string]any{"id": before.Policies[slices.IndexFunc(before.Policies, func(a spacelift.Attachment) bool { return a.Of == "tags" })].ID})
	l.customize(id)
	shown := l.run(0, l.args()...)
	for _, line := range []string{"autodeploy: true → false", "TF_VAR_size: changed", "TF_VAR_old: removed", `policies: [] → ["tags"]`} {
		if !strings.Contains(shown, line) {
			t.Errorf("the plan lacks %q:\n%s", line, shown)
		}
	}
	l.sync(0)
	got := l.stack(id)
	size, _, _ := value(got, "TF_VAR_size")
	region, _, _ := value(got, "AWS_REGION")
	if got.Autodeploy || got.Disabled || size != "3" || region != "eu-west-1" || !slices.Contains(got.Labels, "feature:own") || !slices.Equal(policiesOf(got), []string{"tags"}) {
		t.Errorf("%+v", got)
	}
	if got.RunnerImage != "registry/own:1" || !slices.Equal(got.Hooks["beforeInit"], []string{"echo hi"}) {
		t.Errorf("an update resets what others have set: %+v", got)
	}
	if _, _, there := value(got, "TF_VAR_old"); there {
		t.Error("a variable that nothing asks for is left")
	}
}

// customize sets what metapipe does not own.
func (l *lift) customize(id string) {
	l.t.Helper()
	found, _, err := l.client().Stack(l.t.Context(), id)
	l.good(err)
	kept := strings.Replace(string(found.Kept), `"input":{`, `"input":{"runnerImage":"registry/own:1","beforeInit":["echo hi"],`, 1)
	found.Stack.Labels = found.Labels
	l.good(l.client().Do(l.t.Context(), id, provision.Step{Action: provision.Update, Stack: found.Stack, Kept: json.RawMessage(kept)}))
}

// client is one of the API key.
func (l *lift) client() *client.Client {
	l.t.Helper()
	c, err := client.New(client.Options{Endpoint: l.endpoint, KeyID: "key-1", Secret: func(context.Context) (string, error) { return apiSecret, nil }})
	l.good(err)
	return c
}

// TestSpaceliftUnwanted: a stack that nothing asks for is disabled and named; remove deletes it.
func TestSpaceliftUnwanted(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	l.sync(0)
	remove := func(want int, id string, more ...string) string {
		t.Helper()
		stdout, stderr, code := l.try(t.Context(), append([]string{"spacelift", "remove", id, "--manager-dir", l.dir, "--repository", "provider/infra", "--wait", "0s"}, more...)...)
		if code != want {
			t.Fatalf("exit code %d, want %d\n%s%s", code, want, stdout, stderr)
		}
		return stdout + stderr
	}
	const id = "mp-shop-staging-network"
	if said := remove(4, id, "--apply"); !strings.Contains(said, "still ask for it") {
		t.Error(said)
	}
	file := filepath.Join(l.dir, "customers", "shop.yml")
	l.ward.write(file, strings.TrimSpace(l.text(file))+"\nrunner: actions\n")
	if said := remove(4, id, "--apply"); !strings.Contains(said, "it is enabled") {
		t.Error(said)
	}
	off := l.sync(0)
	if got := l.stack(id); !got.Disabled || !strings.Contains(statusesOf(off), id+" disable written") || len(off.Findings) != 4 {
		t.Errorf("%+v\n%s\n%v", got, statusesOf(off), off.Findings)
	}
	l.good(l.account.SetLabels(id, "metapipe:someone/else"))
	if said := remove(4, id, "--apply"); !strings.Contains(said, "does not belong to this manager") {
		t.Error(said)
	}
	const other = "mp-shop-production-hosts"
	if said := remove(0, other); !strings.Contains(said, "nothing is removed") || !l.there(other) {
		t.Error(said)
	}
	if said := remove(5, other, "--apply"); !strings.Contains(said, "still deleting") {
		t.Error(said)
	}
	l.account.Step()
	if said := remove(2, other, "--apply"); !strings.Contains(said, "no stack") || l.there(other) {
		t.Error(said)
	}
}

func (l *lift) there(id string) bool { return slices.Contains(l.account.Stacks(), id) }

func (l *lift) text(file string) string {
	l.t.Helper()
	raw, err := os.ReadFile(file)
	l.good(err)
	return string(raw)
}

// TestSpaceliftDestroyFails: a deletion that Spacelift gives up is told.
func TestSpaceliftDestroyFails(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	l.sync(0)
	file := filepath.Join(l.dir, "customers", "shop.yml")
	l.ward.write(file, strings.TrimSpace(l.text(file))+"\nrunner: actions\n")
	l.sync(0)
	const id = "mp-shop-production-hosts"
	l.account.Plan(func(spacelift.Stack, spacelift.Run) spacelift.Delta { return spacelift.Delta{Err: "exit status 1"} })
	answer := func(http.ResponseWriter, *http.Request) bool { l.account.Step(); return false }
	l.answer.Store(&answer)
	_, stderr, code := l.try(t.Context(), "spacelift", "remove", id, "--manager-dir", l.dir, "--repository", "provider/infra", "--destroy-resources", "--apply", "--wait", "1h")
	if code != 1 || !strings.Contains(stderr, "could not be destroyed") || !l.there(id) {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// TestSpaceliftEcho: an error of Spacelift that repeats a secret value is not quoted.
func TestSpaceliftEcho(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	encoded := base64.StdEncoding.EncodeToString([]byte("hunter2-of-shop"))
	l.account.Fault(spacelift.Fault{Operation: "stackConfigAdd", Skip: 1, Kind: spacelift.GraphQLError, Message: "could not store hunter2-of-shop\nor " + encoded})
	stdout, stderr, code := l.try(t.Context(), l.args("--apply", "--max-changes", "9")...)
	if code != 1 || !strings.Contains(stdout, "set value TF_VAR_password of mp-shop-staging-network") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, secret := range []string{"hunter2", encoded} {
		if strings.Contains(stdout+stderr, secret) {
			t.Errorf("%s is shown:\n%s%s", secret, stdout, stderr)
		}
	}
}

// TestSpaceliftAutodeploy: autodeploy is on only where nothing asks for an approval: neither metapipe.yml nor a policy of
// the stack, whoever has attached it.
func TestSpaceliftAutodeploy(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	file := filepath.Join(l.dir, "metapipe.yml")
	l.ward.write(file, strings.Replace(l.text(file), "{name: staging}", "{name: staging, auto_deploy: allowed}", 1))
	l.customer.SetProperties(hub.Properties{"spacelift_auto_deploy": "true"})
	l.sync(0)
	const id = "mp-shop-staging-network"
	if !l.stack(id).Autodeploy || l.stack("mp-shop-production-network").Autodeploy {
		t.Errorf("staging %t, production %t", l.stack(id).Autodeploy, l.stack("mp-shop-production-network").Autodeploy)
	}
	l.person(`mutation($id: ID!, $stack: ID!){policyAttach(id: $id, stack: $stack){id}}`, map[string]any{"id": "require-approval", "stack": id})
	if r := l.sync(0); l.stack(id).Autodeploy || !strings.Contains(fmt.Sprint(r.Findings), "autodeploy stays off") {
		t.Errorf("autodeploy and an approval policy together: %v", r.Findings)
	}
	l.account = l.newAccount()
	l.later += 6 * time.Minute
	l.ward.write(file, strings.Replace(l.text(file), "policies: [tags]", "policies: [require-approval]", 1))
	if l.sync(0); l.stack(id).Autodeploy {
		t.Error("autodeploy and an approval policy of metapipe.yml together")
	}
}

// TestSpaceliftTwice: of two that run at once, each stack is written by one; together or with a third one they end as one
// alone.
func TestSpaceliftTwice(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, stderr, code := l.try(t.Context(), l.args("--apply", "--max-changes", "9")...); code != 0 && code != 4 && code != 1 {
				t.Errorf("exit code %d\n%s", code, stderr)
			}
		})
	}
	both.Wait()
	created := map[string]int{}
	for _, r := range l.account.Requests() {
		var in struct{ Slug string }
		if r.Operation == "stackCreate" && json.Unmarshal(r.Variables, &in) == nil {
			created[in.Slug]++
		}
	}
	for id, n := range created {
		if n > 1 {
			t.Errorf("%s was created %d times", id, n)
		}
	}
	l.later += 6 * time.Minute
	l.sync(0)
	l.account.ResetRequests()
	if again := l.sync(0); again.Count(change.Same) != 4 || len(l.writes()) > 0 {
		t.Errorf("%s", statusesOf(again))
	}
}

// TestSpaceliftNotOurs: a stack with the id that lacks the label is not touched; a space that the key does not see is told.
func TestSpaceliftNotOurs(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	l.sync(0)
	const id = "mp-shop-staging-network"
	l.good(l.account.SetLabels(id, "x"))
	r := l.sync(4)
	if !strings.Contains(fmt.Sprint(r.Findings), "lacks the label metapipe:provider/infra") || strings.Contains(statusesOf(r), id) {
		t.Errorf("%v\n%s", r.Findings, statusesOf(r))
	}
	l.ward.write(filepath.Join(l.dir, "metapipe.yml"), strings.Replace(l.text(filepath.Join(l.dir, "metapipe.yml")), "space: infra-01", "space: other-01", 1))
	stdout, stderr, code := l.try(t.Context(), l.args("--apply", "--max-changes", "9")...)
	if code != 4 || !strings.Contains(stdout+stderr, "a space has an id beside its name") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestSpaceliftFleet: five hundred stacks are read with at most twelve requests.
func TestSpaceliftFleet(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	l.sync(0)
	client := l.client()
	found, _, err := client.Stack(t.Context(), "mp-shop-staging-network")
	l.good(err)
	found.Stack.Labels = found.Labels
	for i := range 496 {
		l.good(client.Do(t.Context(), fmt.Sprintf("mp-shop-staging-network-%04d", i), provision.Step{Action: provision.Create, Stack: found.Stack}))
	}
	l.account.ResetRequests()
	l.sync(4)
	if n := len(l.account.Requests()); n > 12+1 { // and one for each stack whose labels name another target
		t.Errorf("%d requests", n)
	}
}
