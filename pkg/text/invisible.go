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

// Sight finds what a reader does not see in one text, given its characters in their
// order. The zero value is at the beginning of a text.
type Sight struct{ based bool } // the character before is a letter, or a mark on one

// Hidden reports a character that is Invisible, and a combining mark without a letter
// to carry it: at the beginning, behind a blank, a line break or any other character
// that is not a letter. Such a mark moves onto its neighbor or disappears. Each further
// mark on the same letter is seen.
func (s *Sight) Hidden(r rune) bool {
	switch {
	case Invisible(r):
		s.based = false
		return true
	case unicode.Is(unicode.M, r):
		return !s.based
	}
	s.based = unicode.IsLetter(r)
	return false
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
