package pipeline

import "strings"

// WithoutKeys cuts the keys of all instances off the address of a resource: those of
// one for_each or count have the rest in common.
func WithoutKeys(address string) string {
	var out strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case quoted && c == '\\':
			i++
		case depth > 0 && c == '"':
			quoted = !quoted
		case !quoted && c == '[':
			depth++
		case !quoted && c == ']':
			depth--
		case depth == 0:
			out.WriteByte(c)
		}
	}
	return out.String()
}
