// Package untrusted is the one corpus of hostile text: what customers, providers
// and strangers may write to make a reader, a renderer, a runner, a terminal or a
// file system do what they want. The tests of every sink go through all of it,
// and the fuzz targets begin with it.
package untrusted

import (
	_ "embed"
	"strconv"
	"strings"
	"testing"
)

//go:embed corpus.txt
var corpus string

// Strings returns the corpus. Its lines are Go string literals.
func Strings(t testing.TB) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(corpus) {
		s, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("corpus.txt: %s: %v", line, err)
		}
		out = append(out, s)
	}
	return out
}

// Obeys reports what a terminal would obey, reorder or hide in a text, and "" for
// a text in which every character can be seen. Line breaks are fine.
func Obeys(s string) string {
	for _, r := range strings.ReplaceAll(s, "\n", "") {
		hidden := r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xad || r == 0x61c || r == 0x180e || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
			r >= 0x2060 && r <= 0x206f || r == 0xfeff || r >= 0xe0000 && r <= 0xe007f
		if hidden {
			return strconv.QuoteRuneToASCII(r)
		}
	}
	return ""
}

// Command reports whether GitHub's runner would find a workflow command in a
// text: it trims the white space of each line and looks for "::" at its start,
// and for "##[" anywhere.
func Command(s string) bool {
	for line := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			return true
		}
	}
	return false
}
