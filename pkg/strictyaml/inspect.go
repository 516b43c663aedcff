package strictyaml

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// inspector looks at the text before the library does, for what the library
// reads without a word or reports at another place.
type inspector struct {
	p         *parser
	started   bool // content was seen
	documents int
	ended     int // line after which nothing may follow, from 1; 0 for none
	conflicts []int
	foreign   *pipeline.Problem // in indentation: the first one
	foreignIn []int             // its lines, from 0
	tabs      []int             // lines that are indented with a tab, from 0
	slips     []slip            // that matter when the library cannot read the text
	faults    []fault           // what the library cannot read, in their order
	suspects  []fault           // what is to blame where the library finds no better cause
	escapes   []property        // of line breaks and tabs in the middle of a word
	open      []bracket         // that nothing closes
	comments  []hint
	words     []property  // tags, anchors and aliases
	empty     map[int]int // line of a key without a value → column of a comment behind it, all from 1
	last      plainText
	lastLine  int
	lastText  string
}

// hint is advice about a place, given when the text can be read.
type hint struct {
	at              pipeline.Position
	message, remedy string
}

// slip is a line of plain text that looks like a key and a value, and is none.
type slip struct {
	line, column int  // from 1
	own          bool // it stands on a line of its own
	goesOn       bool // it goes on with the plain text of the line above it
	atKey        bool // a key must stand here
	hint         bool // worth a warning where the text can be read
	quoted       bool // it stands in quotes
	hyphen       bool // a list item without a blank behind its hyphen
	joins        bool // that took the item below it into its text
	text         string
	message      string
	remedy       string
}

// inspect reports what makes the text unreadable or another text than it seems.
func (p *parser) inspect(raw []byte) bool {
	in := &inspector{p: p, lastLine: -1, empty: make(map[int]int)}
	p.seen = in
	before := len(p.problems)
	in.open = lex(raw, in)
	in.reportForeign()
	in.reportConflicts()
	return len(p.problems) == before
}

func (in *inspector) at(line int, s string, byteAt int) pipeline.Position {
	return pipeline.Position{Line: line + 1, Column: column(s, byteAt)}
}

func (in *inspector) column0(l *lexer, s string) int {
	if conflictPattern().MatchString(s) && (l.quote == nil || s[0] == '<' || s[0] == '>') {
		in.conflicts = append(in.conflicts, l.line)
		return len(s)
	}
	marker := len(s) >= 3 && (s[:3] == "---" || s[:3] == "...") && endsWord(s, 3)
	switch {
	case l.quote != nil:
		if marker {
			in.quoted(l, l.quote)
		}
		return 0
	case strings.HasPrefix(s, "%") && !(l.plain && l.indent() < 0):
		in.p.add(pipeline.Position{Line: l.line + 1, Column: 1}, RuleDirective, fmt.Sprintf("the line %q is a directive, which is not allowed", Short(s)),
			"remove it; the file needs no directive and no --- at its beginning")
		return len(s)
	case marker && s[0] == '-' && !in.started && in.documents == 0:
		in.documents++
		return 3
	case marker && s[0] == '-':
		in.p.add(pipeline.Position{Line: l.line + 1, Column: 1}, RuleDocuments, "the file holds more than one YAML document", "keep one document: remove the line \"---\" between them")
		l.stop = true
	case marker:
		in.ended, in.started = l.line+1, true
		l.plain = false
		return len(s)
	case isContent(s) && in.ended > 0:
		in.p.add(pipeline.Position{Line: in.ended, Column: 1}, RuleDocuments, "the text goes on after the line \"...\", which ends the document", "keep one document: remove the line \"...\"")
		l.stop = true
	case isContent(s):
		in.started = true
	}
	return 0
}

