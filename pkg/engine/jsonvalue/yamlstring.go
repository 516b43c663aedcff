package jsonvalue

import "fmt"

// AppendYAMLString appends a quoted string that every reader of YAML reads as it is: in ASCII,
// since YAML folds some characters that JSON keeps, with characters beyond 16 bits as YAML
// escapes them.
func AppendYAMLString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c >= 0x20 && c < 0x7f:
			b = append(b, byte(c))
		case c <= 0xffff:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = fmt.Appendf(b, `\U%08x`, c)
		}
	}
	return append(b, '"')
}

// maxPlainKey is how long a key may be in YAML without the mark of one, in bytes: readers look 1024 characters
// ahead for its colon.
const maxPlainKey = 1000

// AppendYAMLKey appends a quoted key of a map in braces, with its colon, however long it is.
func AppendYAMLKey(b []byte, key string) []byte {
	quoted := AppendYAMLString(nil, key)
	if len(quoted) > maxPlainKey {
		b = append(b, "? "...)
	}
	return append(append(b, quoted...), " : "...)
}
