package actions

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestOnDefaultBranch takes the full ref of the default branch and nothing else.
func TestOnDefaultBranch(t *testing.T) {
	t.Parallel()
	const known = `{"repository": {"default_branch": "trunk"}}`
	for name, c := range map[string]struct {
		event, ref, payload string
		fine                bool
	}{
		"the default branch":          {"workflow_dispatch", "refs/heads/trunk", known, true},
		"a dispatch":                  {"repository_dispatch", "refs/heads/trunk", known, true},
		"another event":               {"workflow_run", "refs/heads/trunk", known, true},
		"a schedule":                  {"schedule", "refs/heads/trunk", `{"schedule": "7 * * * *"}`, true},
		"a schedule of a branch":      {"schedule", "refs/heads/evil", known, false},
		"another branch":              {"workflow_dispatch", "refs/heads/evil", known, false},
		"a branch in another case":    {"workflow_dispatch", "refs/heads/Trunk", known, false},
		"a branch below it":           {"workflow_dispatch", "refs/heads/trunk/x", known, false},
		"a tag":                       {"workflow_dispatch", "refs/tags/trunk", known, false},
		"a pull request":              {"pull_request", "refs/pull/7/merge", known, false},
		"no ref":                      {"workflow_dispatch", "", known, false},
		"no repository":               {"workflow_dispatch", "refs/heads/trunk", `{}`, false},
		"an empty branch, no ref":     {"workflow_dispatch", "refs/heads/", `{"repository": {"default_branch": ""}}`, false},
		"a payload that is no object": {"workflow_dispatch", "refs/heads/trunk", `[]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "event.json")
			if err := os.WriteFile(file, []byte(c.payload), 0o600); err != nil {
				t.Fatal(err)
			}
			err := OnDefaultBranch(Context{InActions: true, EventName: c.event, EventPath: file, Ref: c.ref})
			var rejected *pipeline.RejectedError
			if (err == nil) != c.fine || err != nil && !errors.As(err, &rejected) && c.payload != "[]" {
				t.Errorf("got %v", err)
			}
		})
	}
}
