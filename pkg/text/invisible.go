package text

import (
	"fmt"
	"unicode"
)

// Invisible reports a character that a reader does not see or takes for a plain
// space: control and format characters, what Unicode says may be ignored
// (fillers, joiners, variation selectors, tags), blank symbols, every space but the
// plain one, and code points to which no font has to give a shape.
func Invisible(r rune) bool {
	if r < 0x80 {
		return r < ' ' || r == 0x7f
	}
	return r == '\u2800' || r == '\U0001d159' || r == '\U00016fe4' || // a blank pattern, note head and filler
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zs, unicode.Zl, unicode.Zp,
			unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)
}

// EscapeRune writes a character as \u or \U and hexadecimal digits.
func EscapeRune(r rune) string {
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
