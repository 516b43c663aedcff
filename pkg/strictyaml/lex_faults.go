package strictyaml

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// fault is what the scanner or the parser of the library refuses, with the place and the
// cause that its message lacks.
type fault struct {
	at              pipeline.Position
	message, remedy string
	tag             bool
	far             bool // what follows from it may show some lines below
	heredoc         bool // it is wrong also where the library can read it
}

// bracket is a [ or { and what was read in it so far.
type bracket struct {
	at     pipeline.Position
	opener byte
	last   byte // 'a' for a value, else the last sign, or 0
	colon  bool // the present entry has one
}

// namePropertyPattern matches the anchors and aliases that the library can read.
var namePropertyPattern = text.Pattern(`^[&*][0-9A-Za-z_-]+$`)

func (l *lexer) fault(s string, at int, w plain) {
	l.visit.fault(l, fault{at: l.place(s, at), message: w.message, remedy: w.remedy, tag: w.tag})
}

func (l *lexer) suspect(s string, at int, w plain) {
	l.visit.suspect(l, fault{at: l.place(s, at), message: w.message, remedy: w.remedy, far: s[at] != ':', heredoc: s[at] == '<'})
}

func (l *lexer) place(s string, at int) pipeline.Position {
	return pipeline.Position{Line: l.line + 1, Column: l.column(s, at) + 1}
}

func (l *lexer) top() *bracket {
	if l.flow == 0 {
		return nil
	}
	return &l.open[l.flow-1]
}

// node begins a value; in brackets, a sign must stand before it.
func (l *lexer) node(s string, at int) {
	if b := l.top(); b != nil {
		if b.last == 'a' {
			l.lacksComma(s, at)
		}
		b.last = 'a'
	}
}

func (l *lexer) lacksComma(s string, at int) {
	l.visit.fault(l, fault{at: l.place(s, at), message: fmt.Sprintf("a comma is missing before %q", Short(strings.TrimRight(s[at:], " \t"))), remedy: "write a comma between two entries"})
}

func (l *lexer) openBracket(s string, at int) {
	l.node(s, at)
	l.flow++
	l.open = append(l.open, bracket{at: l.place(s, at), opener: s[at]})
}

func (b *bracket) closer() byte {
	if b.opener == '{' {
		return '}'
	}
	return ']'
}

// closeBracket closes the bracket that fits, with those inside of it.
func (l *lexer) closeBracket(s string, at int) {
	b := l.top()
	if b == nil {
		l.fault(s, at, plain{message: fmt.Sprintf("%c closes nothing", s[at]), remedy: "remove it; put the value in quotes if it belongs to a text"})
		return
	}
	if b.opener == '[' && s[at] == ']' && b.last == '?' {
		b.last = 'a' // the library takes it for the key that the question mark announces
		return
	}
	l.flow--
	if b.closer() != s[at] {
		l.fault(s, at, plain{message: fmt.Sprintf("%c does not close the %c of line %d", s[at], b.opener, b.at.Line), remedy: fmt.Sprintf("close that one with %c", b.closer())})
		for outer := l.flow; outer > 0; outer-- {
			if l.open[outer-1].closer() == s[at] {
				l.flow = outer - 1
				break
			}
		}
	}
	l.open = l.open[:l.flow]
}

// sign reads a comma, colon or question mark.
func (l *lexer) sign(s string, at int) {
	b := l.top()
	if b == nil {
		return
	}
	switch c := s[at]; {
	case c == ',' && (b.last == 0 || b.last == ','):
		l.fault(s, at, plain{message: "no value stands before this comma", remedy: "write a value, or remove the comma"})
	case c == ':' && b.colon && b.last == 'a':
		word := strings.LastIndexAny(strings.TrimRight(s[:at], " \t"), " \t{[,\"'") + 1
		l.lacksComma(s, word)
	}
	b.last, b.colon = s[at], s[at] == ':' || b.colon && s[at] != ','
}

// indicator reads the hyphen of a list item, or a question mark.
func (l *lexer) indicator(s string, at int, last byte) {
	if l.flow == 0 && last == ':' {
		said := map[byte]string{'-': "block sequence entries are not allowed", '?': "mapping keys are not allowed"}[s[at]]
		l.fault(s, at, lookUp(said))
	}
	l.asked = l.asked || s[at] == '?'
	l.roll(s, at)
}

// property reads a tag, an anchor or an alias, and returns its length.
func (l *lexer) property(s string, at int) int {
	w := word(s[at:], l.flow > 0)
	if w[0] == '*' {
		l.node(s, at)
	}
	switch {
	case w[0] != '!' && !namePropertyPattern().MatchString(w) && w == "*" && strings.TrimSpace(s[:at]) == "" && l.flow == 0:
		l.fault(s, at, plain{message: "* begins no list item in YAML", remedy: "begin the item with \"- \""})
	case w[0] != '!' && !namePropertyPattern().MatchString(w):
		l.fault(s, at, lookUp("did not find expected alphabetic or numeric"))
	}
	l.visit.property(l, at, w)
	return len(w)
}

