package bucket

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// bucketFaults are jobs whose bucket is not set up as it should be.
var bucketFaults = []struct {
	name string
	vars []string
	exit int
	says []string
}{
	{"bad credentials", []string{"AWS_SECRET_ACCESS_KEY=guess"}, 1, []string{"s3://provider-states", "does not accept these credentials"}},
	{"half of the credentials", []string{"AWS_SECRET_ACCESS_KEY="}, 2, []string{"one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set without the other"}},
	{"missing bucket", []string{"TF_STATE_BUCKET=no-such-bucket"}, 1, []string{"s3://no-such-bucket", "there is no bucket no-such-bucket at http://"}},
	{"no name of a bucket", []string{"TF_STATE_BUCKET=s3://provider-states"}, 2, []string{`"s3://provider-states" is not the name of a bucket`}},
	{"wrong region", []string{"AWS_REGION=eu-west-1"}, 1, []string{"s3://provider-states", "is in us-east-1 and was looked for in eu-west-1", "set the region to us-east-1"}},
}

// TestBucketFaults runs each command in jobs whose bucket is not set up as it should
// be, and then in one where it is.
func TestBucketFaults(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
	trigger := w.NewJob(run).Start("trigger")
	r := &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	faults := func(key string, args ...string) {
		t.Helper()
		for _, f := range bucketFaults {
			end := w.NewJob(r.Run).With(b.Root()...).With(f.vars...).Do(f.exit, args...)
			end.Says(t, f.says...)
			if f.exit == 1 {
				end.Says(t, key)
			}
		}
	}
	faults("_metapipe/customers/", "fetch-vars")
	b.WantNone("", "fetch-vars")
	fetched := w.NewJob(r.Run).With(b.Root()...).Do(0, "fetch-vars")
	r.Customer, r.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	trigger.Wait()

	requested := "shop/requests/" + r.ID
	faults(requested, r.Args("plan", "staging")...)
	b.WantNone("/plans/", "plan")
	w.NewJob(r.Run).With(b.Root()...).Do(0, r.Args("plan", "staging")...).Want(t, "outcome=waiting")
	faults(requested, r.Args("apply", "staging")...)
	b.WantNone("/apply-0000", "apply")
	b.WantNone("terraform.tfstate", "apply")
	faults("shop/requests/", "report", "--customer", r.Customer, "--request", r.ID, "--final")
	w.NewJob(r.Run).With(b.Root()...).Do(0, "report", "--customer", r.Customer, "--request", r.ID, "--final").Want(t, "outcome=error")
	w.WantNothingPending()
}

// TestBucketThatInsists refuses every write that names no encryption.
func TestBucketThatInsists(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	policy := `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"},
		{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::provider-states/*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}]}`
	vars := b.Root()
	for name, value := range b.Server.Environ(b.Server.Session(t, policy)) {
		vars = append(vars, name+"="+value)
	}
	r := b.Accepted(w)
	for _, command := range []string{"plan", "apply"} {
		w.NewJob(r.Run).With(vars...).Do(0, r.Args(command, "staging")...)
	}
}

// holding is a request whose apply makes the first resource and then waits.
type holding struct {
	fixture.Tenant
	*fixture.Request
	begun, hold string
}

func hold(b fixture.Tenant, w *fixture.Setup) holding {
	b.T.Helper()
	dir := b.T.TempDir()
	h := holding{Tenant: b, begun: filepath.Join(dir, "begun"), hold: filepath.Join(dir, "hold")}
	fixture.AppendTo(b.T, h.hold, "")
	command := "touch " + h.begun + "; while [ -e " + h.hold + " ]; do sleep 0.1; done"
	run := w.Push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: '" + command + "'\nenvironments:\n  staging: {}\n"})
	trigger := w.NewJob(run).Start("trigger")
	h.Request = &fixture.Request{W: w, Trigger: run, Run: w.Queued()}
	fetched := h.job().Do(0, "fetch-vars")
	h.Customer, h.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	trigger.Wait()
	h.job().Do(0, h.Args("plan", "staging")...)
	return h
}

func (h holding) job() *fixture.Job { return h.W.NewJob(h.Run).With(h.Root()...) }

