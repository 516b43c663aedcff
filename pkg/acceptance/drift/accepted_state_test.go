package drift

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// acceptedStates are contents in the place of a state, serial 7 of which was accepted, and
// the kind that a scan finds.
var acceptedStates = map[string]struct {
	content string // empty: none
	kind    pipeline.DriftKind
}{
	"as accepted": {acceptedState, pipeline.DriftError},
	"gone":        {"", pipeline.DriftLost},
	"older":       {strings.Replace(acceptedState, `"serial":7`, `"serial":6`, 1), pipeline.DriftLost},
	"edited":      {strings.Replace(acceptedState, `"resources":[`, `"resources":[{"mode":"managed","type":"terraform_data","name":"b","provider":"provider[\"terraform.io/builtin/terraform\"]","instances":[{"schema_version":0,"attributes":{"id":"x"}}]},`, 1), pipeline.DriftLost},
	"cut in half": {acceptedState[:len(acceptedState)/2], pipeline.DriftLost},
	"a page":      {"<html>502</html>", pipeline.DriftLost},
}

const acceptedState = `{"version":4,"terraform_version":"1.5.0","serial":7,"lineage":"11111111-2222-3333-4444-555555555555","outputs":{},"resources":[{"mode":"managed","type":"terraform_data","name":"a","provider":"provider[\"terraform.io/builtin/terraform\"]","instances":[{"schema_version":0,"attributes":{"id":"x"}}]}],"check_results":null}`

// TestAcceptedStateIsLost: a target that no apply has left, and that the operator has
// accepted, is looked at although the customer's file does not name it.
func TestAcceptedStateIsLost(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	file := w.StateFile("shop/staging")
	fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
	fixture.Check(t, os.WriteFile(file, []byte(acceptedState), 0o600))
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"})
	w.DriftJob().Do(0, "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "moved here by hand")
	for name, c := range acceptedStates {
		fixture.Check(t, os.RemoveAll(file))
		if c.content != "" {
			fixture.Check(t, os.WriteFile(file, []byte(c.content), 0o600))
		}
		found, _, _ := w.Scan(6)
		wantAccepted(t, name, c.kind, found.Kinds, found.Failure.Message)
	}

	fixture.Check(t, os.WriteFile(file, []byte(acceptedState), 0o600))
	laptop := func(exit int) fixture.Result {
		t.Helper()
		return w.DriftJob().With("GITHUB_ACTIONS=", "SOURCE_REPOS_PAT=").Do(exit, "drift", "--environment", "staging")
	}
	laptop(0).Says(t, "no variables of staging are on record (it was accepted at 2")
	fixture.Check(t, os.Remove(file))
	laptop(6).Says(t, "the state of shop/staging is lost: it was accepted at")
}

// TestDamagedStateOfNoApply: what lies in the place of a state that is not planned, and that
// no record knows, is damaged all the same.
func TestDamagedStateOfNoApply(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	file := w.StateFile("shop/staging")
	fixture.Check(t, os.MkdirAll(filepath.Dir(file), 0o700))
	fixture.Check(t, os.WriteFile(file, []byte(acceptedState[:40]), 0o600))
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"})
	if found, _, _ := w.Scan(6); !slices.Equal(found.Kinds, []pipeline.DriftKind{pipeline.DriftLost}) || !strings.Contains(found.Failure.Message, "is damaged") {
		t.Errorf("%+v", found)
	}
	fixture.Check(t, os.Remove(file))
	if found, _, _ := w.Scan(0); found.Skipped != "staging is not in variables.yml" {
		t.Errorf("%+v", found)
	}
}

func wantAccepted(t *testing.T, name string, kind pipeline.DriftKind, kinds []pipeline.DriftKind, message string) {
	t.Helper()
	if !slices.Equal(kinds, []pipeline.DriftKind{kind}) || kind == pipeline.DriftError && !strings.Contains(message, "staging has a state (it was accepted at") {
		t.Errorf("%s: %v, %s", name, kinds, message)
	}
}

// TestAcceptedStateOfABackend is the same where the tool alone reads the state.
func TestAcceptedStateOfABackend(t *testing.T) {
	t.Parallel()
	var content atomic.Value
	content.Store(acceptedState)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if content.Load() == "" || !strings.HasSuffix(r.URL.Path, "/staging") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(content.Load().(string)))
	}))
	t.Cleanup(server.Close)
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "state:\n  directory: " + t.TempDir() + "\n  backend:\n    type: http\n    config:\n      address: " + server.URL + "/{{ customer }}/{{ environment }}\n"})
	w.Setenv("METAPIPE_STORE=")
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n"})
	w.DriftJob().Do(0, "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "moved here by hand")
	for name, c := range acceptedStates {
		content.Store(c.content)
		found, _, _ := w.Scan(6)
		wantAccepted(t, name, c.kind, found.Kinds, found.Failure.Message)
	}
}
