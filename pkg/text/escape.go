package text

import "strings"

// maxEscape bounds an escape sequence, in bytes. A longer one is text: nothing
// that a terminal shows for it would be missing.
const maxEscape = 4096

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
	case strings.HasPrefix(s, "\u009b"):
		kind, rest = '[', s[2:]
	case strings.HasPrefix(s, "\u009d"):
		kind, rest = ']', s[2:]
	default:
		return 0, true
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
		case s[i] == '\n':
			return i, true // broken off
		case strings.HasPrefix(s[i:], "\x1b\\"), strings.HasPrefix(s[i:], "\u009c"):
			return i + 2, true
		}
	}
	return len(s), false
}

// StripEscapes removes terminal escape sequences.
func StripEscapes(s string) string {
	if !strings.ContainsAny(s, "\x1b\u009b\u009d") {
		return s
	}
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
