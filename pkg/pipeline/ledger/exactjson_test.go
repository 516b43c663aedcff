package ledger

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// No form that is signed or trusted has two readings.
func TestTrustedFormsAreExact(t *testing.T) {
	t.Parallel()
	payload := func(b []byte) error { _, err := pipeline.ParsePayload(b); return err }
	chain := func(b []byte) error { _, err := parseEntry(b); return err }
	receipt := func(b []byte) error { _, err := pipeline.ParseReceipt(b); return err }
	for _, c := range []struct {
		name string
		read func([]byte) error
		raw  string
		want string
	}{
		{"payload", payload, `{"Request":{"version":1}}`, `"Request" differs from "request" in case only`},
		{"payload", payload, `{"request":{"Version":1}}`, `"Version" differs from "version" in case only`},
		{"payload", payload, `{"request":{"id":"a","id":"b"}}`, `"id" is there twice`},
		{"payload", payload, `{"request":{},"request":{}}`, `"request" is there twice`},
		{"ledger", chain, `{"Version":1}`, `"Version" differs from "version" in case only`},
		{"ledger", chain, `{"version":1,"version":1}`, `"version" is there twice`},
		{"receipt", receipt, `{"Version":1}`, `"Version" differs from "version" in case only`},
		{"receipt", receipt, `{"version":1,"version":1}`, `"version" is there twice`},
		{"receipt", receipt, `{"version":2,"cost":{"Before":"1"}}`, `"Before" differs from "before" in case only`},
		{"receipt", receipt, `{"version":2,"evidence":{"tool":"a","tool":"b"}}`, `"tool" is there twice`},
	} {
		if err := c.read([]byte(c.raw)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s of %s: %v, want %q", c.name, c.raw, err, c.want)
		}
	}
}
