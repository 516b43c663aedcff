package strictyaml

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isForeignSpace reports characters that look like a blank, or like nothing at
// all, and that YAML takes for text.
func isForeignSpace(r rune) bool {
	return r > unicode.MaxASCII && (r == '\u2800' ||
		unicode.In(r, unicode.Zs, unicode.Zl, unicode.Zp, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) &&
			!unicode.Is(unicode.Prepended_Concatenation_Mark, r))
}

const (
	typographicQuotes = "“”„‟«»‘’‚‛‹›＂＇″′"
	colonLookalikes   = "：；﹕︓꞉∶ː"
	dashLookalikes    = "–—−‐‑‒―•·▪◦∙－﹣"
)

var characterNames = map[rune]string{
	'\u00a0': "a no-break space", '\u202f': "a narrow no-break space", '\u3000': "an ideographic space", '\u2003': "an em space", '\u2002': "an en space",
	'\u2009': "a thin space", '\u200a': "a hair space", '\u2007': "a figure space", '\u2800': "a blank braille pattern", '\u200b': "a zero-width space",
	'\u200c': "a zero-width non-joiner", '\u200d': "a zero-width joiner", '\u2060': "a word joiner", '\u00ad': "a soft hyphen",
	'\u200e': "a left-to-right mark", '\u200f': "a right-to-left mark", '\u3164': "a Hangul filler", '\uff1a': "a full-width colon",
	'–': "an en dash", '—': "an em dash", '−': "a minus sign", '•': "a bullet",
}

// nameOf names a character for a person who cannot see the difference.
func nameOf(r rune) string {
	name, ok := characterNames[r]
	switch {
	case ok:
	case strings.ContainsRune(typographicQuotes, r):
		name = fmt.Sprintf("the typographic quote %c", r)
	case strings.ContainsRune(colonLookalikes, r):
		name = fmt.Sprintf("the character %c, which is no colon,", r)
	case strings.ContainsRune(dashLookalikes, r):
		name = fmt.Sprintf("the character %c, which is no hyphen,", r)
	case unicode.Is(unicode.Zs, r):
		name = "a space that YAML does not know"
	default:
		name = "an invisible character"
	}
	return fmt.Sprintf("%s (U+%04X)", name, r)
}

// misleading finds the first character of a value that a reviewer cannot see.
// Joiners and variation selectors belong to the letters and emoji before them,
// and wide spaces to the scripts that have them.
func misleading(s string) (rune, bool) {
	var before rune
	for i, r := range s {
		if isForeignSpace(r) {
			after, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
			joins := r == '\u200c' || r == '\u200d' || r == '\ufe0e' || r == '\ufe0f'
			inScript := before > unicode.MaxLatin1 && (joins || after > unicode.MaxLatin1 && unicode.Is(unicode.Zs, r))
			if !inScript {
				return r, true
			}
		}
		before = r
	}
	return 0, false
}

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

func startsForeign(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return isForeignSpace(r)
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
