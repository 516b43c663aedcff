package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestCalledJobsMayDoWhatTheyAskFor holds the permissions of a called workflow against
// those of the jobs that call it: GitHub starts no run in which a called job asks for
// more (its page "Reusing workflow configurations").
func TestCalledJobsMayDoWhatTheyAskFor(t *testing.T) {
	t.Parallel()
	calls := 0
	for _, caller := range fixture.Must(filepath.Glob(filepath.Join(fixture.Root(t), "workflows", "manager", "*.yml")))(t) {
		for name, job := range fixture.ReadWorkflow(t, "manager/"+filepath.Base(caller)).Jobs {
			called, ok := strings.CutPrefix(job.Uses, "./.github/workflows/")
			if !ok {
				continue
			}
			calls++
			for inner, asks := range fixture.ReadWorkflow(t, "manager/"+called).Jobs {
				for right, level := range asks.Permissions {
					if fixture.Levels[level] > fixture.Levels[job.Permissions[right]] {
						t.Errorf("%s: the job %s gives %q for %s, and %s in %s asks for %q", filepath.Base(caller), name, job.Permissions[right], right, inner, called, level)
					}
				}
			}
		}
	}
	if calls == 0 {
		t.Error("no workflow calls another one")
	}
}
