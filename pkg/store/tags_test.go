package store

import (
	"encoding/hex"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func fingerprint(t testing.TB, s pipeline.Sealer, changes string) string {
	t.Helper()
	mac, err := s.MAC(t.Context(), pipeline.Target{Customer: "shop", Environment: "staging"})
	if err != nil {
		t.Fatal(err)
	}
	h := mac()
	h.Write([]byte("dropped"))
	h.Reset()
	h.Write([]byte(changes))
	sum := h.Sum(nil)
	if len(sum) != h.Size() {
		t.Errorf("the sum has %d bytes, Size says %d", len(sum), h.Size())
	}
	return hex.EncodeToString(sum)
}

// TestFingerprintsAcrossRotations compares a plan that a pull request showed with
// the one after its merge, while the key is changed in between.
func TestFingerprintsAcrossRotations(t *testing.T) {
	t.Parallel()
	older, old, next := NewKey(), NewKey(), NewKey()
	before, during, after := sealerOf(t, old), sealerOf(t, next, old), sealerOf(t, next)
	beforeTags := fingerprint(t, before, "changes")
	cases := map[string]struct {
		shown, planned string
		same, known    bool
	}{
		"no rotation":                {beforeTags, fingerprint(t, before, "changes"), true, true},
		"no rotation, other changes": {beforeTags, fingerprint(t, before, "others"), false, true},
		"begun in between":           {beforeTags, fingerprint(t, during, "changes"), true, true},
		"begun, other changes":       {beforeTags, fingerprint(t, during, "others"), false, true},
		"ended in between":           {fingerprint(t, during, "changes"), fingerprint(t, after, "changes"), true, true},
		"ended, other changes":       {fingerprint(t, during, "changes"), fingerprint(t, after, "others"), false, true},
		"the old key removed":        {beforeTags, fingerprint(t, after, "changes"), false, false},
		"three keys":                 {fingerprint(t, sealerOf(t, old, older), "changes"), fingerprint(t, sealerOf(t, next, old, older), "changes"), true, true},
		"an older form":              {beforeTags[2*idSize:], fingerprint(t, during, "changes"), true, true},
		"an older form, other":       {beforeTags[2*idSize:], fingerprint(t, during, "others"), false, false},
		"nothing":                    {"", beforeTags, false, false},
		"no fingerprint":             {"metapipe", beforeTags, false, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, pair := range [][2]string{{c.shown, c.planned}, {c.planned, c.shown}} {
				if same, known := pipeline.SameFingerprint(pair[0], pair[1]); same != c.same || known != c.known {
					t.Errorf("same %v, known %v; want %v, %v", same, known, c.same, c.known)
				}
			}
		})
	}
}

func TestAnyKeyOpens(t *testing.T) {
	t.Parallel()
	old, next := NewKey(), NewKey()
	before, during, after := sealerOf(t, old), sealerOf(t, next, old), sealerOf(t, next)
	for name, c := range map[string]struct{ by, with *Sealer }{
		"sealed before, opened during": {before, during},
		"sealed during, opened during": {during, during},
		"sealed during, opened after":  {during, after},
	} {
		got, err := unseal(c.with, seal(t, c.by, []byte("plan"), []byte("receipt")), []byte("receipt"))
		if err != nil || string(got) != "plan" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
