package main

import "testing"

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
			w := newWorld(t, nil)
			run := w.push("main", map[string]string{"infra/variables.yml": variablesYML})
			w.newJob(run).do(5, "trigger", "--pickup-timeout", "1s")
			check(t, w.hub.RotateKey(tc.keepOld))
			w.newJob(w.queued()).do(tc.code, "fetch-vars").want(t, tc.want...)

			// What is signed with the new key is believed either way.
			next := w.push("main", map[string]string{"infra/variables.yml": variablesYML + "# again\n"})
			w.newJob(next).do(5, "trigger", "--pickup-timeout", "1s")
			w.newJob(w.queued()).do(0, "fetch-vars").want(t, "outcome=requested")
		})
	}
}

// TestIssuerIsExact: where metapipe.yml names an issuer, no other is believed, the
// server's usual one included.
func TestIssuerIsExact(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"metapipe.yml": managerFiles["metapipe.yml"] + "issuer: https://token.actions.example.com/acme\n"})
	_, fetched := w.askInVain(w.push("main", map[string]string{"infra/variables.yml": variablesYML}))
	fetched.want(t, "outcome=rejected", "reason=unverified-origin")
	fetched.says(t, "only \"https://token.actions.example.com/acme\" is believed")
}
