package request

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
)

// TestStatus asks for the status of the fleet on the way of a request.
func TestStatus(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	fixture.Check(t, w.Manager.SetEnvironment("production-apply", hub.EnvironmentRules{Reviewers: []string{"robin"}}))
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  production: {}\n  staging: {}\n"}))
	status := func(exit int, more ...string) fixture.Result {
		t.Helper()
		return w.NewJob(r.Run).Do(exit, append([]string{"status"}, more...)...)
	}
	line := func(target string) []string {
		t.Helper()
		for line := range strings.Lines(status(0).Log) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == target {
				return fields
			}
		}
		t.Fatalf("%s is not there: %s", target, status(0).Log)
		return nil
	}
	if got := line("shop/staging"); got[1] != "requested" || got[3] != r.ID[:8] || got[4] != "casey" {
		t.Errorf("%q", got)
	}
	planned := r.Planned("staging")
	if got := line("shop/staging"); got[1] != "waiting" {
		t.Errorf("%q", got)
	}
	r.Do(0, "apply", "staging", "--receipt", planned.Outputs["receipt"])
	r.Planned("production")
	status(0, "--environment", "production").Says(t, "1 target: 1 waiting", "shop/production", "an approval in production-apply")

	var printed fleetstatus.Fleet
	_, object, _ := strings.Cut(status(0, "--customer", "shop", "--json").Log, "\n{") // after the masks
	fixture.Check(t, json.Unmarshal([]byte("{"+object), &printed))
	if len(printed.Targets) != 2 || printed.Targets[0].State != "applied" || printed.Targets[0].LastApply == nil || string(printed.Targets[0].LastApply.Request) != r.ID ||
		printed.Targets[0].LastApply.Actor != "casey" || printed.Targets[1].State != "waiting" || printed.DriftUnread != "" || printed.Targets[0].Drift != nil {
		t.Errorf("%+v", printed)
	}
	w.NewJob(r.Run).With("METAPIPE_KEY=").Do(0, "status").Says(t, "nothing is known of drift: METAPIPE_KEY is not set", "unknown")

	status(2, "--customer", "shpo").Says(t, "one of shop")
	status(2, "--environment", "prod").Says(t, "production")
	// A broken file says nothing of its customer, and hides no other one.
	broken := func(exit int, more ...string) fixture.Result {
		t.Helper()
		j := w.NewJob(r.Run)
		fixture.Check(t, os.WriteFile(filepath.Join(j.Workspace(), "customers", "blog.yml"), []byte("repositroy: acme/blog\n"), 0o600))
		return j.Do(exit, append([]string{"status"}, more...)...)
	}
	broken(1).Says(t, "2 of 4 targets could not be read", "✗ blog/staging: customers/blog.yml has problems", "repositroy", "shop/production", "an approval in production-apply")
	broken(1, "--customer", "blog").Says(t, "2 of 2 targets could not be read")
	broken(0, "--customer", "shop")
	fixture.Check(t, os.WriteFile(filepath.Join(w.Store, "shop", "staging", "ledger", "0000000009.json"), []byte("{}"), 0o600))
	status(1).Says(t, "1 of 2 targets could not be read", "✗ shop/staging: read the ledger of shop/staging", "shop/production")
}
