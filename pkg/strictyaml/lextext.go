package strictyaml

import (
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/text"
)

func isBlankByte(c byte) bool { return c == ' ' || c == '\t' }

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= utf8.RuneSelf
}

// endsWord reports that a blank or the end of the line stands at i.
func endsWord(s string, i int) bool { return i >= len(s) || isBlankByte(s[i]) }

// spaces counts the bytes of blanks at the beginning of s; more names further
// characters to take for blanks.
func spaces(s string, more func(rune) bool) int {
	n := 0
	for n < len(s) {
		if isBlankByte(s[n]) {
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		if more == nil || !more(r) {
			break
		}
		n += size
	}
	return n
}

// word is the text up to the next blank, in a flow also up to its punctuation.
func word(s string, flow bool) string {
	stop := " \t"
	if flow {
		stop += ",[]{}"
	}
	if i := strings.IndexAny(s, stop); i >= 0 {
		return s[:i]
	}
	return s
}

var entryPattern = text.Pattern(`^[ \t]*(?:- +)*(?:"[^"]*"|'[^']*'|[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*:(?:[ \t]|$)`)

// looksLikeEntry reports that a line has the form of a key and a value.
func looksLikeEntry(s string) bool { return entryPattern().MatchString(s) }

// column is the place of a byte in a line, in characters from 1.
func column(s string, at int) int { return utf8.RuneCountInString(s[:at]) + 1 }
