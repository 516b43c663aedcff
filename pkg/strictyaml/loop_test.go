package strictyaml

import (
	"strings"
	"testing"
)

// TestLoops: a schema that leads back to itself for the same value is refused with its place.
func TestLoops(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"$ref": "#"}`: "s.json:1:10: a reference leads back",
		"{\"$defs\": {\n\"a\": {\"allOf\": [{\"$ref\": \"#/$defs/a\"}]}},\n\"$ref\": \"#/$defs/a\"}": "s.json:3:9: a reference leads back",
		`{"properties": {"a": {"$ref": "#"}}}`:                                                       "",
		`{"$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}`:                    "",
	} {
		_, err := Compile("s.json", []byte(text))
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
