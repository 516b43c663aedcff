package strictyaml

import "strings"

// closeQuote looks for the end of the open quote on this line, and returns
// where to read on, or -1 when there is nothing to read.
func (l *lexer) closeQuote(s string, at int) (next int) {
	q := l.quote
	for ; at < len(s); at++ {
		switch {
		case s[at] == '\\' && q.mark == '"':
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
		return next + 1
	}
	return at
}

func (l *lexer) openBlock(s string, at int) {
	l.block = &block{parent: l.indent()}
	for at++; at < len(s) && !isBlankByte(s[at]); at++ {
		if c := s[at]; c >= '1' && c <= '9' {
			l.block.indent = max(l.block.parent, 0) + int(c-'0')
		}
	}
	if i := strings.Index(s[at:], "#"); i >= 0 {
		l.visit.comment(l, s, at+i, '|')
	}
}

// holds reports whether a line belongs to the block scalar.
func (b *block) holds(s string) bool {
	n := len(s) - len(strings.TrimLeft(s, " "))
	if n == len(s) {
		return true
	}
	if b.indent == 0 {
		b.indent = max(n, b.parent+1, 1)
	}
	return n >= b.indent
}
