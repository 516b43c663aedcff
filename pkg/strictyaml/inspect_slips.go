package strictyaml

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

func (in *inspector) noteSlip(l *lexer, s string, t plainText) {
	text := in.lastText
	at := in.at(l.line, s, t.start)
	found := slip{line: at.Line, column: at.Column, own: strings.TrimSpace(s[:t.start]) == "", goesOn: t.goesOn, text: text}
	found.atKey = !t.goesOn && !t.key && found.column-1 == l.indent()
	noBlank, equals := noBlankPattern().FindStringSubmatch(text), equalsPattern().FindStringSubmatch(text)
	if noBlank == nil {
		noBlank = blankBeforePattern().FindStringSubmatch(text)
	}
	hyphen := hyphenPattern().FindStringSubmatch(text)
	switch {
	case t.key && t.goesOn && in.opensBlock(found), t.key && t.goesOn && in.lacksColon(found):
		return
	case t.goesOn && strings.HasPrefix(text, "-") && in.afterHyphen(found):
		return
	case t.goesOn && isItem(text):
		found.message, found.remedy = "looks like a list item", "align its hyphen with those of the other items"
	case t.key && t.goesOn:
		if n := len(in.slips); n > 0 && !in.slips[n-1].goesOn && (in.slips[n-1].column == found.column || in.slips[n-1].hint && in.slips[n-1].own) {
			in.slips[n-1].atKey = true
			return
		}
		found.atKey = true
		found.message = fmt.Sprintf("%q stands deeper than line %d above it, which has a value already", Short(text+":"), in.above(l.line))
		found.remedy = in.leftRemedy(l.line)
	case t.key:
		if n := len(in.slips); n > 0 && in.slips[n-1].quoted && in.slips[n-1].line == l.line && in.slips[n-1].column == found.column {
			in.slips[n-1].atKey = true
		}
		return
	case !t.goesOn && blockPattern().MatchString(text):
		found.message, found.remedy = blockMessage(text)
	case noBlank != nil:
		found.hint = true
		found.message = fmt.Sprintf("a blank is missing after the colon of %q", Short(noBlank[1]))
		found.remedy = fmt.Sprintf("write %q", Short(noBlank[1]+": "+noBlank[2]))
	case found.own && !t.goesOn && hyphen != nil:
		found.hyphen, found.hint = true, resolve12(text).kind == readText
		found.message = fmt.Sprintf("a blank is missing after the hyphen of %q", Short(text))
		found.remedy = fmt.Sprintf("write %s", Short("- "+hyphen[1]))
	case equals != nil:
		found.hint = true
		found.message = fmt.Sprintf("%q has %s where YAML has a colon", Short(equals[1]), equals[2])
		found.remedy = fmt.Sprintf("write %q", Short(equals[1]+": "+equals[3]))
	case found.own && !t.goesOn && strings.HasPrefix(text, "+ "):
		found.hint = true
		found.message = "+ begins no list item in YAML"
		found.remedy = "begin the item with \"- \""
	case t.first && !t.goesOn:
		found.message = fmt.Sprintf("%q is no key with a value: a colon is missing", Short(text))
		found.remedy = `write "key: value"`
		if m := otherComment().FindString(text); m != "" {
			w := notComment(m)
			found.message, found.remedy = w.message, w.remedy
		}
	default:
		return
	}
	in.slips = append(in.slips, found)
}

// above is the line with content above an index, from 1.
func (in *inspector) above(index int) int {
	for index--; index > 0 && !isContent(in.p.lines[index]); index-- {
	}
	return index + 1
}

// leftRemedy says by how much a line, given from 0, that stands too deep may move left:
// a key with a map below it belongs beside the line above it, or beside the key of that line.
func (in *inspector) leftRemedy(line int) string {
	p, above := in.p, in.above(line)
	here, beside := p.indent(line+1), p.indent(above)
	remedy := fmt.Sprintf("move it left by %s if it belongs to the same map as line %d", spacesWord(here-beside), above)
	if !keyAlonePattern().MatchString(p.line(line + 1)) {
		return remedy + fmt.Sprintf("; remove the value of line %d if it belongs below that key", above)
	}
	for n := above - 1; n > 0; n-- {
		if !isContent(p.line(n)) || p.indent(n) >= beside {
			continue
		}
		if keyAlonePattern().MatchString(p.line(n)) {
			remedy += fmt.Sprintf(", or by %s if it belongs to that of line %d; the lines below it move along", spacesWord(here-p.indent(n)), n)
		}
		break
	}
	return remedy
}

