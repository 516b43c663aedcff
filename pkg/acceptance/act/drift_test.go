package act

import (
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/store/miniotest"
)

const driftWorkflow = "drift-detection.yml"

// scans runs the workflow of the schedule to its end.
func (w *actSetup) scans(inputs map[string]string) (steps []actStep, succeeded bool) {
	w.T.Helper()
	if inputs == nil {
		return w.manages(driftWorkflow, "schedule", map[string]any{"schedule": "23 4 * * *"}, nil)
	}
	return w.manages(driftWorkflow, "workflow_dispatch", map[string]any{"inputs": inputs, "repository": map[string]any{"default_branch": "main"}}, inputs)
}

// summaryOf is the last step of a scan, after as many shards as wanted.
func summaryOf(t *testing.T, steps []actStep, shards int) actStep {
	t.Helper()
	if len(steps) != shards+2 || !slices.Contains(steps[0].args, "list") || !slices.Contains(steps[len(steps)-1].args, "summary") {
		for _, s := range steps {
			t.Logf("%v → %s\n%s", s.args, s.exit, s.said)
		}
		t.Fatalf("%d steps, want a list, %d shards and a summary", len(steps), shards)
	}
	return steps[len(steps)-1]
}

// TestDriftWorkflow runs the scheduled workflow: three customers in shards, one of
// which cannot be read, and then one customer by hand.
func TestDriftWorkflow(t *testing.T) {
	t.Parallel()
	server := miniotest.Start(t, miniotest.Options{KMS: true})
	t.Run("drift", func(t *testing.T) { // the bucket is called like the test
		t.Parallel()
		driftInAct(t, server)
	})
}

func driftInAct(t *testing.T, server *miniotest.Server) {
	files := map[string]string{
		"metapipe.yml":         fixture.ManagerFiles["metapipe.yml"] + "drift: {pending: issue}\n",
		"customers/broken.yml": "repository: acme/shop\nrepository_id: 4711\npath: broken\nenvironments: [staging]\n",
		"customers/second.yml": "repository: acme/shop\nrepository_id: 4711\npath: second\nenvironments: [staging]\n",
		"customers/shop.yml":   "repository: acme/shop\nrepository_id: 4711\nenvironments: [staging]\n",
	}
	w := newActSetup(t, server, files)
	w.Commit(w.Customer, "main", map[string]string{"infra/variables.yml": fixture.VariablesYML, "second/variables.yml": fixture.VariablesYML, "broken/variables.yml": "name: [\n"})

	steps, succeeded := w.scans(nil)
	last := summaryOf(t, steps, 3)
	if succeeded || last.exit != "6" {
		t.Errorf("a scan with an error succeeded (%v), its summary ended with %s", succeeded, last.exit)
	}
	for _, want := range []string{"2 of 3 targets differ", "nothing is known about 1 of 3", "`broken/staging`", "`variables`", "[issue 1](", "[issue 2]("} {
		if !strings.Contains(last.summary, want) {
			t.Errorf("the summary lacks %q:\n%s", want, last.summary)
		}
	}
	if issues := w.Customer.Snapshot().Issues; len(issues) != 2 || !strings.Contains(issues[0].Body, "terraform_data.first") {
		t.Errorf("issues: %+v", issues)
	}
	w.states.WantNone("terraform.tfstate", "a scan")

	steps, succeeded = w.scans(map[string]string{"customer": "shop", "environment": "staging"})
	last = summaryOf(t, steps, 1)
	if !succeeded || last.exit != "0" || last.outputs["found"] != "1" || len(w.Customer.Snapshot().Issues) != 2 {
		t.Errorf("by hand: succeeded %v, exit %s, outputs %v\n%s", succeeded, last.exit, last.outputs, last.said)
	}
	if !strings.Contains(last.summary, "+") && !strings.Contains(last.summary, "-") {
		t.Errorf("the summary compares with no scan before:\n%s", last.summary)
	}
}