// quotes reads a scalar in quotes as far as this line goes.
func (l *lexer) quotes(s string, at int, last byte) (next int) {
	l.afterBracket(s, at, last)
	l.node(s, at)
	l.quote = &quote{mark: s[at], line: l.line, column: at}
	next = l.closeQuote(s, at+1)
	if next > 0 && s[next-1] == ':' && last == ':' && l.flow == 0 {
		l.fault(s, next-1, lookUp("mapping values are not allowed"))
	}
	return next
}

var (
	// heredocPattern matches how shells and HCL begin a text of several lines.
	heredocPattern = text.Pattern(`^<<[-~]?[ \t]*["']?[A-Za-z_]+["']?$`)
	// wordsThenKey matches a value behind which another key was written.
	wordsThenKey = text.Pattern(`^(\S.*)[ \t]([A-Za-z_][A-Za-z0-9_-]*)$`)
)

func notComment(s string) plain {
	return plain{message: fmt.Sprintf("%q begins no comment in YAML", strings.TrimSpace(otherComment().FindString(s))), remedy: "begin a comment with #"}
}

// secondKey explains a colon in a plain value.
func secondKey(s string, t plainText) plain {
	m := wordsThenKey().FindStringSubmatch(s[t.start:t.end])
	if m == nil {
		return lookUp("mapping values are not allowed")
	}
	return plain{message: fmt.Sprintf("there is a second \": \" on this line, behind %q", Short(m[2])),
		remedy: fmt.Sprintf("begin a new line before %q if it is a key, or put the value in quotes", Short(m[2]+":"))}
}

// checkPlain looks at a line of a plain scalar, behind the token last. Stop is where its
// line ends, at a colon if it is a key.
func (l *lexer) checkPlain(s string, t plainText, stop int, last byte) {
	if t.start == t.end {
		return
	}
	if !t.goesOn {
		l.afterBracket(s, t.start, last)
		l.node(s, t.start)
	}
	switch {
	case t.goesOn && t.key && l.flow > 0:
		l.lacksComma(s, t.start)
	case !t.goesOn && t.key && l.flow == 0 && last == ':':
		l.fault(s, stop, secondKey(s, t))
	case !t.goesOn && l.flow > 0 && t.first && otherComment().MatchString(s[t.start:]):
		l.suspect(s, t.start, notComment(s[t.start:]))
	case !t.key && heredocPattern().MatchString(s[t.start:t.end]):
		l.suspect(s, t.start, plain{message: fmt.Sprintf("%q begins no text block in YAML", Short(s[t.start:t.end])),
			remedy: "write | in its place, indent the text below the key, and remove the closing word"})
	case !t.goesOn && t.key && strings.HasPrefix(s, "--- "):
		l.fault(s, t.start, plain{message: "a key stands on the line of ---", remedy: "begin it on the next line"})
	case !t.goesOn && strings.HasPrefix(s[t.start:], "```"):
		l.fault(s, t.start, plain{message: "``` belongs to Markdown, not to YAML", remedy: "remove the line"})
	case !t.goesOn && strings.IndexByte("%@`", s[t.start]) >= 0:
		l.fault(s, t.start, plain{message: fmt.Sprintf("a value begins with %c, a character that YAML reserves", s[t.start]), remedy: "put the value in quotes"})
	}
	if t.key {
		l.checkLength(s, t.start, s[t.start:t.end])
	}
}

// afterBracket refuses a text behind a value in brackets.
func (l *lexer) afterBracket(s string, at int, last byte) {
	if l.flow == 0 && (last == ']' || last == '}') {
		remedy := "remove it, or put the whole value in quotes"
		if strings.Trim(s[at:], ",; \t") == "" {
			remedy = "remove it"
		}
		l.fault(s, at, plain{message: fmt.Sprintf("%q stands behind a closing bracket", Short(strings.TrimRight(s[at:], " \t"))), remedy: remedy})
	}
}

// maxSimpleKey is the longest key that the library reads, in characters.
const maxSimpleKey = 1024

// checkLength looks at a key that begins at a byte of the line.
func (l *lexer) checkLength(s string, at int, key string) {
	if len(key) <= maxSimpleKey { // in bytes already
		return
	}
	if n := utf8.RuneCountInString(key); n > maxSimpleKey {
		l.fault(s, at, plain{message: fmt.Sprintf("a key of %d characters", n), remedy: fmt.Sprintf("use at most %d characters", maxKeyLength)})
	}
}
