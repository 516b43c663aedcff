// Package text holds rules about text that several packages must apply alike:
// how a secret may be spelled, where a secret stands in a text, and what a
// terminal escape sequence is.
package text

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MinSecret is the length in bytes below which a text is not looked for inside
// of others: it would be found everywhere.
const MinSecret = 4

// minFragment is that length for a part of a base64 text.
const minFragment = 6

// Spellings returns the forms in which a secret appears in logs, errors and
// values: itself without the white space around it, each of its lines of at
// least minLine bytes, and both as JSON (with and without HTML escapes, escaped
// to ASCII, and once more inside of JSON), percent-encoded as a query, a path, a
// component and user information (escapes in upper and lower case), with HTML
// entities, quoted for a shell and for HCL, in hexadecimal (both cases), and in
// base64 (standard and for URLs, also of UTF-16, inside of a longer text at any
// alignment, and twice). No form is shorter than MinSecret, none is twice there.
func Spellings(secret string, minLine int) []string {
	s := spellings{seen: map[string]bool{}}
	whole := strings.TrimSpace(secret)
	s.all(secret)
	s.all(whole)
	lines := strings.FieldsFunc(whole, func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range lines {
		if line = strings.TrimSpace(line); len(lines) > 1 && len(line) >= minLine {
			s.all(line)
		}
	}
	return s.forms
}

type spellings struct {
	forms []string
	seen  map[string]bool
}

func (s *spellings) add(forms ...string) {
	for _, form := range forms {
		if form = strings.TrimSpace(form); len(form) >= MinSecret && !s.seen[form] {
			s.seen[form] = true
			s.forms = append(s.forms, form)
		}
	}
}

// manyForms is the length in bytes above which only the usual forms of a text are
// made: each takes as much memory as the text.
const manyForms = 16 << 10

// all adds every form of one text.
func (s *spellings) all(text string) {
	if len(strings.TrimSpace(text)) < MinSecret {
		return
	}
	s.add(text)
	if len(text) > manyForms {
		s.add(jsonForms(text)[:2]...)
		s.base64([]byte(text))
		return
	}
	s.quoted(text)
	s.percent(text)
	s.add(entities(text)...)
	s.binary([]byte(text))
	s.base64(utf16Bytes(text, false))
	s.base64(utf16Bytes(text, true))
	// Twice, as a secret of Kubernetes that holds a docker configuration.
	s.base64([]byte(base64.StdEncoding.EncodeToString([]byte(text))))
}

// quoted adds what stands between the quotes of a string in JSON, HCL and shells.
func (s *spellings) quoted(text string) {
	for _, once := range jsonForms(text) {
		s.add(once)
		s.add(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(once)) // HCL
		s.add(jsonForms(once)...)
	}
	s.add(strings.ReplaceAll(text, "'", `'\''`), strings.ReplaceAll(text, "'", `'"'"'`), strings.ReplaceAll(text, "'", "''"))
	s.add(backslashed(text))
}

// jsonForms are the inner texts that encoders of JSON make of a string: with
// HTML escapes as Go does, without as most others, all but ASCII escaped as
// Python does, and with the slashes escaped as PHP does.
func jsonForms(text string) []string {
	var plain strings.Builder
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	escaped, err := json.Marshal(text)
	if err != nil || encoder.Encode(text) != nil {
		return nil // a string always encodes
	}
	inner := strings.TrimSuffix(plain.String(), "\n")
	inner = inner[1 : len(inner)-1]
	forms := []string{inner, string(escaped[1 : len(escaped)-1])}
	ascii := toASCII(inner, `\u%04x`, "")
	forms = append(forms, ascii, strings.ReplaceAll(inner, "/", `\/`), strings.ReplaceAll(ascii, "/", `\/`))
	// .NET escapes more, and in capital letters.
	return append(forms, toASCII(inner, `\u%04X`, ""), toASCII(text, `\u%04X`, "\"&'+<>`"), toASCII(text, `\u%04x`, "\"&'+<>`"))
}

// toASCII writes what is not ASCII, and the characters of also, by a format for each
// UTF-16 unit.
func toASCII(text, format, also string) string {
	var out strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && !strings.ContainsRune(also, r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, format, unit)
		}
	}
	return out.String()
}

