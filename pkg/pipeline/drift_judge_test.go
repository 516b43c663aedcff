package pipeline

import (
	"strings"
	"testing"
)

func TestWildcard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.bc", false}, {"*", "", true}, {"*", "x", true},
		{"module.*.aws_instance.web", "module.a.module.b.aws_instance.web", true},
		{`aws_instance.web["*"]`, `aws_instance.web["x"]`, true}, {`aws_instance.web["*"]`, `aws_instance.web`, false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"*b*", "abc", true}, {"a*b*c", "acb", false}, {"", "", true}, {"", "a", false},
	} {
		if got := wildcard(c.pattern, c.text); got != c.want {
			t.Errorf("wildcard(%q, %q) = %v", c.pattern, c.text, got)
		}
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b", "axxb", "x")
	f.Fuzz(func(t *testing.T, pattern, text, middle string) {
		if strings.Contains(pattern, "*") == false && wildcard(pattern, text) != (pattern == text) {
			t.Errorf("without a star %q is itself only, and matched %q", pattern, text)
		}
		if !strings.Contains(text, "*") && !wildcard(text+"*"+text, text+middle+text) {
			t.Errorf("%q does not match around %q", text, middle)
		}
		rule := IgnoreRule{Address: pattern, Attribute: text}
		if rule.Hides(middle, "") {
			t.Error("a rule for an attribute hid a whole resource")
		}
	})
}

func TestIgnoreRulesCoverWhatLiesBelow(t *testing.T) {
	t.Parallel()
	rule := IgnoreRule{Address: "aws_instance.*", Attribute: "tags.Scan*"}
	for path, want := range map[string]bool{"tags.ScannedAt": true, "tags.Scan.at[0]": true, "tags": false, "tags.Owner": false, "x.tags.Scan": false} {
		if got := rule.Hides("aws_instance.web", path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
	whole := IgnoreRule{Address: "aws_instance.web"}
	if !whole.Hides("aws_instance.web", "") || !whole.Hides("aws_instance.web", "ami") && whole.Attribute != "" || whole.Hides("aws_instance.other", "") {
		t.Error("a rule without an attribute is for the whole resource")
	}
}
