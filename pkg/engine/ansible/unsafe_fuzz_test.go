package ansible

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// FuzzUnsafeYAML: a YAML reader gets the values of the JSON, each text with the tag, and none
// of it is JSON that Ansible would read in its own way.
func FuzzUnsafeYAML(f *testing.F) {
	for _, seed := range []string{`{"a": "{{ x }}", "b": [1, 1.5, true, null, {"c": "\u2028\u0085\ud83d\ude00\\\""}]}`, `"!vault x"`, `{"<<": {"a": "b"}, "? x": "- y", "#": "a: b"}`, `[]`, `{"a":"\u0000"}`, `{"` + strings.Repeat("k", 2000) + `": {"b": "c"}, "d": 1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var want any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if decoder.Decode(&want) != nil || decoder.More() {
			return
		}
		out, err := unsafeYAML(raw)
		if err != nil {
			return
		}
		var document yaml.Node
		if err := yaml.Unmarshal(out, &document); err != nil {
			if strings.Contains(err.Error(), "control characters") || bytes.Contains(out, []byte(`\ud`)) {
				return
			}
			t.Fatalf("%s: %v", out, err)
		}
		if got := plain(t, document.Content[0]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %#v, want %#v", out, got, want)
		}
	})
}

// plain is the value of a node, in which each text must have the tag.
func plain(t *testing.T, n *yaml.Node) any {
	t.Helper()
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Tag != "!!str" || n.Content[i].Style != yaml.DoubleQuotedStyle {
				t.Errorf("a key is %+v", n.Content[i])
			}
			object[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, plain(t, item))
		}
		return list
	}
	switch {
	case n.Tag == "!unsafe":
		return n.Value
	case n.Style != 0 || n.Tag == "!unsafe" || strings.ContainsAny(n.Value, "{}%#"):
		t.Errorf("a text without the tag: %+v", n)
	case n.Tag == "!!null":
		return nil
	case n.Tag == "!!bool":
		return n.Value == "true"
	}
	return json.Number(n.Value)
}
