package strictyaml

import (
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/text"
)

var (
	namePattern    = text.Pattern(`^[A-Za-z_][A-Za-z0-9_.-]*[ \t]*$`)
	noBlankPattern = text.Pattern(`^([A-Za-z_][A-Za-z0-9_-]*):([^/:\s].*)$`)
	// equalsPattern matches "a = 1", and what other languages write: := == => ->
	equalsPattern = text.Pattern(`^([A-Za-z_][A-Za-z0-9_-]*)[ \t]*(:=|==?>?|->)[ \t]*([^\s=>].*)$`)
	// blankBeforePattern matches "a :1", and no :name: inside of a text.
	blankBeforePattern = text.Pattern(`^([A-Za-z_][A-Za-z0-9_-]*)[ \t]+:([^=/:\s][^:]*)$`)
	hyphenPattern      = text.Pattern(`^-([^-\s].*)$`)
	conflictPattern    = text.Pattern(`^(?:<{7,}|\|{7,}|={7,}|>{7,})(?:[ \t]|$)`)
)

var entryPattern = text.Pattern(`^[ \t]*(?:- +)*(?:"[^"]*"|'[^']*'|[A-Za-z_][A-Za-z0-9_.-]*)[ \t]*:(?:[ \t]|$)`)

var keyAlonePattern = text.Pattern(`^( *)("[^"]*"|'[^']*'|[^\s"'#-][^"'#]*?)[ \t]*:[ \t]*(?:#.*)?\r?$`)

// otherComment begins a comment in other languages.
var otherComment = text.Pattern(`^(//|/\*|<!--|--(?:\s|$)|;)`)

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

// looksLikeEntry reports that a line has the form of a key and a value.
func looksLikeEntry(s string) bool { return entryPattern().MatchString(s) }

// column is the place of a byte in a line, in characters from 1.
func column(s string, at int) int { return utf8.RuneCountInString(s[:at]) + 1 }

func isContent(s string) bool {
	s = strings.TrimSpace(s)
	return s != "" && s[0] != '#'
}

func isItem(s string) bool { return s == "-" || strings.HasPrefix(s, "- ") }