func spacesWord(n int) string {
	if n == 1 {
		return "1 space"
	}
	return fmt.Sprintf("%d spaces", n)
}

// before is the slip directly above a line that goes on with its text.
func (in *inspector) before(line int) *slip {
	n := len(in.slips)
	if n == 0 || in.slips[n-1].line >= line || !in.slips[n-1].own || in.slips[n-1].goesOn {
		return nil
	}
	return &in.slips[n-1]
}

// blockPattern matches the first line of a block of HCL.
var blockPattern = text.Pattern(`^(?:[A-Za-z_][A-Za-z0-9_-]*|"[^"]*")(?:[ \t]+(?:"[^"]*"|[A-Za-z_][A-Za-z0-9_-]*))*[ \t]*(?::?=[ \t]*)?\{$`)

func blockMessage(line string) (message, remedy string) {
	words := strings.Fields(strings.TrimRight(line, "{:= \t"))
	return fmt.Sprintf("%q begins a block of HCL; YAML has no blocks in braces", Short(line)),
		fmt.Sprintf("write %q, indent the lines that belong to it, and remove the closing }", Short(strings.Trim(words[len(words)-1], `"`)+":"))
}

// opensBlock blames the first line of a block for the key below it.
func (in *inspector) opensBlock(key slip) bool {
	above := in.before(key.line)
	if above == nil || above.column > key.column || !blockPattern().MatchString(above.text) {
		return false
	}
	above.atKey = true
	return true
}

// lacksColon blames a lone word for the key below it, which stands deeper.
func (in *inspector) lacksColon(key slip) bool {
	above := in.before(key.line)
	if above == nil || above.column >= key.column {
		return false
	}
	name := strings.TrimRight(above.text, ";,=. \t")
	if !namePattern().MatchString(name) {
		return false
	}
	above.atKey = true
	above.message = fmt.Sprintf("a colon is missing after %q", Short(name))
	above.remedy = fmt.Sprintf("write %q", Short(name+":"))
	return true
}

// afterHyphen blames an item without a blank for the item below it, which YAML
// reads as more of the same text.
func (in *inspector) afterHyphen(item slip) bool {
	above := in.before(item.line)
	if above == nil || !above.hyphen || above.column != item.column {
		return false
	}
	above.joins = true
	return true
}

func (in *inspector) quoted(l *lexer, q *quote) {
	rest := strings.TrimLeft(q.rest, " \t")
	inFlow := l.flow > 0 && rest != "" && strings.IndexByte(",]}:", rest[0]) >= 0
	garbage := q.closed && rest != "" && !inFlow && rest[0] != ':' && (rest[0] != '#' || len(rest) == len(q.rest))
	if q.closed && !garbage && (q.end == q.line || q.keyed == 0) {
		in.wholeQuote(l, q, rest)
		return
	}
	opened := in.at(q.line, l.lines[q.line], q.column)
	switch {
	case !q.closed:
		in.p.add(opened, RuleSyntax, "a quote that is opened here is never closed", fmt.Sprintf("close it with %c on the same line", q.mark))
	case q.end != q.line && (q.keyed > 0 || garbage):
		in.p.add(opened, RuleSyntax, fmt.Sprintf("a quote that is opened here is closed on line %d only", q.end+1),
			fmt.Sprintf("close it with %c on the same line; write text of several lines with |", q.mark))
	default:
		in.afterQuote(l, q, rest)
	}
	l.stop = true
}

// wholeQuote notes a scalar in quotes that stands alone on its line, where a key must stand.
func (in *inspector) wholeQuote(l *lexer, q *quote, rest string) {
	s := l.text()
	switch {
	case strings.HasPrefix(rest, ":"):
		if q.line == q.end {
			l.checkLength(s, q.column, s[q.column+1:q.restColumn-1])
		}
		return
	case isContent(rest), l.flow > 0, q.line != q.end, strings.TrimSpace(s[:q.column]) != "":
		return
	}
	text := s[q.column+1 : q.restColumn-1]
	found := slip{line: q.line + 1, column: l.column(s, q.column) + 1, own: true, quoted: true, text: text}
	found.atKey = found.column-1 == max(l.indent(), 0)
	found.message = fmt.Sprintf("%s is no key with a value: a colon is missing", Short(s[q.column:q.restColumn]))
	found.remedy = `write "key: value"`
	if looksLikeEntry(text) {
		found.message = "the whole line is in quotes, so it is text and no key with a value"
		found.remedy = "remove the quotes: " + Short(text)
	}
	in.slips = append(in.slips, found)
}

