package bucket

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/store"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// TestBucket carries a push to its report with everything in S3, each command under
// the least policy of its role, as on hosted runners.
func TestBucket(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	r := b.Accepted(w)
	step := func(exit int, role store.Role, customer string, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).With(b.As(role, customer, "staging")...).Do(exit, args...)
	}
	step(0, store.RolePlan, "shop", r.Args("plan", "staging")...).Want(t, "outcome=waiting", "create=2")
	step(0, store.RoleApply, "shop", "report", "--customer", r.Customer, "--request", r.ID, "--applying", "staging")
	w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy/staging", "pending: Applying")
	step(0, store.RoleApply, "shop", r.Args("apply", "staging")...).Want(t, "outcome=applied")
	step(0, store.RoleReport, "shop", "report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=success")
	w.WantStatus(r.Trigger.SHA, "infra/terraform-deploy/staging", "success")
	w.WantNothingPending()

	step(0, store.RoleReport, "shop", "ledger", "--customer", "shop", "--verify").Says(t, "shop/staging: 4 entries, whole; fits 1 deployment and 1 receipt on GitHub")
	wantAppendOnly(b, "shop/staging/ledger/9999999998-1.json")

	target := []string{"--customer", "shop", "--environment", "staging"}
	step(0, store.RoleDrift, "shop", append([]string{"state", "list"}, target...)...).Says(t, "shop/staging", "s3://provider-states/shop/staging/terraform.tfstate", "free")
	shown := step(0, store.RoleDrift, "shop", append([]string{"state", "show", "--json"}, target...)...)
	shown.Says(t, `"exists": true`, `"lineage": "`)
	if strings.Contains(shown.Log, "shop in staging") {
		t.Errorf("a value is shown:\n%s", shown.Log)
	}
}

// wantAppendOnly shows that no role may remove from a ledger.
func wantAppendOnly(b fixture.Tenant, key string) {
	b.T.Helper()
	for _, role := range store.Roles() {
		policy := fixture.Must(store.RolePolicy(role, store.Scope{Bucket: b.Bucket, Customer: "shop", Environment: "staging"}))(b.T)
		client := b.Server.Client(b.Server.Session(b.T, b.Short(policy)))
		if _, err := client.DeleteObject(b.T.Context(), &s3.DeleteObjectInput{Bucket: &b.Bucket.Name, Key: &key}); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
			b.T.Errorf("%s removes %s: %v", role, key, err)
		}
	}
}

// TestBucketOfOthers runs the commands under the policies of another customer.
func TestBucketOfOthers(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	r := b.Accepted(w)
	denied := func(role store.Role, customer string, args ...string) {
		t.Helper()
		w.NewJob(r.Run).With(b.As(role, customer, "staging")...).Do(1, args...).Says(t, "AccessDenied", "\"shop/", "in store s3://provider-states", "allow s3:", "arn:aws:s3:::provider-states")
		b.WantNone("/apply-0000", args[0])
	}
	plan, apply := r.Args("plan", "staging"), r.Args("apply", "staging")
	report := []string{"report", "--customer", r.Customer, "--request", r.ID, "--final"}
	denied(store.RolePlan, "other", plan...)
	b.WantNone("/plans/", "a denied plan")
	w.NewJob(r.Run).With(b.As(store.RolePlan, "shop", "staging")...).Do(0, plan...)
	denied(store.RoleApply, "other", apply...)
	denied(store.RoleReport, "other", report...)
	denied(store.RoleDrift, "other", "state", "list", "--customer", "shop")
	w.NewJob(r.Run).With(b.As(store.RoleReport, "shop", "staging")...).Do(0, report...)
	w.WantNothingPending()
	run := w.Push("main", map[string]string{"infra/variables.yml": "# second\n" + fixture.VariablesYML})
	trigger := w.NewJob(run).Start("trigger")
	second := w.Queued()
	w.NewJob(second).With(b.As(store.RoleFetchVars, "other", "*")...).Do(1, "fetch-vars").Says(t, "AccessDenied", "allow s3:")
	fixture.Check(t, trigger.Signal(os.Interrupt))
	trigger.Wait()
}

// TestBucketApplyAsPlan applies under the policy of plan, which may not write the
// state. It is kept beside the plan, and the right role brings it back.
func TestBucketApplyAsPlan(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, fixture.Impatient)
	r := b.Accepted(w)
	b.Do(r, 0, store.RolePlan, r.Args("plan", "staging")...)
	recover := "metapipe state recover --customer shop --environment staging --request " + r.ID
	b.Do(r, 1, store.RolePlan, r.Args("apply", "staging")...).Says(t, "S3 answered PutObject with AccessDenied: allow s3:PutObject on s3://provider-states/shop/staging/terraform.tfstate; 2 changes were made", recover)
	if keys := b.Keys("errored-state.sealed"); len(keys) != 1 {
		t.Errorf("the state was not kept beside its plan: %v", keys)
	}
	b.Do(r, 0, store.RoleReport, "report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=failure")
	w.WantNothingPending()
	b.Do(r, 0, store.RoleApply, strings.Fields(recover)[1:]...).Says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
}