// backslashed is text as `printf %q` of a shell writes it.
func backslashed(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && strings.ContainsRune(" !\"#$&'()*,;<>?[\\]^`{|}~", r) {
			out.WriteByte('\\')
		}
		out.WriteRune(r)
	}
	return out.String()
}

// percent adds the escapes of URLs. Encoders differ in what they leave alone.
func (s *spellings) percent(text string) {
	query := url.QueryEscape(text)
	component := strings.NewReplacer("+", "%20", "%21", "!", "%27", "'", "%28", "(", "%29", ")", "%2A", "*").Replace(query)
	forms := []string{
		query, url.PathEscape(text), strings.ReplaceAll(query, "+", "%20"), component,
		strings.TrimPrefix(url.UserPassword("", text).String(), ":"),
		(&url.URL{Path: text}).EscapedPath(), (&url.URL{Fragment: text}).EscapedFragment(),
	}
	for _, form := range forms {
		s.add(form, lowerEscapes(form))
		s.add(strings.ReplaceAll(form, "%", "%25"))
	}
}

// lowerEscapes writes percent escapes in small letters, as some encoders do.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// entities are the forms of text in HTML and XML, which name quotes in several ways.
func entities(text string) []string {
	escaped := html.EscapeString(text)
	forms := []string{escaped}
	for _, quotes := range [][2]string{{"&quot;", "&#39;"}, {"&#34;", "&apos;"}, {"&quot;", "&apos;"}, {"&#34;", "&#x27;"}, {"&quot;", "&#x27;"}, {`"`, "'"}, {`"`, "&#39;"}, {"&quot;", "'"}} {
		forms = append(forms, strings.NewReplacer("&#34;", quotes[0], "&#39;", quotes[1]).Replace(escaped))
	}
	// Numbers in the place of names, for as few and for as many characters as encoders do.
	for _, also := range []string{"&\"'<>", "&\"'<>/", "&\"'<>/+=`"} {
		for _, format := range []string{"&#%d;", "&#x%x;", "&#x%X;", "&#x%02x;"} {
			forms = append(forms, numeric(text, format, also))
		}
	}
	return forms
}

// numeric writes what is not ASCII, and the characters of also, as numbers.
func numeric(text, format, also string) string {
	var out strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && !strings.ContainsRune(also, r) {
			out.WriteRune(r)
			continue
		}
		fmt.Fprintf(&out, format, r)
	}
	return out.String()
}

// binary adds the forms of bytes.
func (s *spellings) binary(b []byte) {
	for _, format := range []string{"%x", "% x", "%X", "% X"} {
		s.add(fmt.Sprintf(format, b))
	}
	for _, each := range []string{"%02x:", "%02X:", `\x%02x`, `\x%02X`, "%%%02X", "%%%02x", `\%03o`} {
		var out strings.Builder
		for _, c := range b {
			fmt.Fprintf(&out, each, c)
		}
		s.add(strings.TrimSuffix(out.String(), ":"))
	}
	s.base64(b)
	// In lines, as base64, openssl and xxd write long ones.
	encoded := base64.StdEncoding.EncodeToString(b)
	s.lines(encoded, 76)
	s.lines(encoded, 64)
	s.lines(hex.EncodeToString(b), 60)
}

// lines adds the lines of a text that is wrapped at a column.
func (s *spellings) lines(text string, column int) {
	if len(text) <= column {
		return
	}
	for line := range slices.Chunk([]byte(text), column) {
		if len(line) >= 2*minFragment {
			s.add(string(line))
		}
	}
}

// base64 adds the characters that depend on nothing but b when 0, 1 or 2 bytes
// (mod 3) stand before it, as the user name does in basic authentication.
func (s *spellings) base64(b []byte) {
	for shift := range 3 {
		text := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), b...))
		from, to := (shift*8+5)/6, (shift+len(b))*8/6
		if to-from < minFragment {
			continue
		}
		fragment := text[from:to]
		s.add(fragment, strings.NewReplacer("+", "-", "/", "_").Replace(fragment))
	}
	if len(b)%3 != 0 {
		s.add(base64.StdEncoding.EncodeToString(b), base64.URLEncoding.EncodeToString(b))
	}
}

// utf16Bytes is text as PowerShell and Windows encode it before base64.
func utf16Bytes(text string, bigEndian bool) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		if bigEndian {
			out = append(out, byte(unit>>8), byte(unit))
		} else {
			out = append(out, byte(unit), byte(unit>>8))
		}
	}
	return out
}
