package strictyaml

import (
	"strings"
	"unicode/utf8"
)

// lexer walks over the text as the scanner of YAML does, as far as it takes to
// know where comments, quotes, plain scalars and block scalars begin and end. It
// builds nothing: it hands what it finds to a visitor, with the places that the
// library's messages lack.
type lexer struct {
	visit   visitor
	lines   []string // without line breaks
	line    int      // index of the current line
	flow    int      // open brackets and braces
	open    []bracket
	indents []int  // columns of the block maps and lists around, from 0
	plain   bool   // a plain scalar may go on in the next line
	quote   *quote // that is open at the end of the line
	block   *block // block scalar that is open at the end of the line
	stop    bool
	asked   bool                           // a question mark has begun a key
	known   struct{ line, at, column int } // a place on a line, so that columns cost no second count
}

// visitor receives the parts of a text in their order.
type visitor interface {
	// column0 sees each line that is no part of a block scalar, before
	// anything else. It returns how many bytes it has dealt with.
	column0(l *lexer, s string) int
	indentation(l *lexer, s string, end int)
	scalar(l *lexer, s string, t plainText)
	comment(l *lexer, s string, at int, after byte)
	// property is a word that begins with &, * or !.
	property(l *lexer, at int, word string)
	quoted(l *lexer, q *quote)
	// escape is a line break or a tab that a backslash and a letter stand for, in the
	// middle of a word: it was probably meant as a backslash.
	escape(l *lexer, at int, word string)
	// suspect is what the library may read, but is to blame where it cannot read on.
	suspect(l *lexer, f fault)
	// fault is a place where the library cannot read on.
	fault(l *lexer, f fault)
}

// quote is a scalar in quotes. Lines and columns count from 0, columns in bytes.
type quote struct {
	mark         byte
	line, column int
	end          int    // line that closes it
	keyed        int    // first line inside of it that looks like a key or an item, or 0
	closed       bool   // else the text ends first
	rest         string // what stands behind it on its last line
	restColumn   int
}

// plainText is one line of a plain scalar.
type plainText struct {
	start, end int
	first      bool // nothing but list items before it on the line
	goesOn     bool // the scalar began on a line before
	key        bool // a colon follows
}

type block struct {
	line, at  int // of its indicator, from 0
	parent    int // column of the map or list that holds it, -1 at the top
	indent    int // of its text; 0 until the first line shows it
	blank     int // the deepest of the blank lines before its text, and that line
	blankLine int
	text      bool // it has a line of text
}

// lex visits the whole text and returns the brackets that nothing closes.
func lex(raw []byte, v visitor) []bracket {
	l := &lexer{visit: v, lines: strings.Split(string(raw), "\n")}
	for i, s := range l.lines {
		l.line = i
		l.oneLine(strings.TrimSuffix(s, "\r"))
		if l.stop {
			return nil
		}
	}
	if l.quote != nil {
		l.visit.quoted(l, l.quote)
	}
	return l.open
}

// text is the current line.
func (l *lexer) text() string { return strings.TrimSuffix(l.lines[l.line], "\r") }

func (l *lexer) indent() int {
	if len(l.indents) == 0 {
		return -1
	}
	return l.indents[len(l.indents)-1]
}

// roll opens a block map or list at a column.
func (l *lexer) roll(s string, at int) {
	if l.flow > 0 {
		return
	}
	if column := l.column(s, at); l.indent() < column {
		l.indents = append(l.indents, column)
	}
}

// column counts the characters before a byte of the current line.
func (l *lexer) column(s string, at int) int {
	if k := &l.known; k.line != l.line || k.at > at {
		k.line, k.at, k.column = l.line, 0, 0
	}
	l.known.column += utf8.RuneCountInString(s[l.known.at:at])
	l.known.at = at
	return l.known.column
}

func (l *lexer) oneLine(s string) {
	if l.block != nil {
		if l.block.holds(s, l.line) {
			return
		}
		l.leaveBlock(s)
	}
	at := l.visit.column0(l, s)
	switch {
	case l.stop:
		return
	case l.quote != nil:
		if looksLikeEntry(s) && l.quote.keyed == 0 {
			l.quote.keyed = l.line
		}
		if at = l.closeQuote(s, 0); at >= 0 {
			l.tokens(s, at, false)
		}
		return
	}
	start := at + spaces(s[at:], isForeignSpace)
	l.visit.indentation(l, s, start)
	at += spaces(s[at:], nil)
	if at == len(s) {
		return
	}
	if l.flow == 0 {
		column := l.column(s, at)
		l.plain = l.plain && column > l.indent()
		for l.indent() > column {
			l.indents = l.indents[:len(l.indents)-1]
		}
	}
	l.tokens(s, at, true)
}

// tokens reads what stands on a line from at on. First says that nothing but
// indentation stands before it.
func (l *lexer) tokens(s string, at int, first bool) {
	last := byte(0) // the token before
	for at += spaces(s[at:], nil); at < len(s) && !l.stop; at += spaces(s[at:], nil) {
		c, flow := s[at], l.flow > 0
		switch {
		case c == '#' && (!l.plain || at == 0 || isBlankByte(s[at-1])): // the library wants no blank before it
			l.plain = false
			l.visit.comment(l, s, at, last)
			return
		case l.plain:
			at, c = l.plainLine(s, at, first, last), 'a'
		case c == '"' || c == '\'':
			if at = l.quotes(s, at, last); at < 0 {
				return
			}
			c = s[at-1]
		case !flow && (c == '|' || c == '>'):
			l.openBlock(s, at)
			return
		case c == '[' || c == '{':
			l.openBracket(s, at)
			at++
		case c == ']' || c == '}':
			l.closeBracket(s, at)
			at++
		case flow && (c == ',' || c == '?' || c == ':'), c == ':' && endsWord(s, at+1):
			l.sign(s, at)
			if first && !flow && !l.asked {
				l.suspect(s, at, plain{message: "no key stands before this colon", remedy: "write the key before it"})
			}
			at++
			if first && !flow { // the value of a key that ? began, which may begin anything
				c = '?'
			}
		case c == ',':
			l.afterBracket(s, at, last)
			l.fault(s, at, plain{message: "a comma stands where a value is expected", remedy: "write a value, or remove the comma"})
			at++
		case c == '&' || c == '*' || c == '!':
			at += l.property(s, at)
		case (c == '-' || c == '?') && endsWord(s, at+1):
			l.indicator(s, at, last)
			last = c
			at++
			continue // still at the beginning of an entry
		default:
			at, c = l.plainLine(s, at, first, last), 'a'
		}
		first, last = false, c
	}
}

// plainLine reads a plain scalar as far as this line goes.
func (l *lexer) plainLine(s string, at int, first bool, last byte) (next int) {
	end, stop := at, len(s)
	for i := at; i < len(s); i++ {
		c := s[i]
		if c == ':' && endsWord(s, i+1) || c == '#' && i > at && isBlankByte(s[i-1]) || l.flow > 0 && strings.IndexByte(",?[]{}", c) >= 0 {
			stop = i
			break
		}
		if !isBlankByte(c) {
			end = i + 1
		}
	}
	t := plainText{start: at, end: end, first: first, goesOn: l.plain, key: stop < len(s) && s[stop] == ':'}
	l.plain = stop == len(s)
	l.checkPlain(s, t, stop, last)
	if t.key && !t.goesOn {
		l.roll(s, at)
	}
	l.visit.scalar(l, s, t)
	return stop
}
