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

func startsForeign(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return isForeignSpace(r)
}
