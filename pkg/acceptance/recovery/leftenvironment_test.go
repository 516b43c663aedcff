package recovery

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestLeftEnvironment: an applied target stays in sight when metapipe.yml does not declare its
// environment any more, and when the customer's file does not allow it.
func TestLeftEnvironment(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]struct{ path, text, says string }{
		"not declared": {"metapipe.yml", "environments:\n  - {name: stage, branches: [main]}\n  - {name: production, branches: [main], gated: true}\nlimits: {lock_timeout: 0s}\n",
			"metapipe.yml does not declare the environment any more"},
		"not allowed": {"customers/shop.yml", fixture.ManagerFiles["customers/shop.yml"] + "environments: [production]\n", "does not allow the environment any more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			w.Deployed(fixture.VariablesYML)
			w.Commit(w.Manager, "main", map[string]string{file.path: file.text})
			w.DriftJob().Do(0, "state", "list").Says(t, "LEFT shop/staging", file.says)
			w.DriftJob().Do(0, "ledger", "--customer", "shop").Says(t, "shop/staging is applied", file.says)
			w.DriftJob().Do(6, "drift", "--customer", "shop").Says(t, "shop/staging", file.says)
			w.DriftJob().Do(6, "drift", "--environment", "staging").Says(t, "shop/staging", file.says)
			w.DriftJob().Do(6, "sweep").Says(t, "shop/staging", file.says)
		})
	}
}
