package render

import (
	"fmt"
	"html"
	"net/url"
	"strings"
)

// Limits for single pieces of untrusted text, in characters.
const (
	nameLimit     = 300  // resource addresses, attribute paths
	sentenceLimit = 600  // messages and remedies
	inlineLimit   = 160  // a value inside a sentence
	detailLimit   = 4000 // a provider's long explanation
	urlLimit      = 500  // bytes; longer addresses are not linked
)

// code encodes s as a code span. The delimiters are longer than any run of
// backticks inside, so the span cannot end early.
func code(s string) string { return codeSpan(tidy(s, toEscapes, nameLimit)) }

func codeSpan(s string) string {
	if strings.TrimSpace(s) == "" {
		return "(empty)"
	}
	delimiter := strings.Repeat("`", longestRun(s)+1)
	pad := ""
	if s[0] == '`' || s[len(s)-1] == '`' || s[0] == ' ' && s[len(s)-1] == ' ' {
		pad = " " // Markdown takes one space away on both sides
	}
	return delimiter + pad + s + pad + delimiter
}

// longestRun returns the length of the longest run of backticks in s.
func longestRun(s string) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

// cell makes encoded inline Markdown fit for a table cell, where a bar ends the
// cell even inside a code span unless a backslash stands before it. Renderers
// disagree about a bar that has a backslash already, so that one is replaced.
func cell(encoded string) string {
	if !strings.Contains(encoded, "|") {
		return encoded
	}
	return strings.ReplaceAll(strings.ReplaceAll(encoded, `\|`, `\¦`), "|", `\|`)
}

// fence encodes body, lines that end in \n, as a fenced block. The lines must be
// clean already.
func fence(language, body string) string {
	mark := strings.Repeat("`", max(3, longestRun(body)+1))
	return mark + language + "\n" + body + mark + "\n"
}

// htmlCode encodes s as <code> for use inside a one-line HTML block. GitHub does
// not look for mentions and references inside <code>.
func htmlCode(s string) string {
	return "<code>" + html.EscapeString(tidy(s, toEscapes, nameLimit)) + "</code>"
}

// folded returns a closed <details> block; summary must be encoded HTML on one
// line, and body Markdown.
func folded(summary, body string) string {
	return "<details><summary>" + summary + "</summary>\n\n" + body + "\n</details>\n\n"
}

// link returns a Markdown link, or the label alone when target is not a plain
// web address. The label must be encoded.
func link(label, target string) string {
	if a := address(target); a != "" {
		return "[" + label + "](" + a + ")"
	}
	return label
}

// address returns target fit for the parentheses of a Markdown link, or "" when
// it is not an http(s) URL with a host and without credentials.
func address(target string) string {
	if len(target) > urlLimit {
		return ""
	}
	u, err := url.Parse(target)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil {
		return ""
	}
	var out strings.Builder
	for _, c := range []byte(u.String()) {
		if c <= ' ' || c > '~' || strings.IndexByte("()<>\\`|\"'[]*_~", c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}