// broken applies, lets harm be done while the second resource is made, and ends
// with the state in a sealed file beside the run. It returns what the apply says.
func (h holding) broken(harm func()) (j *fixture.Job, end fixture.Result) {
	t := h.W.T
	t.Helper()
	j = h.job()
	p := j.Start(h.Args("apply", "staging")...)
	fixture.AwaitFile(t, h.begun)
	harm()
	fixture.Check(t, os.Remove(h.hold))
	if end = p.Wait(); end.Exit != 1 {
		t.Fatalf("exit code %d, want 1:\n%s", end.Exit, end.Log)
	}
	return j, end
}

// spareJob is the sealed file that an apply has left in the temp folder of its job.
func spareJob(j *fixture.Job, t *testing.T) string {
	t.Helper()
	found := fixture.Must(filepath.Glob(filepath.Join(j.Dir, "temp", "errored-state-*.sealed")))(t)
	if len(found) != 1 {
		t.Fatalf("sealed files: %v", found)
	}
	sealed := fixture.Must(os.ReadFile(found[0]))(t)
	if strings.Contains(string(sealed), "shop in staging") {
		t.Error("the file is not sealed")
	}
	return found[0]
}

// recovery is the command that brings the state back, with the lock that the
// apply could not release.
func (h holding) recovery(spare string) []string {
	t := h.W.T
	t.Helper()
	args := append([]string{"state", "recover"}, h.Args("", "staging", "--file", spare)[1:]...)
	var shown struct{ Lock *pipeline.Lock }
	h.decode(&shown, "state", "show", "--json", "--customer", h.Customer, "--environment", "staging")
	if shown.Lock == nil {
		return args
	}
	h.job().Do(1, args...).Says(t, shown.Lock.ID, "--unlock")
	return append(args, "--unlock", shown.Lock.ID)
}

// recovered reports what is known, brings the state back and plans anew.
func (h holding) recovered(recovered []string) {
	t := h.W.T
	t.Helper()
	h.job().Do(0, "report", "--customer", h.Customer, "--request", h.ID, "--final").Want(t, "outcome=failure")
	h.W.WantNothingPending()
	for range 2 {
		h.job().Do(0, recovered...).Says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
	}
	run := h.W.Push("main", map[string]string{"infra/variables.yml": "# again\n" + fixture.VariablesYML})
	trigger := h.W.NewJob(run).Start("trigger")
	again := &fixture.Request{W: h.W, Trigger: run, Run: h.W.Queued()}
	fetched := h.W.NewJob(again.Run).With(h.Root()...).Do(0, "fetch-vars")
	again.Customer, again.ID = fetched.Outputs["customer"], fetched.Outputs["request-id"]
	trigger.Wait()
	// Nothing is made a second time, but for what another command replaces.
	h.W.NewJob(again.Run).With(h.Root()...).Do(0, again.Args("plan", "staging")...).Want(t, "create=0", "replace=1")
}

// TestBucketVanishes ends the server of store and backend in the middle of an
// apply. What was made is kept in a sealed file, and comes back from it.
func TestBucketVanishes(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, fixture.Impatient)
	h := hold(b, w)
	j, end := h.broken(b.Server.Stop)
	spare := spareJob(j, t)
	end.Says(t, "keep the file "+spare, "metapipe state recover --customer shop --environment staging --request "+h.ID+" --file "+spare, "no answer from "+b.Server.Endpoint)
	h.job().Do(1, "report", "--customer", h.Customer, "--request", h.ID, "--final").Says(t, "no answer from "+b.Server.Endpoint)
	b.Server.Restart(t)
	h.recovered(h.recovery(spare))
}

// TestBucketIsFull fills the disk of the server in the middle of an apply.
func TestBucketIsFull(t *testing.T) {
	t.Parallel()
	if !fixture.CanMount() {
		t.Skip("needs a small disk, and this user may not mount one")
	}
	disk := t.TempDir()
	fixture.Check(t, fixture.MountSmall(disk, "64m"))
	t.Cleanup(func() { fixture.Check(t, fixture.UnmountSmall(disk)) })
	w := fixture.New(t, fixture.Impatient)
	b := fixture.Tenant{T: t, Server: miniotest.Start(t, miniotest.Options{KMS: true, Dir: filepath.Join(disk, "data")}), Bucket: pipeline.Bucket{Name: "provider-states"}}
	b.Server.Bucket(t, b.Bucket.Name, true)
	h := hold(b, w)
	filler := filepath.Join(disk, "filler")
	j, end := h.broken(func() { fill(t, filler) })
	spare := spareJob(j, t)
	end.Says(t, "keep the file "+spare, "the server has no room left")
	fixture.Check(t, os.Remove(filler))
	awaitRoom(b)
	recovered := h.recovery(spare)
	// As when an earlier try has released the lock and got no further.
	for _, key := range b.Keys(".tflock") {
		fixture.Must(b.Server.Client(b.Server.Root()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.Bucket.Name, Key: &key}))(t)
	}
	h.recovered(recovered)
}

