package drift

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestStacksDriftApart plays two stacks of one environment with the real tool: each drifts,
// gets an issue, and moves to the new name of its customer by itself.
func TestStacksDriftApart(t *testing.T) {
	t.Parallel()
	config := fixture.ProviderConfig(t, "local")
	dirs := map[string]string{"network": t.TempDir(), "hosts": t.TempDir()}
	files := map[string]string{}
	for stack, dir := range dirs {
		root := fixture.DriftFiles(dir)
		files["metapipe.yml"], files[stack+"/main.tf"] = root["metapipe.yml"], root["terraform/main.tf"]
	}
	files["metapipe.yml"] += "stacks:\n  - {name: network, root: network}\n  - {name: hosts, root: hosts}\n"
	w := fixture.New(t, files)
	w.Setenv("TF_CLI_CONFIG_FILE=" + config)
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n"}))
	for _, target := range []string{"staging/network", "staging/hosts"} {
		r.Do(0, "apply", target, "--receipt", r.Planned(target).Outputs["receipt"])
	}
	r.Report("--final")
	// look scans the fleet and returns what differs, by target.
	look := func(exit int, flags ...string) map[string][]pipeline.DriftKind {
		t.Helper()
		found := map[string][]pipeline.DriftKind{}
		for _, result := range fixture.ScanOf(t, w.DriftJob().Do(exit, append([]string{"drift", "--environment", "staging", "--issues", "10", "--json"}, flags...)...)).Results {
			found[result.String()] = result.Kinds
		}
		return found
	}
	if found := look(0); len(found) != 2 || len(found["shop/staging/network"])+len(found["shop/staging/hosts"]) != 0 {
		t.Errorf("after the applies: %v", found)
	}
	fixture.Check(t, os.Remove(filepath.Join(dirs["hosts"], "staging.txt")))
	found := look(6)
	if kinds := found["shop/staging/hosts"]; len(kinds) != 1 || kinds[0] != pipeline.DriftReal || len(found["shop/staging/network"]) != 0 {
		t.Errorf("one stack has lost its file: %v", found)
	}
	fixture.Check(t, os.Remove(filepath.Join(dirs["network"], "staging.txt")))
	look(6)
	titles := map[string]bool{}
	for _, issue := range w.Customer.Snapshot().Issues {
		titles[issue.Title] = true
		if !strings.Contains(issue.Body, "`shop` in `staging/") {
			t.Errorf("the issue does not name its stack:\n%s", issue.Body)
		}
	}
	for _, stack := range []string{"network", "hosts"} {
		if !titles["Infrastructure differs from what was applied: shop/staging/"+stack] || len(titles) != 2 {
			t.Errorf("the issues are %v", titles)
		}
	}
	renamesStacks(t, w)
}

// renamesStacks moves the customer, with each of its stacks, to another name.
func renamesStacks(t *testing.T, w *fixture.Setup) {
	t.Helper()
	states := map[string]string{}
	for _, stack := range []string{"network", "hosts"} {
		states[stack] = w.State("shop/staging." + stack)
	}
	w.RenameCustomer("shop", "store")
	w.DriftJob().Do(0, "customer", "rename", "shop", "store", "--apply").Says(t, "customer shop is store now")
	for stack, state := range states {
		if moved := w.State("store/staging." + stack); !strings.Contains(state, "staging.txt") || !strings.Contains(moved, "staging.txt") {
			t.Errorf("the state of %s under the new name: %q", stack, moved)
		}
	}
	r := w.Accept(w.Push("main", map[string]string{"infra/variables.yml": "name: shop\nenvironments:\n  staging: {}\n# again\n"}))
	for _, target := range []string{"staging/network", "staging/hosts"} {
		p := r.Do(0, "plan", target)
		p.Want(t, "outcome=waiting", "create=1") // the file that is gone, and nothing a second time
		r.Do(0, "apply", target, "--receipt", p.Outputs["receipt"])
	}
	r.Report("--final")
	w.DriftJob().Do(0, "drift", "--environment", "staging")
}
