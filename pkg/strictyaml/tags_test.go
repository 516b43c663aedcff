package strictyaml

import (
	"strings"
	"testing"
)

// TestBareTag holds for every place where a value or a key can have a tag.
func TestBareTag(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: ! 5\n", "a: !\n", "a: ! \"x\"\n", "a:\n  - ! 5\n", "a: [1, ! 5]\n", "a: {b: ! 5}\n", "! a: 1\n", "a: ! {b: 1}\n", "a: ! [b]\n", "a: ! |\n  x\n", "a: !\n  b: 1\n", "! {a: 1}\n",
	} {
		root, problems := Parse("f", []byte(text), options)
		if len(problems) != 1 || problems[0].Rule != RuleTag {
			t.Errorf("%q: %v", text, problems)
		}
		if problems.Err() == nil && root != nil {
			t.Errorf("%q was read without an error", text)
		}
	}
	for _, text := range []string{"a: \"! 5\"\n", "a: x ! 5\n", "a: |\n  ! 5\n", "a: b! c\n", "a: b # ! 5\n", "a: x\n  ! 5\n"} {
		if _, problems := Parse("f", []byte(text), options); strings.Contains(problems.Error(), "tag") {
			t.Errorf("%q: %v", text, problems)
		}
	}
}
