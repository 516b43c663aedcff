package pipeline

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRefusedPayloadsKeepNoToken(t *testing.T) {
	t.Parallel()
	const jwt, github, pat = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvIn0.c2lnbmF0dXJlLW9mLWl0", "ghs_0123456789abcdefghijABCDEFGHIJ012345", "github_pat_11ABCDEFG0_abcdefghijklmnop"
	for name, payload := range map[string]string{
		"in its place":          `{"request":{"id":"1"},"proof":{"token":"` + jwt + `"}}`,
		"in another case":       `{"Proof":{"token":"` + jwt + `"}}`,
		"a field of a request":  `{"request":{"proof":{"token":"` + jwt + `"}}}`,
		"in a list":             `{"x":[["` + jwt + `"]]}`,
		"inside of a text":      `{"x":"Authorization: Bearer ` + jwt + `, please"}`,
		"a key":                 `{"` + jwt + `":1}`,
		"JSON in a text":        `{"x":"{\"token\":\"` + jwt + `\"}"}`,
		"escaped":               `{"x":"\u0065yJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvIn0.c2lnbmF0dXJlLW9mLWl0"}`,
		"a token of GitHub":     `{"x":"` + github + `"}`,
		"a personal one":        `{"request":{"commit":"` + pat + `"}}`,
		"not an object":         `"` + jwt + `"`,
		"not JSON":              jwt,
		"twice the same field":  `{"x":1,"x":"` + jwt + `"}`,
		"behind the first text": `{"x":1} {"y":"` + jwt + `"}`,
	} {
		kept := string(KeptPayload(json.RawMessage(payload)))
		for _, part := range []string{"eyJzdWIiOiJyZXBvIn0", "0123456789abcdefghij", "abcdefghijklmnop", "c2lnbmF0dXJl"} {
			if strings.Contains(kept, part) {
				t.Errorf("%s: kept %s", name, kept)
			}
		}
	}
	const harmless = `{"request":{"commit":"0123456789abcdef0123456789abcdef01234567","run_id":12345678901234567890,"version":"v1.2.3-rc.1+build.5"}}`
	if kept := string(KeptPayload(json.RawMessage(harmless))); kept != harmless {
		t.Errorf("changed: %s", kept)
	}
}
