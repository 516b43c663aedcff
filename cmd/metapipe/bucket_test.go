package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// tenant is a step's view of a real S3 server: the bucket of the manager, and the
// credentials of one role.
type tenant struct {
	t      *testing.T
	server *miniotest.Server
	bucket pipeline.Bucket
}

// as is the environment of a hosted job with the role of a command, cut to a prefix.
func (b tenant) as(role store.Role, customer, env string) []string {
	b.t.Helper()
	policy, err := store.RolePolicy(role, store.Scope{Bucket: b.bucket, Customer: customer, Environment: env})
	check(b.t, err)
	vars := []string{"METAPIPE_STORE=", "TF_STATE_BUCKET=" + b.bucket.Name, "RUNNER_ENVIRONMENT=github-hosted"}
	for name, value := range b.server.Environ(b.server.Session(b.t, b.short(policy))) {
		vars = append(vars, name+"="+value)
	}
	return vars
}

// short is a policy in the 2,048 characters that a session takes. The policy of a role of
// its own, as the docs have it, may be longer. The server has one bucket of that letter.
func (b tenant) short(policy store.Policy) string {
	for i := range policy.Statement {
		policy.Statement[i].Sid = ""
	}
	text := string(must(json.Marshal(policy))(b.t))
	text = regexp.MustCompile(`\[("[^"]*")\]`).ReplaceAllString(text, "$1")
	return strings.ReplaceAll(text, ":::"+b.bucket.Name, ":::"+b.bucket.Name[:1]+"*")
}

// do runs a command in the run of a request, under the least policy that a role has in
// staging of shop.
func (b tenant) do(r *request, exit int, role store.Role, args ...string) result {
	b.t.Helper()
	return r.w.newJob(r.run).with(b.as(role, "shop", "staging")...).do(exit, args...)
}

// accepted sends a push and lets the manager accept it with the role of fetch-vars.
func (b tenant) accepted(w *world) *request { return b.acceptedFile(w, variablesYML) }

func (b tenant) acceptedFile(w *world, variables string) *request {
	b.t.Helper()
	run := w.push("main", map[string]string{"infra/variables.yml": variables})
	trigger := w.newJob(run).start("trigger")
	r := &request{w: w, trigger: run, run: w.queued()}
	fetched := w.newJob(r.run).with(b.as(store.RoleFetchVars, "shop", "*")...).do(0, "fetch-vars")
	fetched.want(b.t, "outcome=requested")
	r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	if end := trigger.wait(); end.exit != 0 {
		b.t.Fatal(end.log)
	}
	return r
}

func newTenant(t *testing.T) tenant {
	t.Helper()
	b := tenant{t, miniotest.Start(t, miniotest.Options{KMS: true}), pipeline.Bucket{Name: "provider-states"}}
	b.server.Bucket(t, b.bucket.Name, true)
	return b
}

// TestBucket carries a push to its report with everything in S3, each command under
// the least policy of its role, as on hosted runners.
func TestBucket(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, nil)
	r := b.accepted(w)
	step := func(exit int, role store.Role, customer string, args ...string) result {
		t.Helper()
		return w.newJob(r.run).with(b.as(role, customer, "staging")...).do(exit, args...)
	}
	step(0, store.RolePlan, "shop", r.args("plan", "staging")...).want(t, "outcome=waiting", "create=2")
	step(0, store.RoleApply, "shop", "report", "--customer", r.customer, "--request", r.id, "--applying", "staging")
	w.wantStatus(r.trigger.sha, "infra/terraform-deploy/staging", "pending: Applying")
	step(0, store.RoleApply, "shop", r.args("apply", "staging")...).want(t, "outcome=applied")
	step(0, store.RoleReport, "shop", "report", "--customer", r.customer, "--request", r.id, "--final").want(t, "outcome=success")
	w.wantStatus(r.trigger.sha, "infra/terraform-deploy/staging", "success")
	w.wantNothingPending()

	step(0, store.RoleReport, "shop", "ledger", "--customer", "shop", "--verify").says(t, "shop/staging: 4 entries, whole; fits 1 deployment and 1 receipt on GitHub")
	b.wantAppendOnly("shop/staging/ledger/0000000001.json")

	target := []string{"--customer", "shop", "--environment", "staging"}
	step(0, store.RoleDrift, "shop", append([]string{"state", "list"}, target...)...).says(t, "shop/staging", "s3://provider-states/shop/staging/terraform.tfstate", "free")
	shown := step(0, store.RoleDrift, "shop", append([]string{"state", "show", "--json"}, target...)...)
	shown.says(t, `"exists": true`, `"lineage": "`)
	if strings.Contains(shown.log, "shop in staging") {
		t.Errorf("a value is shown:\n%s", shown.log)
	}
}

