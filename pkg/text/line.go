package text

import (
	"strings"
	"unicode"
)

// OneLine is s in one line: each run of white space, line ends and control characters
// becomes one space, and none stands at an end. Bytes that are no UTF-8 become U+FFFD.
func OneLine(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
