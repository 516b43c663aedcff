package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// root is the environment of a hosted job that may do everything.
func (b tenant) root() []string {
	vars := []string{"METAPIPE_STORE=", "TF_STATE_BUCKET=" + b.bucket.Name, "RUNNER_ENVIRONMENT=github-hosted"}
	for name, value := range b.server.Environ(b.server.Root()) {
		vars = append(vars, name+"="+value)
	}
	return vars
}

// keys are the objects of the bucket whose key contains a text.
func (b tenant) keys(text string) []string {
	b.t.Helper()
	out := must(b.server.Client(b.server.Root()).ListObjectsV2(b.t.Context(), &s3.ListObjectsV2Input{Bucket: &b.bucket.Name}))(b.t)
	var keys []string
	for _, object := range out.Contents {
		if strings.Contains(*object.Key, text) {
			keys = append(keys, *object.Key)
		}
	}
	return keys
}

func (b tenant) wantNone(text, after string) {
	b.t.Helper()
	if keys := b.keys(text); len(keys) > 0 {
		b.t.Errorf("%s has left %v", after, keys)
	}
}

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
	b, w := newTenant(t), newWorld(t, nil)
	run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
	trigger := w.newJob(run).start("trigger")
	r := &request{w: w, trigger: run, run: w.queued()}
	faults := func(key string, args ...string) {
		t.Helper()
		for _, f := range bucketFaults {
			end := w.newJob(r.run).with(b.root()...).with(f.vars...).do(f.exit, args...)
			end.says(t, f.says...)
			if f.exit == 1 {
				end.says(t, key)
			}
		}
	}
	faults("shop/requests/", "fetch-vars")
	b.wantNone("", "fetch-vars")
	fetched := w.newJob(r.run).with(b.root()...).do(0, "fetch-vars")
	r.customer, r.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	trigger.wait()

	requested := "shop/requests/" + r.id
	faults(requested, r.args("plan", "staging")...)
	b.wantNone("/plans/", "plan")
	w.newJob(r.run).with(b.root()...).do(0, r.args("plan", "staging")...).want(t, "outcome=waiting")
	faults(requested, r.args("apply", "staging")...)
	b.wantNone("/apply-0001", "apply")
	b.wantNone("terraform.tfstate", "apply")
	faults("shop/requests/", "report", "--customer", r.customer, "--request", r.id, "--final")
	w.newJob(r.run).with(b.root()...).do(0, "report", "--customer", r.customer, "--request", r.id, "--final").want(t, "outcome=error")
	w.wantNothingPending()
}

// TestBucketThatInsists refuses every write that names no encryption.
func TestBucketThatInsists(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, nil)
	policy := `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::*"},
		{"Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::provider-states/*", "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}}]}`
	vars := b.root()
	for name, value := range b.server.Environ(b.server.Session(t, policy)) {
		vars = append(vars, name+"="+value)
	}
	r := b.accepted(w)
	for _, command := range []string{"plan", "apply"} {
		w.newJob(r.run).with(vars...).do(0, r.args(command, "staging")...)
	}
}

// impatient is a backend that soon gives up on a server that is gone. metapipe
// completes it.
var impatient = map[string]string{"terraform/backend.tf": "terraform {\n  backend \"s3\" {\n    max_retries = 1\n  }\n}\n"}

// holding is a request whose apply makes the first resource and then waits.
type holding struct {
	tenant
	*request
	begun, hold string
}

func (b tenant) holding(w *world) holding {
	b.t.Helper()
	dir := b.t.TempDir()
	h := holding{tenant: b, begun: filepath.Join(dir, "begun"), hold: filepath.Join(dir, "hold")}
	appendTo(b.t, h.hold, "")
	command := "touch " + h.begun + "; while [ -e " + h.hold + " ]; do sleep 0.1; done"
	run := w.push("main", map[string]string{"infra/variables.yml": "name: shop\ncommand: '" + command + "'\nenvironments:\n  staging: {}\n"})
	trigger := w.newJob(run).start("trigger")
	h.request = &request{w: w, trigger: run, run: w.queued()}
	fetched := h.job().do(0, "fetch-vars")
	h.customer, h.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	trigger.wait()
	h.job().do(0, h.args("plan", "staging")...)
	return h
}