// wantAppendOnly shows that no role may remove from a ledger.
func (b tenant) wantAppendOnly(key string) {
	b.t.Helper()
	for _, role := range store.Roles() {
		policy := must(store.RolePolicy(role, store.Scope{Bucket: b.bucket, Customer: "shop", Environment: "staging"}))(b.t)
		client := b.server.Client(b.server.Session(b.t, b.short(policy)))
		if _, err := client.DeleteObject(b.t.Context(), &s3.DeleteObjectInput{Bucket: &b.bucket.Name, Key: &key}); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			b.t.Errorf("%s removes %s: %v", role, key, err)
		}
	}
}

// TestBucketOfOthers runs the commands under the policies of another customer.
func TestBucketOfOthers(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, nil)
	r := b.accepted(w)
	denied := func(role store.Role, customer string, args ...string) {
		t.Helper()
		w.newJob(r.run).with(b.as(role, customer, "staging")...).do(1, args...).says(t, "AccessDenied", "\"shop/", "in store s3://provider-states", "allow s3:", "arn:aws:s3:::provider-states")
		b.wantNone("/apply-0001", args[0])
	}
	plan, apply := r.args("plan", "staging"), r.args("apply", "staging")
	report := []string{"report", "--customer", r.customer, "--request", r.id, "--final"}
	denied(store.RolePlan, "other", plan...)
	b.wantNone("/plans/", "a denied plan")
	w.newJob(r.run).with(b.as(store.RolePlan, "shop", "staging")...).do(0, plan...)
	denied(store.RoleApply, "other", apply...)
	denied(store.RoleReport, "other", report...)
	denied(store.RoleDrift, "other", "state", "list", "--customer", "shop")
	w.newJob(r.run).with(b.as(store.RoleReport, "shop", "staging")...).do(0, report...)
	w.wantNothingPending()
	run := w.push("main", map[string]string{"infra/variables.yml": "# second\n" + variablesYML})
	trigger := w.newJob(run).start("trigger")
	second := w.queued()
	w.newJob(second).with(b.as(store.RoleFetchVars, "other", "*")...).do(1, "fetch-vars").says(t, "AccessDenied", "allow s3:")
	check(t, trigger.cmd.Process.Signal(os.Interrupt))
	trigger.wait()
}

// TestBucketApplyAsPlan applies under the policy of plan, which may not write the
// state. It is kept beside the plan, and the right role brings it back.
func TestBucketApplyAsPlan(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, impatient)
	r := b.accepted(w)
	b.do(r, 0, store.RolePlan, r.args("plan", "staging")...)
	recover := "metapipe state recover --customer shop --environment staging --request " + r.id
	b.do(r, 1, store.RolePlan, r.args("apply", "staging")...).says(t, "S3 answered PutObject with AccessDenied: allow s3:PutObject on s3://provider-states/shop/staging/terraform.tfstate; 2 changes were made", recover)
	if keys := b.keys("errored-state.sealed"); len(keys) != 1 {
		t.Errorf("the state was not kept beside its plan: %v", keys)
	}
	b.do(r, 0, store.RoleReport, "report", "--customer", r.customer, "--request", r.id, "--final").want(t, "outcome=failure")
	w.wantNothingPending()
	b.do(r, 0, store.RoleApply, strings.Fields(recover)[1:]...).says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
}

