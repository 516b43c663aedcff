package bucket

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

// TestDoctorOfABucket: doctor finds what a new bucket lacks, and nothing after `bootstrap state --apply`; it sets nothing itself, and
// without credentials it says so.
func TestDoctorOfABucket(t *testing.T) {
	t.Parallel()
	b := fixture.Tenant{T: t, Server: miniotest.Start(t, miniotest.Options{KMS: true})}
	b.Bucket.Name = "new-states"
	w := fixture.New(t, map[string]string{"metapipe.yml": "environments: [{name: staging}]\nstate: {bucket: new-states, region: us-east-1}\n"})
	run := fixture.WorkflowRun{Repo: w.Manager, Run: hub.Run{ID: 1, Attempt: 1, Event: "workflow_dispatch", Path: fixture.ManagerWorkflow, Actor: "robin"},
		Event: fixture.Must(w.Manager.ManualEvent(fixture.ManagerWorkflow, "main", nil, "robin"))(t), SHA: fixture.Must(w.Manager.Head("main"))(t), Ref: "refs/heads/main"}
	look := func(environ []string) map[doctor.State][]string {
		t.Helper()
		job := w.NewJob(run).With(environ...)
		end := job.Do(6, "doctor", "--json") // the repository of this setup has no rules
		_, text, _ := strings.Cut(end.Log, "\n{\n")
		text, _, _ = strings.Cut("{\n"+text, "\n}\n")
		var r doctor.Report
		if err := json.Unmarshal([]byte(text+"\n}"), &r); err != nil {
			t.Fatalf("%v\n%s", err, end.Log)
		}
		found := map[doctor.State][]string{}
		for _, c := range r.Checks {
			if c.ID == "store.bucket" || c.ID == "cloud.identity" {
				found[c.State] = append(found[c.State], c.ID+" "+c.Evidence)
			}
		}
		return found
	}
	before := look(b.Root())
	if n := len(before[doctor.Fail]); n != 9 || !slices.ContainsFunc(before[doctor.Fail], func(s string) bool { return strings.HasPrefix(s, "store.bucket versioning is not") }) {
		t.Errorf("a bucket that is not there: %d checks fail: %q", n, before)
	}
	if again := look(b.Root()); !slices.Equal(again[doctor.Fail], before[doctor.Fail]) {
		t.Errorf("doctor has set something: %q, then %q", before, again)
	}
	w.NewJob(run).With(b.Root()...).Do(0, "bootstrap", "state", "--apply")
	after := look(b.Root())
	for _, setting := range []string{"bucket: ", "versioning: ", "encryption: ", "TLS only: ", "lifecycle: "} { // MinIO does not know the others
		if !slices.ContainsFunc(after[doctor.OK], func(s string) bool { return strings.HasPrefix(s, "store.bucket "+setting) }) {
			t.Errorf("after bootstrap state --apply, no %q: %q", setting, after)
		}
	}
	b.Server.Stop()
	if gone := look(b.Root()); len(gone[doctor.OK]) != 0 || len(gone[doctor.Unknown]) == 0 {
		t.Errorf("a server that is gone: %q", gone)
	}
}
