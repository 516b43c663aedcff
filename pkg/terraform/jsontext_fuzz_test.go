package terraform

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
		for _, hidden := range []side{{value: text}, {value: text, present: true, sensitive: true}, {value: text, present: true, unknown: true}} {
			if _, ok := jsonText(hidden); ok {
				t.Fatalf("%q: decoded as %+v", text, hidden)
			}
		}
		value, ok := jsonText(side{value: text, present: true})
		if !ok {
			return
		}
		again, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if _, ok := jsonText(side{value: string(again), present: true}); !ok && len(again) <= maxJSONText {
			t.Fatalf("%q becomes %q, which is not compared as JSON", text, again)
		}
		if !json.Valid([]byte(strings.TrimSpace(text))) {
			t.Fatalf("%q is decoded and is not JSON", text)
		}
	})
}
