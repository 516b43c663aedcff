package text

import (
	"fmt"
	"unicode"
)

// Invisible reports a character that a reader does not see or takes for a plain
// space: control and format characters, what Unicode says may be ignored
// (fillers, joiners, variation selectors, tags), blank symbols, every space but the
// plain one, the stand-in for an object, and code points to which no font has to give
// a shape: those for private use, and those that Unicode has not assigned.
func Invisible(r rune) bool {
	if r < 0x80 {
		return r < ' ' || r == 0x7f
	}
	return r == '\u2800' || r == '\ufffc' || unassigned(r) || r == '\U0001d159' || r == '\U00016fe4' || // a blank pattern, note head and filler
		unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zs, unicode.Zl, unicode.Zp,
			unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)
}

// unassigned reports a code point without a character, as far as Go knows. Blocks of
// emoji are left out: they grow every year, and each font draws a box at least.
func unassigned(r rune) bool {
	emoji := r >= 0x1f300 && r <= 0x1faff
	return !emoji && !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
}

// EscapeRune writes a character as \u or \U and hexadecimal digits.
func EscapeRune(r rune) string {
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
