package runner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseOutputs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want map[string]string
		fail string
	}{
		"empty":                 {"", map[string]string{}, ""},
		"plain":                 {"a=1\nb=two=2\n", map[string]string{"a": "1", "b": "two=2"}, ""},
		"empty value":           {"a=\n", map[string]string{"a": ""}, ""},
		"heredoc":               {"a<<EOF\none\ntwo\nEOF\nb=1\n", map[string]string{"a": "one\ntwo", "b": "1"}, ""},
		"heredoc of nothing":    {"a<<EOF\nEOF\n", map[string]string{"a": ""}, ""},
		"heredoc without end":   {"a<<EOF\none\n", nil, "line 1"},
		"heredoc without name":  {"<<EOF\none\nEOF\n", nil, "line 1"},
		"heredoc, no delimiter": {"a<<\none\n\n", nil, "line 1"},
		"equals before heredoc": {"a=x<<EOF\n", map[string]string{"a": "x<<EOF"}, ""},
		"delimiter in value":    {"a<<EOF\n EOF\nEOFx\nEOF\n", map[string]string{"a": " EOF\nEOFx"}, ""},
		"injected line":         {"a<<R4ND\nb=2\nR4ND\n", map[string]string{"a": "b=2"}, ""},
		"later wins":            {"a=1\na=2\n", map[string]string{"a": "2"}, ""},
		"carriage returns":      {"a<<EOF\r\none\r\nEOF\r\n", map[string]string{"a": "one\r"}, ""},
		"no form":               {"hello\n", nil, "line 1"},
		"no name":               {"=1\n", nil, "without a name"},
		"too large":             {"a=" + strings.Repeat("x", maxOutputs), nil, "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseOutputs(c.text)
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Fatalf("got %v, want an error with %q", err, c.fail)
				}
				return
			}
			must(t, err)
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzOutputs(f *testing.F) {
	f.Add("a=1\nb<<E\nx\nE\n")
	f.Add("a<<\n<<b\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseOutputs(text)
		if err != nil {
			return
		}
		for name := range got {
			if name == "" || strings.ContainsAny(name, "\n") {
				t.Errorf("an output is called %q", name)
			}
		}
	})
}
