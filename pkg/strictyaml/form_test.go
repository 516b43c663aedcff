package strictyaml

import (
	"strings"
	"testing"
)

// TestKeysOfOneUnicodeForm holds that two keys which Terraform takes for one are
// refused with both lines, at every depth and in every style.
func TestKeysOfOneUnicodeForm(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an accent apart":  "men\u00fc: 1\nother: 2\nmenu\u0308: 3\n",
		"the other order":  "menu\u0308: 1\nother: 2\nmen\u00fc: 3\n",
		"an escape":        "men\u00fc: 1\nother: 2\n\"menu\\u0308\": 3\n",
		"in a flow map":    "a: {\"\u212b\": 1,\n b: 2,\n \"\u00c5\": 3}\n",
		"Hangul syllables": "\uac00: 1\nother: 2\n\u1100\u1161: 3\n",
	} {
		_, problems := Parse("f", []byte(text), options)
		found := 0
		for _, p := range problems {
			if p.Rule == RuleDuplicateKey && !p.Warning {
				found++
				if p.Line != 3 || !strings.Contains(p.Message, "line 1") || !strings.Contains(p.Message, "Unicode form") {
					t.Errorf("%s: %s", name, p)
				}
			}
		}
		if found != 1 {
			t.Errorf("%s: %d duplicates in %v", name, found, problems)
		}
	}
	if _, problems := Parse("f", []byte("men\u00fc: \u00fc\nmenu: u\nMEN\u00dc: 3\n"), options); len(problems) > 0 {
		t.Errorf("keys that differ: %v", problems)
	}
}

// TestTextOfAnotherForm warns of a key and of a text that Terraform changes, and
// keeps the key readable as the file has it.
func TestTextOfAnotherForm(t *testing.T) {
	t.Parallel()
	root, problems := Parse("f", []byte("a: menu\u0308\nn\u0303: [1, \"o\u0302\"]\n"), options)
	var lines []int
	for _, p := range problems {
		if p.Rule != RuleUnicodeForm || !p.Warning || !strings.Contains(p.Message, "NFC") {
			t.Errorf("%s", p)
		}
		lines = append(lines, p.Line)
	}
	if len(lines) != 3 {
		t.Errorf("warnings on lines %v", lines)
	}
	if root == nil || root.Get("n\u0303") == nil {
		t.Error("the key is lost")
	}
}
