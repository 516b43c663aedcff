package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
)

// TestDoctorOfAnAccount: doctor looks at the key and at each thing that metapipe.yml names in Spacelift.
func TestDoctorOfAnAccount(t *testing.T) {
	t.Parallel()
	l := newLift(t)
	only := func(want int) string {
		t.Helper()
		var ours []doctor.Check
		for _, c := range l.look(want) {
			if strings.HasPrefix(c.ID, "spacelift.") {
				ours = append(ours, c)
			}
		}
		return brief(ours)
	}
	if got := only(0); got != "" {
		t.Error(got)
	}
	file := filepath.Join(l.dir, "metapipe.yml")
	good := l.text(file)
	edit := strings.NewReplacer("space: infra-01", "space: Infrastructure", "approval_policy: require-approval", "approval_policy: tags", "policies: [tags]", "policies: [none]", "contexts: [aws]", "contexts: [gone]\n  worker_pool: away")
	l.ward.write(file, edit.Replace(good))
	want := "fail spacelift.space [Infrastructure]\nfail spacelift.policy [none]\nfail spacelift.policy [tags]\nfail spacelift.context [gone]\nfail spacelift.worker-pool [away]"
	if diff := cmp.Diff(want, only(6)); diff != "" {
		t.Error(diff)
	}
	l.ward.write(file, good)
	l.environ = append(l.environ, "SPACELIFT_API_KEY_SECRET=wrong-secret")
	if got := only(6); got != "fail spacelift.key ["+l.endpoint+"]" {
		t.Error(got)
	}
	l.environ = append(l.environ, "SPACELIFT_API_KEY_SECRET=")
	if got := only(0); got != "unknown spacelift.key ["+l.endpoint+"]" {
		t.Error(got)
	}
}