// TestBucketWebIdentity takes the role with the token of the run itself, in the
// store and in the tool's backend: no key is stored anywhere.
func TestBucketWebIdentity(t *testing.T) {
	t.Parallel()
	const audience = "sts.amazonaws.com"
	w := newWorld(t, nil)
	b := tenant{t, miniotest.Start(t, miniotest.Options{KMS: true, OpenID: &miniotest.OpenID{ConfigURL: w.hub.Issuer() + "/.well-known/openid-configuration", ClientID: audience, Policy: "readwrite"}}),
		pipeline.Bucket{Name: "provider-states"}}
	b.server.Bucket(t, b.bucket.Name, true)
	run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	trigger := w.newJob(run).start("trigger")
	r := &request{w: w, trigger: run, run: w.queued()}
	r.run.permitsIDToken = true
	step := func(args ...string) result {
		t.Helper()
		j := w.newJob(r.run)
		for name, value := range b.server.Environ(miniotest.Credentials{}) {
			j.with(name + "=" + value)
		}
		j.with("METAPIPE_STORE=", "TF_STATE_BUCKET="+b.bucket.Name, "RUNNER_ENVIRONMENT=github-hosted", "AWS_ROLE_SESSION_NAME="+args[0],
			"AWS_ROLE_ARN="+b.server.RoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE="+j.idToken(audience))
		return j.do(0, args...)
	}
	fetched := step("fetch-vars")
	r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	if end := trigger.wait(); end.exit != 0 {
		t.Fatal(end.log)
	}
	for _, command := range []string{"plan", "apply"} {
		step(r.args(command, "staging")...)
	}
	step("report", "--customer", r.customer, "--request", r.id, "--final").want(t, "outcome=success")
	// Plan and apply have each taken the lock and released it.
	lock := "shop/staging/terraform.tfstate.tflock"
	taken := must(b.server.Client(b.server.Root()).ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &b.bucket.Name, Prefix: &lock}))(t)
	if len(taken.Versions) != 2 || len(taken.DeleteMarkers) != 2 || len(b.keys(lock)) != 0 {
		t.Errorf("the lock was taken %d times and released %d times, want 2", len(taken.Versions), len(taken.DeleteMarkers))
	}
}

// idToken asks for the ID token of a job, as aws-actions/configure-aws-credentials
// does, and returns the file that holds it.
func (j *job) idToken(audience string) string {
	t := j.w.t
	t.Helper()
	values := map[string]string{}
	for _, pair := range j.environ {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	ask := must(http.NewRequestWithContext(t.Context(), http.MethodGet, values["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience="+audience, nil))(t)
	ask.Header.Set("Authorization", "Bearer "+values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	response := must(http.DefaultClient.Do(ask))(t)
	var answer struct{ Value string }
	check(t, json.NewDecoder(response.Body).Decode(&answer))
	check(t, response.Body.Close())
	file := filepath.Join(j.dir, "id-token")
	check(t, os.WriteFile(file, []byte(answer.Value), 0o600))
	return file
}

// TestStateRecover brings back a state that an apply could not write.
func TestStateRecover(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	apply := func(exit int, name string) (*request, result) {
		r := w.accept(w.push("main", map[string]string{"infra/variables.yml": strings.Replace(variablesYML, "name: shop", "name: "+name, 1)}))
		r.planned("staging")
		return r, r.do(exit, "apply", "staging")
	}
	apply(0, "one")
	// A folder in the place of the backup keeps the tool from writing.
	backup := filepath.Join(w.store, "shop", "staging", "terraform.tfstate.backup")
	check(t, os.RemoveAll(backup))
	check(t, os.MkdirAll(filepath.Join(backup, "x"), 0o700))
	r, failed := apply(1, "two")
	recover := "metapipe state recover --customer shop --environment staging --request " + r.id
	failed.says(t, "the state could not be written to its backend", recover)
	r.report("--final").want(t, "outcome=failure")
	w.newJob(r.run).do(0, "state", "show", "--customer", "shop", "--environment", "staging").says(t, recover)
	check(t, os.RemoveAll(backup))
	for range 2 {
		w.newJob(r.run).do(0, strings.Fields(recover)[1:]...).says(t, "the state of shop/staging is in "+filepath.Join(w.store, "shop"))
	}
	again := w.accept(w.push("main", map[string]string{"infra/variables.yml": "# again\n" + strings.Replace(variablesYML, "name: shop", "name: two", 1)}))
	// The apply ended when it had removed the second resource: the state knows.
	again.planned("staging").want(t, "update=1", "create=1", "replace=0", "delete=0")
}