func (h holding) job() *job { return h.w.newJob(h.run).with(h.root()...) }

// broken applies, lets harm be done while the second resource is made, and ends
// with the state in a sealed file beside the run. It returns what the apply says.
func (h holding) broken(harm func()) (j *job, end result) {
	t := h.w.t
	t.Helper()
	j = h.job()
	p := j.start(h.args("apply", "staging")...)
	awaitFile(t, h.begun)
	harm()
	check(t, os.Remove(h.hold))
	if end = p.wait(); end.exit != 1 {
		t.Fatalf("exit code %d, want 1:\n%s", end.exit, end.log)
	}
	return j, end
}

// spare is the sealed file that an apply has left in the temp folder of its job.
func (j *job) spare(t *testing.T) string {
	t.Helper()
	found := must(filepath.Glob(filepath.Join(j.dir, "temp", "errored-state-*.sealed")))(t)
	if len(found) != 1 {
		t.Fatalf("sealed files: %v", found)
	}
	sealed := must(os.ReadFile(found[0]))(t)
	if strings.Contains(string(sealed), "shop in staging") {
		t.Error("the file is not sealed")
	}
	return found[0]
}

// recovery is the command that brings the state back, with the lock that the
// apply could not release.
func (h holding) recovery(spare string) []string {
	t := h.w.t
	t.Helper()
	args := append([]string{"state", "recover"}, h.args("", "staging", "--file", spare)[1:]...)
	var shown struct{ Lock *pipeline.Lock }
	h.decode(&shown, "state", "show", "--json", "--customer", h.customer, "--environment", "staging")
	if shown.Lock == nil {
		return args
	}
	h.job().do(1, args...).says(t, shown.Lock.ID, "--unlock")
	return append(args, "--unlock", shown.Lock.ID)
}

// recovered reports what is known, brings the state back and plans anew.
func (h holding) recovered(recovered []string) {
	t := h.w.t
	t.Helper()
	h.job().do(0, "report", "--customer", h.customer, "--request", h.id, "--final").want(t, "outcome=failure")
	h.w.wantNothingPending()
	for range 2 {
		h.job().do(0, recovered...).says(t, "the state of shop/staging is in s3://provider-states/shop/staging/terraform.tfstate")
	}
	run := h.w.push("main", map[string]string{"infra/variables.yml": "# again\n" + variablesYML})
	trigger := h.w.newJob(run).start("trigger")
	again := &request{w: h.w, trigger: run, run: h.w.queued()}
	fetched := h.w.newJob(again.run).with(h.root()...).do(0, "fetch-vars")
	again.customer, again.id = fetched.outputs["customer"], fetched.outputs["request-id"]
	trigger.wait()
	// Nothing is made a second time, but for what another command replaces.
	h.w.newJob(again.run).with(h.root()...).do(0, again.args("plan", "staging")...).want(t, "create=0", "replace=1")
}

// TestBucketVanishes ends the server of store and backend in the middle of an
// apply. What was made is kept in a sealed file, and comes back from it.
func TestBucketVanishes(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, impatient)
	h := b.holding(w)
	j, end := h.broken(b.server.Stop)
	spare := j.spare(t)
	end.says(t, "keep the file "+spare, "metapipe state recover --customer shop --environment staging --request "+h.id+" --file "+spare, "no answer from "+b.server.Endpoint)
	h.job().do(1, "report", "--customer", h.customer, "--request", h.id, "--final").says(t, "no answer from "+b.server.Endpoint)
	b.server.Restart(t)
	h.recovered(h.recovery(spare))
}