func (in *inspector) indentation(l *lexer, s string, end int) {
	if i := strings.IndexFunc(s[:end], isForeignSpace); i >= 0 {
		r := []rune(s[i:end])[0]
		if in.foreign == nil {
			in.foreign = &pipeline.Problem{Position: in.at(l.line, s, i), Message: nameOf(r)}
		}
		in.foreignIn = append(in.foreignIn, l.line)
		return
	}
	if strings.Contains(s[:end], "\t") {
		in.tabs = append(in.tabs, l.line)
	}
}

func (in *inspector) reportForeign() {
	if in.foreign == nil {
		return
	}
	more := ""
	if n := len(in.foreignIn); n > 1 {
		more = ", and so are further lines: " + lineList(in.foreignIn[1:])
	}
	in.p.add(in.foreign.Position, RuleInvisible, "the line is indented with "+in.foreign.Message+more, "indent with plain spaces")
}

func (in *inspector) reportConflicts() {
	if len(in.conflicts) == 0 {
		return
	}
	in.p.add(pipeline.Position{Line: in.conflicts[0] + 1, Column: 1}, RuleConflict, "a merge conflict is not resolved: its markers stand on "+lineWord(in.conflicts)+" "+lineList(in.conflicts),
		"keep the lines that are right and remove the markers")
	// What else was found follows from the two versions of the text.
	for i := len(in.p.problems) - 1; i >= 0; i-- {
		if in.p.problems[i].Rule != RuleConflict {
			in.p.problems = append(in.p.problems[:i], in.p.problems[i+1:]...)
		}
	}
}

func lineWord(lines []int) string {
	if len(lines) == 1 {
		return "line"
	}
	return "lines"
}

// lineList writes line numbers, which are given from 0, as people read them.
func lineList(lines []int) string {
	const most = 6
	var words []string
	for i, line := range lines {
		if i == most {
			words = append(words, "…")
			break
		}
		words = append(words, fmt.Sprint(line+1))
	}
	return strings.Join(words, ", ")
}

func (in *inspector) scalar(l *lexer, s string, t plainText) {
	if t.start == t.end {
		return
	}
	in.last, in.lastLine, in.lastText = t, l.line, s[t.start:t.end]
	indentedSo := len(in.foreignIn) > 0 && in.foreignIn[len(in.foreignIn)-1] == l.line
	if at, message, remedy := foreignInPlain(s, t); message != "" && !indentedSo {
		in.p.add(in.at(l.line, s, at), RuleInvisible, message, remedy)
		return
	}
	if (t.first || t.goesOn) && l.flow == 0 {
		in.noteSlip(l, s, t)
	}
}

// property is a tag, an anchor or an alias, as it stands in the text.
type property struct {
	at   pipeline.Position
	word string
}

func (in *inspector) property(l *lexer, at int, word string) {
	in.words = append(in.words, property{l.place(l.text(), at), word})
}

func (in *inspector) suspect(_ *lexer, f fault) { in.suspects = append(in.suspects, f) }

// escape notes the first one of each line.
func (in *inspector) escape(l *lexer, at int, word string) {
	if n := len(in.escapes); n > 0 && in.escapes[n-1].at.Line == l.line+1 {
		return
	}
	in.escapes = append(in.escapes, property{l.place(l.text(), at), word})
}

func (in *inspector) fault(_ *lexer, f fault) { in.faults = append(in.faults, f) }

func (in *inspector) comment(l *lexer, s string, at int, after byte) {
	if at+1 >= len(s) || isBlankByte(s[at+1]) || s[at+1] == '#' {
		return
	}
	switch {
	case after == 'a' && in.lastLine == l.line && !in.last.key && resolve12(in.lastText).kind == readText:
		in.comments = append(in.comments, hint{in.at(l.line, s, at),
			fmt.Sprintf("everything behind \" #\" is a comment, so the value is %q", Short(in.lastText)),
			"put the value in quotes if # belongs to it, else write a blank behind #"})
	case after == ':':
		in.empty[l.line+1] = column(s, at)
	}
}
