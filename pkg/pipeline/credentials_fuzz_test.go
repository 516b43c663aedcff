package pipeline

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/metapipe/metapipe/testdata/untrusted"
)

// FuzzWithoutCredentials: nothing of a known form is left, twice is the same, and no
// character is cut.
func FuzzWithoutCredentials(f *testing.F) {
	for _, c := range untrusted.Credentials() {
		f.Add(c.Text)
		f.Add("x" + c.Text + "@" + c.Text)
	}
	for _, s := range untrusted.Strings(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean := WithoutCredentials(s)
		if what, found := FindCredential(clean); found {
			t.Errorf("%q became %q, which holds %s", s, clean, what)
		}
		if again := WithoutCredentials(clean); again != clean {
			t.Errorf("%q became %q and then %q", s, clean, again)
		}
		if utf8.ValidString(s) && (!utf8.ValidString(clean) || !utf8.ValidString(PublicMessage(s)) || !utf8.ValidString(Clip(s, 20))) {
			t.Errorf("%q is no text any more", s)
		}
		if n := len(Quote(s)); n > 4*maxQuoted+100 {
			t.Errorf("a quote has %d bytes", n)
		}
	})
}

// FuzzKeptPayload: what is kept is small, and JSON without a credential.
func FuzzKeptPayload(f *testing.F) {
	f.Add([]byte(`{"request":{"id":"1","x":[[[[[[[[1]]]]]]]]},"proof":{"token":"x"}}`))
	for _, c := range untrusted.Credentials() {
		b, err := json.Marshal(map[string]any{c.Text: []any{c.Text, map[string]any{"x": c.Text}}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		kept := KeptPayload(payload)
		if kept == nil {
			return
		}
		var values map[string]any
		if err := json.Unmarshal(kept, &values); err != nil {
			t.Fatalf("%q: %v", kept, err)
		}
		indented, err := json.MarshalIndent(values, "", "  ")
		if err != nil || len(indented) > 256<<10 {
			t.Errorf("%d bytes: %v", len(indented), err)
		}
		for name := range values {
			if what, found := FindCredential(name); found {
				t.Errorf("%q holds %s", name, what)
			}
		}
	})
}