func (in *inspector) afterQuote(l *lexer, q *quote, rest string) {
	s := l.lines[l.line]
	at := in.at(l.line, s, q.restColumn+len(q.rest)-len(rest))
	if startsForeign(rest) {
		in.p.add(at, RuleInvisible, nameOf([]rune(rest)[0])+" stands behind a closing quote", "remove it")
		return
	}
	ownLine := strings.TrimSpace(s[:q.column]) == "" && q.line == l.line && l.flow == 0 && rest[0] != '#'
	if ownLine && (column(s, q.column)-1 == max(l.indent(), 0) || rest[0] == '=' || rest[0] == '{') {
		in.afterKey(at, s[q.column:], strings.TrimSpace(rest))
		return
	}
	remedy := "put the whole value in quotes, or remove what stands behind them"
	switch trimmed := strings.TrimSpace(rest); {
	case l.flow > 0 && len(rest) < len(q.rest) && strings.IndexByte(",;/#-", trimmed[0]) < 0:
		in.p.add(at, RuleSyntax, fmt.Sprintf("a comma is missing before %q", Short(trimmed)), "write a comma between two entries")
		return
	case strings.Trim(trimmed, ",;") == "":
		remedy = "remove it"
	case otherComment().MatchString(trimmed):
		remedy = "begin a comment with #"
	case q.mark == '\'':
		remedy += "; inside of single quotes a quote is written ''"
	}
	in.p.add(at, RuleSyntax, fmt.Sprintf("%q stands behind a closing quote", Short(strings.TrimRight(rest, "\r"))), remedy)
}

// afterKey explains what stands behind a key in quotes in place of its colon.
func (in *inspector) afterKey(at pipeline.Position, line, rest string) {
	message, remedy := fmt.Sprintf("a colon is missing before %q", Short(rest)), `write "key: value"`
	key := strings.TrimRight(strings.TrimSuffix(line, rest), " \t")
	switch line := strings.TrimRight(line, " \t\r"); {
	case blockPattern().MatchString(line):
		message, remedy = blockMessage(line)
	case strings.HasPrefix(rest, "="):
		message = fmt.Sprintf("%s has = where YAML has a colon", Short(key))
		remedy = "write " + Short(key+": "+strings.TrimLeft(rest, "=> "))
	}
	in.p.add(at, RuleSyntax, message, remedy)
}

// hints gives the advice about a text that the library could read.
func (p *parser) hints() {
	for _, w := range p.seen.words {
		if w.word != "!" { // the library drops this tag
			continue
		}
		p.add(w.at, RuleTag, "the tag ! is not allowed", "remove it; quote the value if it is meant as text")
	}
	for _, f := range p.seen.suspects {
		if f.heredoc {
			p.add(f.at, RuleSyntax, f.message, f.remedy)
		}
	}
	for _, w := range p.seen.escapes {
		if what := map[string]string{`\n`: "a line break", `\t`: "a tab", `\r`: "a carriage return"}[w.word]; what != "" {
			p.warn(w.at, RuleEscape, fmt.Sprintf("%s in double quotes is %s", w.word, what), backslashRemedy+"; write text of several lines with |")
		}
	}
	for _, h := range p.seen.comments {
		p.warn(h.at, RuleComment, h.message, h.remedy)
	}
	for _, s := range p.seen.slips {
		at := pipeline.Position{Line: s.line, Column: s.column}
		switch {
		case s.joins:
			p.hidden = true
			p.add(at, RuleNoBlank, s.message+", so this line and the next one are one text", s.remedy+", or put the whole text in quotes")
		case s.goesOn && !s.atKey:
			p.add(at, RuleNoBlank, "the line goes on with the value of the line above it, and "+s.message, s.remedy+", or put the whole text in quotes")
		case s.own && s.hint:
			p.warn(at, RuleNoBlank, s.message, s.remedy+", or put it in quotes if it is text")
		}
	}
}