// TestBucketWebIdentity takes the role with the token of the run itself, in the
// store and in the tool's backend: no key is stored anywhere.
func TestBucketWebIdentity(t *testing.T) {
	t.Parallel()
	const audience = "sts.amazonaws.com"
	w := fixture.New(t, nil)
	b := fixture.Tenant{T: t, Server: miniotest.Start(t, miniotest.Options{KMS: true, OpenID: &miniotest.OpenID{ConfigURL: w.Hub.Issuer() + "/.well-known/openid-configuration", ClientID: audience, Policy: "readwrite"}}),
		Bucket: pipeline.Bucket{Name: "provider-states"}}
	b.Server.Bucket(t, b.Bucket.Name, true)
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	trigger := w.NewJob(run).Start("trigger")
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	r.Run.PermitsIDToken = true
	step := func(args ...string) fixture.Result {
		t.Helper()
		j := w.NewJob(r.Run)
		for name, value := range b.Server.Environ(miniotest.Credentials{}) {
			j.With(name + "=" + value)
		}
		j.With("METAPIPE_STORE=", "TF_STATE_BUCKET="+b.Bucket.Name, "RUNNER_ENVIRONMENT=github-hosted", "AWS_ROLE_SESSION_NAME="+args[0],
			"AWS_ROLE_ARN="+b.Server.RoleARN, "AWS_WEB_IDENTITY_TOKEN_FILE="+idToken(j, audience))
		return j.Do(0, args...)
	}
	fetched := step("fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	if end := trigger.Wait(); end.Exit != 0 {
		t.Fatal(end.Log)
	}
	for _, command := range []string{"plan", "apply"} {
		step(r.Args(command, "staging")...)
	}
	step("report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=success")
	// Plan and apply have each taken the lock and released it.
	lock := "shop/staging/terraform.tfstate.tflock"
	taken := fixture.Must(b.Server.Client(b.Server.Root()).ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: &b.Bucket.Name, Prefix: &lock}))(t)
	if len(taken.Versions) != 2 || len(taken.DeleteMarkers) != 2 || len(b.Keys(lock)) != 0 {
		t.Errorf("the lock was taken %d times and released %d times, want 2", len(taken.Versions), len(taken.DeleteMarkers))
	}
}

// idToken asks for the ID token of a job, as aws-actions/configure-aws-credentials
// does, and returns the file that holds it.
func idToken(j *fixture.Job, audience string) string {
	t := j.W.T
	t.Helper()
	values := map[string]string{}
	for _, pair := range j.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	ask := fixture.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, values["ACTIONS_ID_TOKEN_REQUEST_URL"]+"&audience="+audience, nil))(t)
	ask.Header.Set("Authorization", "Bearer "+values["ACTIONS_ID_TOKEN_REQUEST_TOKEN"])
	response := fixture.Must(http.DefaultClient.Do(ask))(t)
	var answer struct{ Value string }
	fixture.Check(t, json.NewDecoder(response.Body).Decode(&answer))
	fixture.Check(t, response.Body.Close())
	file := filepath.Join(j.Dir, "id-token")
	fixture.Check(t, os.WriteFile(file, []byte(answer.Value), 0o600))
	return file
}

// TestStateRecover brings back a state that an apply could not write.
func TestStateRecover(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	apply := func(exit int, name string) (*fixture.Request, fixture.Result) {
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": strings.Replace(fixture.VariablesYML, "name: shop", "name: "+name, 1)}))
		r.Planned("staging")
		return r, r.Do(exit, "apply", "staging")
	}
	apply(0, "one")
	// A folder in the place of the backup keeps the tool from writing.
	backup := filepath.Join(w.Store, "shop", "staging", "terraform.tfstate.backup")
	fixture.Check(t, os.RemoveAll(backup))
	fixture.Check(t, os.MkdirAll(filepath.Join(backup, "x"), 0o700))
	r, failed := apply(1, "two")
	recover := "metapipe state recover --customer shop --environment staging --request " + r.ID
	failed.Says(t, "the state could not be written to its backend", recover)
	r.Report("--final").Want(t, "outcome=failure")
	w.NewJob(r.Run).Do(0, "state", "show", "--customer", "shop", "--environment", "staging").Says(t, recover)
	fixture.Check(t, os.RemoveAll(backup))
	for range 2 {
		w.NewJob(r.Run).Do(0, strings.Fields(recover)[1:]...).Says(t, "the state of shop/staging is in "+filepath.Join(w.Store, "shop"))
	}
	again := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "# again\n" + strings.Replace(fixture.VariablesYML, "name: shop", "name: two", 1)}))
	// The apply ended when it had removed the second resource: the state knows.
	again.Planned("staging").Want(t, "update=1", "create=1", "replace=0", "delete=0")
}
