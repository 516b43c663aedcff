package request

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// TestIssuerRotatesItsKeys: the customer's run signs, then the issuer gets a new
// key, then the manager's run verifies. A key that is withdrawn proves nothing.
func TestIssuerRotatesItsKeys(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		keepOld bool
		code    int
		want    []string
	}{
		"the old key is still published": {true, 0, []string{"outcome=requested"}},
		"the old key is withdrawn":       {false, 3, []string{"outcome=rejected", "reason=unverified-origin", "request-id="}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fixture.New(t, nil)
			run := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML})
			w.NewJob(run).Do(5, "trigger", "--pickup-timeout", "1s")
			fixture.Check(t, w.Hub.RotateKey(tc.keepOld))
			w.NewJob(w.Queued()).Do(tc.code, "fetch-vars").Want(t, tc.want...)

			// What is signed with the new key is believed either way.
			next := w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML + "# again\n"})
			w.NewJob(next).Do(5, "trigger", "--pickup-timeout", "1s")
			w.NewJob(w.Queued()).Do(0, "fetch-vars").Want(t, "outcome=requested")
		})
	}
}

// TestIssuerIsExact: where metapipe.yml names an issuer, no other is believed, the
// server's usual one included.
func TestIssuerIsExact(t *testing.T) {
	t.Parallel()
	w := fixture.New(t, map[string]string{"metapipe.yml": fixture.ManagerFiles["metapipe.yml"] + "issuer: https://token.actions.example.com/acme\n"})
	_, fetched := askInVain(w, w.Push("main", map[string]string{"infra/variables.yml": fixture.VariablesYML}))
	fetched.Want(t, "outcome=rejected", "reason=unverified-origin")
	fetched.Says(t, "only \"https://token.actions.example.com/acme\" is believed")
}
