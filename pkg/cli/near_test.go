package cli

import "testing"

func TestNear(t *testing.T) {
	t.Parallel()
	root := NewRoot(&App{})
	for word, want := range map[string]string{
		"man": "", "plna": "plan", "aply": "apply", "valdate": "validate", "fetchvars": "fetch-vars", "fetch_vars": "fetch-vars", "drif": "drift", "sta": "", "stae": "state",
		"xyz": "", "ap": "", "ply": "", "mn": "", "led": "ledger", "Sweep": "sweep",
	} {
		if got := nearestCommand(root, word); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