// awaitRoom waits until the server has seen that its disk is not full any more.
func awaitRoom(b fixture.Tenant) {
	key := "probe"
	client := b.Server.Client(b.Server.Root())
	fixture.Await(b.T, "the server to take objects again", func() bool {
		_, err := client.PutObject(b.T.Context(), &s3.PutObjectInput{Bucket: &b.Bucket.Name, Key: &key, Body: strings.NewReader("")})
		return err == nil
	})
}

// fill writes until the disk is full.
func fill(t *testing.T, file string) {
	t.Helper()
	f := fixture.Must(os.Create(file))(t)
	block := make([]byte, 1<<16)
	var err error
	for err == nil {
		_, err = f.Write(block)
	}
	if err = errors.Join(f.Close()); err != nil {
		t.Fatal(err)
	}
}

// decode reads the JSON that a step prints.
func (h holding) decode(into any, args ...string) {
	t := h.W.T
	t.Helper()
	output := h.job().Do(0, args...).Log
	begin, end := strings.Index(output, "{"), strings.LastIndex(output, "}")
	if begin < 0 || end < begin {
		t.Fatalf("no JSON:\n%s", output)
	}
	fixture.Check(t, json.Unmarshal([]byte(output[begin:end+1]), into))
}

// TestBootstrapState looks, makes the bucket, and finds nothing left to do.
func TestBootstrapState(t *testing.T) {
	t.Parallel()
	b, w := fixture.NewTenant(t), fixture.New(t, nil)
	b.Bucket.Name = "new-states"
	run := fixture.WorkflowRun{Repo: w.Manager, Run: hub.Run{ID: 1, Attempt: 1, Event: "workflow_dispatch", Path: fixture.ManagerWorkflow, Actor: "robin"}, Event: fixture.Must(w.Manager.ManualEvent(fixture.ManagerWorkflow, "main", nil, "robin"))(t), SHA: fixture.Must(w.Manager.Head("main"))(t), Ref: "refs/heads/main"}
	bootstrap := func(exit int, args ...string) fixture.Result {
		t.Helper()
		return w.NewJob(run).With(b.Root()...).Do(exit, append([]string{"bootstrap", "state"}, args...)...)
	}
	bootstrap(0).Says(t, "s3://new-states", "versioning     missing", "nothing was changed: --apply sets the 9 that are missing", "policy of the role of fetch-vars:", `"arn:aws:s3:::new-states/*/requests/*"`)
	buckets := fixture.Must(b.Server.Client(b.Server.Root()).ListBuckets(t.Context(), nil))(t)
	if len(buckets.Buckets) != 1 {
		t.Errorf("the dry run has made a bucket: %v", buckets.Buckets)
	}
	bootstrap(0, "--apply").Says(t, "bucket         changed", "versioning     changed", "encryption     changed", "TLS only       changed", "lifecycle      changed")
	again := bootstrap(0, "--apply", "--customer", "shop", "--environment", "staging")
	again.Says(t, "versioning     good", "TLS only       good", "lifecycle      good", `"arn:aws:s3:::new-states/shop/staging/plans/*"`)
	// fetch-vars finds the former name of a renamed customer in the last applies of all.
	others := strings.ReplaceAll(again.Log, "new-states/*/applied/*.json", "")
	if strings.Contains(again.Log, " changed ") || strings.Contains(others, "new-states/*/") {
		t.Errorf("the second time:\n%s", again.Log)
	}
	bootstrap(1, "--log-bucket", "no-such-bucket", "--apply")
	w.Commit(w.Manager, "main", map[string]string{"metapipe.yml": "state: {directory: states}\nenvironments: [{name: staging}]\n"})
	run.SHA = fixture.Must(w.Manager.Head("main"))(t)
	bootstrap(2).Says(t, "metapipe.yml keeps states in the directory states")
}
