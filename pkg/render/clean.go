package render

import (
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// breaks says what becomes of line breaks and tabs in untrusted text.
type breaks int

const (
	toSpaces  breaks = iota // for sentences
	toEscapes               // visible as \n, \r, \t: for names and values on one line
	kept                    // for blocks; CR LF becomes LF
)

// clean makes every character of s visible and harmless: control characters
// (so also ANSI sequences), bidirectional overrides and whatever else a reader
// does not see become \u escapes, invalid UTF-8 becomes U+FFFD. A reviewer shall
// see that something was hidden, so nothing is dropped.
func clean(s string, b breaks) string {
	if printable(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s) + 16)
	var sight text.Sight
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if b == kept && r == '\r' && strings.HasPrefix(s[i:], "\r\n") {
			i++
			continue
		}
		i += n
		out.WriteString(cleanRune(r, sight.Hidden(r), b))
	}
	return out.String()
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cleanRune writes one character; hidden is what text.Sight says of it.
func cleanRune(r rune, hidden bool, b breaks) string {
	switch r {
	case '\n', '\r', '\t':
		switch {
		case b == toSpaces:
			return " "
		case b == kept && r != '\r':
			return string(r)
		}
		return map[rune]string{'\n': `\n`, '\r': `\r`, '\t': `\t`}[r]
	}
	if !hidden {
		return string(r) // utf8.RuneError included
	}
	return text.EscapeRune(r)
}

// clip shortens s to at most limit characters, the ellipsis included; the least
// limit is 1. An escape that clean wrote stays whole, or is left out.
func clip(s string, limit int) string {
	clipped := pipeline.Clip(s, limit)
	if len(clipped) == len(s) || !strings.Contains(clipped[max(0, len(clipped)-maxEscape):], `\`) {
		return clipped
	}
	return halfEscape().ReplaceAllString(clipped, "…")
}

// halfEscape is the beginning of an escape where a text was clipped.
var halfEscape = text.Pattern(`\\(?:u[0-9a-f]{0,3}|U[0-9a-f]{0,7})…$`)

const maxEscape = len(`\U0001f600…`)

// tidy is clean and clip in one, in time that depends on limit and not on the
// length of s.
func tidy(s string, b breaks, limit int) string {
	if most := (max(limit, 1) + 1) * utf8.UTFMax; len(s) > most {
		s = s[:most] // what a cut rune becomes is behind the limit
	}
	return clip(clean(s, b), limit)
}

// plain encodes one line for a terminal or a commit status.
func plain(s string, limit int) string {
	return clip(strings.Join(strings.Fields(tidy(s, toSpaces, 4*limit)), " "), limit)
}
