package strictyaml

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// closeQuote looks for the end of the open quote on this line, and returns
// where to read on, or -1 when there is nothing to read.
func (l *lexer) closeQuote(s string, at int) (next int) {
	q := l.quote
	for ; at < len(s); at++ {
		switch {
		case s[at] == '\\' && q.mark == '"':
			l.escape(s, at)
			at++
		case s[at] == q.mark && q.mark == '\'' && at+1 < len(s) && s[at+1] == '\'':
			at++
		case s[at] == q.mark:
			l.quote, q.closed, q.end = nil, true, l.line
			q.rest, q.restColumn = s[at+1:], at+1
			return l.afterQuote(q, s, at+1)
		}
	}
	return -1
}

func (l *lexer) afterQuote(q *quote, s string, at int) (next int) {
	l.visit.quoted(l, q)
	if l.stop {
		return -1
	}
	if next := at + spaces(s[at:], nil); next < len(s) && s[next] == ':' && q.line == l.line {
		l.roll(s, q.column)
		l.sign(s, next)
		return next + 1
	}
	return at
}

// escapeLengths are the escapes of double quotes, with their number of hexadecimal digits.
var escapeLengths = map[byte]int{'x': 2, 'u': 4, 'U': 8}

// escape checks a backslash sequence.
func (l *lexer) escape(s string, at int) {
	if at+2 < len(s) && strings.IndexByte("tnr", s[at+1]) >= 0 && isWordByte(s[at+2]) {
		l.visit.escape(l, at, s[at:at+2])
	}
	if at+1 == len(s) || strings.IndexByte("0abt\tnvfre \"'/\\N_LP", s[at+1]) >= 0 {
		return
	}
	n, known := escapeLengths[s[at+1]]
	if !known {
		l.fault(s, at, lookUp("found unknown escape character"))
		return
	}
	digits := s[at+2 : min(at+2+n, len(s))]
	code, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || len(digits) < n || code > utf8.MaxRune || code >= 0xd800 && code < 0xe000 {
		l.fault(s, at, lookUp("found invalid Unicode character escape"))
	}
}

// blockHeader is what may stand behind | and >: a sign, and a number of blanks.
var blockHeader = text.Pattern(`^(?:[-+]?([0-9]?)|([0-9])[-+])$`)

func (l *lexer) openBlock(s string, start int) {
	l.block = &block{line: l.line, at: start, parent: l.indent()}
	at := start + 1
	for at < len(s) && !isBlankByte(s[at]) && s[at] != '#' {
		at++
	}
	switch m := blockHeader().FindStringSubmatch(s[start+1 : at]); {
	case m == nil:
		l.fault(s, start, lookUp("did not find expected comment or line break"))
	case m[1]+m[2] == "0":
		l.fault(s, start, lookUp("found an indentation indicator equal to 0"))
	case m[1]+m[2] != "":
		l.block.indent = max(l.block.parent, 0) + int((m[1] + m[2])[0]-'0')
	}
	rest := strings.TrimLeft(s[at:], " \t")
	switch {
	case strings.HasPrefix(rest, "#"):
		l.visit.comment(l, s, len(s)-len(rest), '|')
	case rest != "":
		l.fault(s, start, lookUp("did not find expected comment or line break"))
	}
}

// holds reports whether a line belongs to the block scalar.
func (b *block) holds(s string, line int) bool {
	n := len(s) - len(strings.TrimLeft(s, " "))
	if n == len(s) {
		if !b.text && n > b.blank {
			b.blank, b.blankLine = n, line
		}
		return true
	}
	if b.indent == 0 {
		b.indent = max(n, b.blank, b.parent+1, 1)
	}
	b.text = b.text || n >= b.indent
	return n >= b.indent
}

// leaveBlock looks at the first line behind a block scalar, which may be meant as a part of it.
func (l *lexer) leaveBlock(s string) {
	b, n := l.block, len(s)-len(strings.TrimLeft(s, " "))
	l.block = nil
	switch {
	case !isContent(s):
	case n > b.parent && n < b.blank && !b.text:
		l.visit.fault(l, fault{at: pipeline.Position{Line: b.blankLine + 1, Column: n + 1},
			message: fmt.Sprintf("a blank line of the text block that begins on line %d is deeper than its text", b.line+1), remedy: "leave blank lines empty"})
	case n > b.parent:
		l.fault(s, n, plain{message: fmt.Sprintf("the line is indented less than the text block that begins on line %d", b.line+1),
			remedy: "indent it like the first line of the text"})
	case !b.text && !strings.Contains(s, ":") && !strings.ContainsAny(s[n:n+1], "?-."):
		l.fault(s, n, plain{message: fmt.Sprintf("the text block that begins on line %d has no text: this line is not indented", b.line+1), remedy: "indent the text below its key"})
	}
}
