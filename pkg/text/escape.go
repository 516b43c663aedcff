package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxEscape bounds an escape sequence, in bytes. A longer one is text: nothing
// that a terminal shows for it would be missing.
const maxEscape = 64 << 10

// Escape returns the length of the terminal escape sequence that s begins with,
// 0 when it begins with none. whole is false when s ends inside of it, so that
// the rest may be still to come. It knows the forms of ECMA-48: CSI (ESC [ …, or
// U+009B), the strings that end with ST or BEL (OSC, DCS, SOS, PM, APC), and the
// sequences of two and three characters.
func Escape(s string) (n int, whole bool) {
	rest, found := strings.CutPrefix(s, "\x1b")
	kind := byte(0)
	switch {
	case found && rest == "":
		return len(s), false
	case found:
		kind = rest[0]
		rest = rest[1:]
	case len(s) > 1 && s[0] == 0xc2 && introducers[s[1]] != 0:
		kind, rest = introducers[s[1]], s[2:]
	default:
		return 0, true
	}
	if kind == '\x1b' { // begins a sequence anew
		return 1, true
	}
	before := len(s) - len(rest)
	end, whole := 0, true
	switch {
	case kind == '[':
		end, whole = controlSequence(rest)
	case strings.IndexByte("]PX^_", kind) >= 0:
		end, whole = controlString(rest)
	case kind >= 0x20 && kind <= 0x2f: // an intermediate character, and the final one
		if rest == "" {
			return len(s), false
		}
		end = 1
	}
	if end > maxEscape {
		return 0, true
	}
	return before + end, whole
}

// introducers are the C1 controls that begin a sequence, by their second byte in
// UTF-8: the letter that stands for each behind ESC.
var introducers = map[byte]byte{0x90: 'P', 0x98: 'X', 0x9b: '[', 0x9d: ']', 0x9e: '^', 0x9f: '_'}

// controlSequence is the length of the parameters and the final character of a CSI.
func controlSequence(s string) (n int, whole bool) {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 0x40 && c <= 0x7e:
			return i + 1, true
		case c < 0x20 || c > 0x3f:
			return i, true // broken off: a terminal shows what follows
		}
	}
	return len(s), false
}

// controlString is the length of a string up to its terminator, and with it.
func controlString(s string) (n int, whole bool) {
	for i := range len(s) {
		switch {
		case s[i] == '\a':
			return i + 1, true
		case s[i] == '\n', s[i] == '\r':
			return i, true // broken off
		case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
			return i + 2, true
		}
	}
	return len(s), false
}

// Unseen returns the length of what s begins with and no reader sees: a terminal
// escape sequence, a control but for line breaks and tabs, or a character without a
// shape. It is 0 for everything else; whole is false when s ends inside of it.
func Unseen(s string) (n int, whole bool) {
	if n, whole := Escape(s); n > 0 || s == "" {
		return n, whole
	}
	if c := s[0]; c < utf8.RuneSelf {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			return 1, true
		}
		return 0, true
	}
	if !utf8.FullRuneInString(s) {
		return len(s), false
	}
	r, size := utf8.DecodeRuneInString(s)
	if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) {
		return size, true
	}
	return 0, true
}

// StripUnseen removes what Unseen finds.
func StripUnseen(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		if n, _ := Unseen(s[i:]); n > 0 {
			i += n
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return out.String()
}

// StripEscapes removes terminal escape sequences.
func StripEscapes(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); {
		if n, _ := Escape(s[i:]); n > 0 {
			i += n
			continue
		}
		out.WriteByte(s[i])
		i++
	}
	return out.String()
}
