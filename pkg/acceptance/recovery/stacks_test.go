package recovery

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// stacksFile is metapipe.yml with two stacks; the first one has the root that there was before.
const stacksFile = `
environments:
  - {name: staging, branches: [main]}
  - {name: production, branches: [main], gated: true}
stacks:
  - {name: network, root: terraform}
  - {name: hosts, root: hosts}
limits: {lock_timeout: 0s}
`

// TestStacksOfADeployedCustomer: with stacks, a customer that was deployed without them is
// refused until an operator has moved its state to the stack that has its root now. Then that
// stack has nothing to change, and the other one is built.
func TestStacksOfADeployedCustomer(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, nil)
	w.Deployed(fixture.VariablesYML)
	w.Commit(w.Manager, "main", map[string]string{"metapipe.yml": stacksFile, "hosts/main.tf": fixture.ManagerFiles["terraform/main.tf"]})
	run := w.Push("main", map[string]string{"infra/README.md": "again\n"})
	_, refused := w.Ask(run, 3)
	refused.Want(t, "reason=environment-renamed", "targets=[]")
	refused.Says(t, "does not declare the stack of shop/staging any more")
	w.DriftJob().Do(0, "state", "list").Says(t, "LEFT shop/staging", "metapipe.yml names stacks now, and the target has none")

	moved := filepath.Dir(w.StateFile("shop/staging.network"))
	fixture.Check(t, os.MkdirAll(moved, 0o700))
	fixture.Check(t, os.Rename(w.StateFile("shop/staging"), w.StateFile("shop/staging.network")))
	w.DriftJob().Do(4, "state", "accept", "--customer", "shop", "--environment", "staging", "--stack", "network", "--reason", "not given away yet").Says(t, "shop/staging")
	w.DriftJob().Do(0, "state", "accept", "--customer", "shop", "--environment", "staging", "--reason", "moved to the stack network")
	w.DriftJob().Do(0, "state", "accept", "--customer", "shop", "--environment", "staging", "--stack", "network", "--reason", "moved from before stacks")

	r := w.Accept(w.Push("main", map[string]string{"infra/README.md": "once more\n"}))
	r.Do(0, "plan", "staging/network").Want(t, "outcome=no-changes")
	r.Do(0, "plan", "staging/hosts").Want(t, "outcome=waiting", "create=2")
	if state := w.State("shop/staging.network"); !strings.Contains(state, "shop in staging") {
		t.Errorf("the moved state: %s", state)
	}
}
