package change_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

const goodFile = `{"version": 1, "kind": "tests", "rows": [{"place": {"id": 7, "name": "acme/shop"}, "what": "team", "old": "red", "new": ["b", "a"]}, ` +
	`{"place": {"name": "acme"}, "what": "team", "old": null, "new": {"b": 1, "a": 2.50}}]}`

func TestParseFile(t *testing.T) {
	t.Parallel()
	f, err := change.ParseFile([]byte(goodFile), "tests")
	if err != nil || len(f.Rows) != 2 || string(f.Rows[1].New) != `{"a":2.50,"b":1}` || string(f.Rows[1].Old) != "null" {
		t.Fatalf("%+v, %v", f, err)
	}
	for old, now := range map[string]string{
		`"version": 1`: `"version": 2`, `"kind": "tests"`: `"kind": "other"`, `"rows": [`: `"more": 1, "rows": [`, `"id": 7, `: ``, `{"name": "acme"}`: `{"id": 3, "name": "acme"}`,
		`acme/shop`: `acme/../x`, `"team", "old": "red"`: `"team\nx", "old": "red"`, `"old": "red", `: ``, `"old": null`: `"old": {"a": 2.50, "b": 1}`,
		`"place": {"name": "acme"}`: `"place": {"id": 7, "name": "acme/other"}`, `"id": 7`: `"id": -7`, `]}`: `]} x`, `"kind"`: `"undoes": "x", "kind"`, `{"place": {"name": "acme"}`: `{"place": {"name": "a b"}`,
	} {
		text := strings.Replace(goodFile, old, now, 1)
		if text == goodFile {
			t.Errorf("%s is not in the file", old)
		}
		if f, err := change.ParseFile([]byte(text), "tests"); err == nil {
			t.Errorf("%s is taken for %+v", text, f)
		}
	}
	for _, text := range []string{``, `null`, `[]`, `{"version": 1, "kind": "tests", "rows": []}`, strings.Repeat(" ", change.MaxFile+1)} {
		if _, err := change.ParseFile([]byte(text), "tests"); err == nil {
			t.Errorf("%.40s is taken for a file", text)
		}
	}
}

// FuzzParseFile: what is accepted is written as it was read.
func FuzzParseFile(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte(`{"version":1,"kind":"tests","rows":[{"place":{"id":1,"name":"a/b"},"what":"x","old":null,"new":1e400}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := change.ParseFile(raw, "tests")
		if err != nil {
			return
		}
		text := must(file.Encode())(t)
		again, err := change.ParseFile(text, "tests")
		if err != nil {
			t.Fatalf("%s is written as %s: %v", raw, text, err)
		}
		if !bytes.Equal(text, must(again.Encode())(t)) {
			t.Errorf("%s", text)
		}
	})
}
