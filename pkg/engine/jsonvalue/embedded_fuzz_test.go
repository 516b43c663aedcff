package jsonvalue

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is compared as JSON is one object or list, and decodes to the same value
// again. What is unknown or sensitive is not decoded.
func FuzzJSONText(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":null}]}`, ` [] `, `{"a":1,"a":2}`, `{"a":1}{}`, `{"a":1e999}`, "[", `"a"`, strings.Repeat("[", 2*maxDepth)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, hidden := range []Side{{Value: text}, {Value: text, Present: true, Sensitive: true}, {Value: text, Present: true, Unknown: true}} {
			if _, ok := Embedded(hidden); ok {
				t.Fatalf("%q: decoded as %+v", text, hidden)
			}
		}
		value, ok := Embedded(Side{Value: text, Present: true})
		if !ok {
			return
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if _, ok := Embedded(Side{Value: string(again), Present: true}); !ok && len(again) <= maxJSONText {
			t.Fatalf("%q becomes %q, which is not compared as JSON", text, again)
		}
		if !json.Valid([]byte(strings.TrimSpace(text))) {
			t.Fatalf("%q is decoded and is not JSON", text)
		}
	})
}
