package strictyaml

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// foreignInPlain finds a character in a line of a plain scalar that is meant as
// part of YAML and is none: at is its byte, problem says what is wrong with it.
func foreignInPlain(s string, t plainText) (at int, problem, remedy string) {
	text := s[t.start:t.end]
	first, size := utf8.DecodeRuneInString(text)
	last, lastSize := utf8.DecodeLastRuneInString(text)
	what := "the value"
	if t.key {
		what = "the key"
	}
	switch {
	case t.key && strings.IndexFunc(text, isForeignSpace) >= 0:
		at = strings.IndexFunc(text, isForeignSpace)
		r, _ := utf8.DecodeRuneInString(text[at:])
		return t.start + at, "the key holds " + nameOf(r), "write the key again with plain letters and blanks"
	case isForeignSpace(first):
		return t.start, what + " begins with " + nameOf(first), "replace it by a plain blank"
	case isForeignSpace(last):
		return t.end - lastSize, what + " ends with " + nameOf(last), "remove it, or put the value in quotes"
	case strings.ContainsRune(typographicQuotes, first) && (first != '’' || strings.ContainsRune(typographicQuotes, last)):
		return t.start, what + " begins with " + nameOf(first) + ", which is text to YAML", `write the plain quote ", or put the whole in plain quotes`
	case t.first && !t.goesOn && strings.ContainsRune(dashLookalikes, first) && len(text) > size && (isBlankByte(text[size]) || startsForeign(text[size:])):
		return t.start, "the line begins with " + nameOf(first) + ", which makes no list item", `begin the item with a plain "- "`
	}
	return foreignInside(s, t)
}

// foreignInside looks behind the indicators that YAML knows only with a blank.
func foreignInside(s string, t plainText) (at int, problem, remedy string) {
	text := s[t.start:t.end]
	for i, r := range text {
		rest := text[i+utf8.RuneLen(r):]
		next, _ := utf8.DecodeRuneInString(rest)
		switch {
		case isForeignSpace(r) && strings.HasPrefix(rest, "#"):
			return t.start + i, nameOf(r) + " stands before #, so no comment begins there", "replace it by a plain blank"
		case i == 0 && (r == '-' || r == '?') && isForeignSpace(next):
			return t.start + 1, nameOf(next) + fmt.Sprintf(" stands behind %c", r), "replace it by a plain blank"
		case t.first && !t.key && r == ':' && isForeignSpace(next) && namePattern().MatchString(text[:i]):
			return t.start + i + 1, nameOf(next) + " stands behind the colon", "replace it by a plain blank"
		case t.first && !t.key && strings.ContainsRune(colonLookalikes, r) && namePattern().MatchString(text[:i]):
			return t.start + i, nameOf(r) + " stands behind the key", `write a plain colon and a blank: "key: value"`
		}
	}
	return 0, "", ""
}
