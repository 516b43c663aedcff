package drift

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestDriftOfNeeds: a scan of a stack uses the outputs that the needed one has now. What
// differs since they changed waits for its apply, and is no drift.
func TestDriftOfNeeds(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{
		"metapipe.yml":    "environments: [{name: staging}]\ncustomer_variables: [\"*\"]\nstacks:\n  - {name: network, root: network}\n  - {name: hosts, root: hosts, needs: [network]}\n",
		"network/main.tf": "variable \"size\" { type = number }\nresource \"terraform_data\" \"n\" { input = \"net-${var.size}\" }\noutput \"id\" { value = terraform_data.n.output }\n",
		"hosts/main.tf":   "variable \"network\" { type = object({ id = string }) }\nresource \"terraform_data\" \"h\" { input = var.network.id }\n",
	})
	look := func(exit int) map[string][]pipeline.DriftKind {
		t.Helper()
		found := map[string][]pipeline.DriftKind{}
		for _, result := range fixture.ScanOf(t, w.DriftJob().Do(exit, "drift", "--environment", "staging", "--json")).Results {
			found[result.String()] = result.Kinds
		}
		return found
	}
	deploy := func(size string, targets ...string) {
		t.Helper()
		r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "size: " + size + "\nenvironments:\n  staging: {}\n"}))
		for _, target := range targets {
			r.Do(0, "apply", target, "--receipt", r.Planned(target).Outputs["receipt"])
		}
		r.Report("--final")
	}
	deploy("1", "staging/network", "staging/hosts")
	if found := look(0); len(found["shop/staging/network"])+len(found["shop/staging/hosts"]) != 0 {
		t.Errorf("after the applies: %v", found)
	}
	deploy("2", "staging/network")
	if kinds := look(6)["shop/staging/hosts"]; len(kinds) != 1 || kinds[0] != pipeline.DriftPending {
		t.Errorf("the outputs have changed: %v", kinds)
	}
	fixture.Check(t, os.RemoveAll(filepath.Join(w.Store, "shop", "staging.network", "outputs")))
	if kinds := look(6)["shop/staging/hosts"]; len(kinds) != 1 || kinds[0] != pipeline.DriftError {
		t.Errorf("the outputs are gone: %v", kinds)
	}
}
