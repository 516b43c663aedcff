package text

import (
	"testing"
)

func TestOneLine(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "", " \r\n\t": "", "a": "a", " a\r\n\tb\u2028c ": "a b c", "a\x00\x1b[1mb": "a [1mb", "a\u00a0b\u0085c": "a b c", "a\xffb": "a\ufffdb", "\u200ba": "\u200ba",
	} {
		if got := OneLine(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}
