package iam

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// code is Terraform code, line by line, as `terraform fmt` writes it.
type code []line

// line is an attribute whose value is on one line, or else text without a name.
type line struct {
	depth int
	name  string
	text  string
}

// String aligns the values of attributes that follow each other.
func (c code) String() string {
	var out strings.Builder
	for rest := c; len(rest) > 0; {
		end := slices.IndexFunc(rest, func(l line) bool { return l.name == "" })
		if end < 0 {
			end = len(rest)
		}
		width := 0
		for _, l := range rest[:end] {
			width = max(width, len(l.name))
		}
		for _, l := range rest[:end] {
			fmt.Fprintf(&out, "%s%-*s = %s\n", strings.Repeat("  ", l.depth), width, l.name, l.text)
		}
		if end < len(rest) {
			out.WriteString(strings.TrimRight(strings.Repeat("  ", rest[end].depth)+rest[end].text, " ") + "\n")
			end++
		}
		rest = rest[end:]
	}
	return out.String()
}

// text is an expression, or another text, on one line.
func text(s string) code { return code{{text: s}} }

// comment is one line; a line break in it would begin code.
func comment(s string) code {
	return text("# " + strings.NewReplacer("\n", " ", "\r", " ").Replace(s))
}

// block is `kind "label" {…}`.
func block(kind string, labels []string, body ...code) code {
	for _, label := range labels {
		kind += " " + quoted(label)
	}
	return text(kind).around(" {", slices.Concat(body...).deeper(), "}")
}

// around puts lines and an end behind the last line.
func (c code) around(opens string, inner code, end string) code {
	c[len(c)-1].text += opens
	return append(append(c, inner...), line{text: end})
}

func (c code) deeper() code {
	for i := range c {
		c[i].depth++
	}
	return c
}

// wrapped is an expression between two texts.
func (c code) wrapped(before, after string) code {
	c[0].text = before + c[0].text
	c[len(c)-1].text += after
	return c
}

// attribute is `name = value`.
func attribute(name string, value code) code {
	if len(value) == 1 {
		return code{{name: name, text: value[0].text}}
	}
	return value.wrapped(name+" = ", "")
}

// list writes several values on a line each.
func list(items []code) code {
	switch len(items) {
	case 0:
		return text("[]")
	case 1:
		return items[0].wrapped("[", "]")
	}
	var inner code
	for _, item := range items {
		inner = append(inner, item.wrapped("", ",")...)
	}
	return text("").around("[", inner.deeper(), "]")
}

func object(attributes ...code) code {
	return text("").around("{", slices.Concat(attributes...).deeper(), "}")
}

// str is a string that stands for itself.
func str(s string) code { return text(quoted(s)) }

// quoted is a string as a literal: no character of it begins a template.
// Source: https://developer.hashicorp.com/terraform/language/expressions/strings
func quoted(s string) string {
	var out strings.Builder
	for i, r := range s {
		switch {
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == '"', r == '\\':
			out.WriteString(`\` + string(r))
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			out.WriteString(string(r) + string(r))
		case unicode.IsPrint(r):
			out.WriteRune(r)
		case r < 1<<16:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\U%08x`, r)
		}
	}
	return `"` + out.String() + `"`
}