// TestBucketIsFull fills the disk of the server in the middle of an apply.
func TestBucketIsFull(t *testing.T) {
	t.Parallel()
	if !canMount() {
		t.Skip("needs a small disk, and this user may not mount one")
	}
	disk := t.TempDir()
	check(t, mountSmall(disk, "64m"))
	t.Cleanup(func() { check(t, unmountSmall(disk)) })
	w := newWorld(t, impatient)
	b := tenant{t, miniotest.Start(t, miniotest.Options{KMS: true, Dir: filepath.Join(disk, "data")}), pipeline.Bucket{Name: "provider-states"}}
	b.server.Bucket(t, b.bucket.Name, true)
	h := b.holding(w)
	filler := filepath.Join(disk, "filler")
	j, end := h.broken(func() { fill(t, filler) })
	spare := j.spare(t)
	end.says(t, "keep the file "+spare, "the server has no room left")
	check(t, os.Remove(filler))
	b.awaitRoom()
	recovered := h.recovery(spare)
	// As when an earlier try has released the lock and got no further.
	for _, key := range b.keys(".tflock") {
		must(b.server.Client(b.server.Root()).DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.bucket.Name, Key: &key}))(t)
	}
	h.recovered(recovered)
}

// awaitRoom waits until the server has seen that its disk is not full any more.
func (b tenant) awaitRoom() {
	key := "probe"
	client := b.server.Client(b.server.Root())
	await(b.t, "the server to take objects again", func() bool {
		_, err := client.PutObject(b.t.Context(), &s3.PutObjectInput{Bucket: &b.bucket.Name, Key: &key, Body: strings.NewReader("")})
		return err == nil
	})
}

// fill writes until the disk is full.
func fill(t *testing.T, file string) {
	t.Helper()
	f := must(os.Create(file))(t)
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
	t := h.w.t
	t.Helper()
	output := h.job().do(0, args...).log
	begin, end := strings.Index(output, "{"), strings.LastIndex(output, "}")
	if begin < 0 || end < begin {
		t.Fatalf("no JSON:\n%s", output)
	}
	check(t, json.Unmarshal([]byte(output[begin:end+1]), into))
}

// TestBootstrapState looks, makes the bucket, and finds nothing left to do.
func TestBootstrapState(t *testing.T) {
	t.Parallel()
	b, w := newTenant(t), newWorld(t, nil)
	b.bucket.Name = "new-states"
	run := workflowRun{repo: w.manager, run: hub.Run{ID: 1, Attempt: 1, Event: "workflow_dispatch", Path: managerWorkflow, Actor: "robin"}, event: must(w.manager.ManualEvent(managerWorkflow, "main", nil, "robin"))(t), sha: must(w.manager.Head("main"))(t), ref: "refs/heads/main"}
	bootstrap := func(exit int, args ...string) result {
		t.Helper()
		return w.newJob(run).with(b.root()...).do(exit, append([]string{"bootstrap", "state"}, args...)...)
	}
	bootstrap(0).says(t, "s3://new-states", "versioning     missing", "nothing was changed: --apply sets the 9 that are missing", "policy of the role of fetch-vars:", `"arn:aws:s3:::new-states/*/requests/*"`)
	buckets := must(b.server.Client(b.server.Root()).ListBuckets(t.Context(), nil))(t)
	if len(buckets.Buckets) != 1 {
		t.Errorf("the dry run has made a bucket: %v", buckets.Buckets)
	}
	bootstrap(0, "--apply").says(t, "bucket         changed", "versioning     changed", "encryption     changed", "TLS only       changed", "lifecycle      changed")
	again := bootstrap(0, "--apply", "--customer", "shop", "--environment", "staging")
	again.says(t, "versioning     good", "TLS only       good", "lifecycle      good", `"arn:aws:s3:::new-states/shop/staging/plans/*"`)
	// fetch-vars finds the former name of a renamed customer in the last applies of all.
	others := strings.ReplaceAll(again.log, "new-states/*/applied/*.json", "")
	if strings.Contains(again.log, " changed ") || strings.Contains(others, "new-states/*/") {
		t.Errorf("the second time:\n%s", again.log)
	}
	bootstrap(1, "--log-bucket", "no-such-bucket", "--apply")
	w.commit(w.manager, "main", map[string]string{"metapipe.yml": "state: {directory: states}\nenvironments: [{name: staging}]\n"})
	run.sha = must(w.manager.Head("main"))(t)
	bootstrap(2).says(t, "metapipe.yml keeps states in the directory states")
}
