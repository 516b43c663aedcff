package strictyaml

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

var (
	errorPattern       = text.Pattern(`^yaml: (?:line ([0-9]+): )?(.*)$`)
	placeholderPattern = text.Pattern(`^[^"'#]*[:\-] +(?:\{\{|\{\s*environment\s*\})`)
)

// failure is an error of the library on its way to plain words.
type failure struct {
	raw     []byte
	lines   []string
	said    string // the library's message without the line
	line    int    // where the library puts it, or 0
	last    int    // the last line of the shortest text that fails so
	message string
	remedy  string
}

// syntax reports an error of the library in plain words, with the line where a
// person has to look.
func (p *parser) syntax(raw []byte, err error) {
	m := errorPattern().FindStringSubmatch(err.Error())
	if m == nil {
		p.add(pipeline.Position{Line: 1}, RuleSyntax, "the file is not valid YAML: "+Short(err.Error()), "check it with a YAML editor")
		return
	}
	if name, ok := strings.CutPrefix(m[2], "unknown anchor '"); ok {
		name = strings.TrimSuffix(name, "' referenced")
		p.add(p.seen.wordAt(0, "*"+name), RuleAlias, "the alias *"+Short(name)+" is not allowed", "write the values out in full; quote the value if it is meant as text")
		return
	}
	f := failure{raw: raw, lines: p.lines, said: m[2]}
	f.line, _ = strconv.Atoi(m[1]) // 0 when there is none: the first line
	p.explainFailure(&f)
}

func (p *parser) explainFailure(f *failure) {
	w := lookUp(f.said)
	if w.fromZero && f.line > 0 {
		f.line++
	}
	f.line = min(max(f.line, 1), len(f.lines))
	f.last = firstFailing(f.raw, f.said, f.line)
	if w.bracket { // the library names the line of the bracket, and any text without its end fails so
		f.last = len(f.lines)
	}
	f.message, f.remedy = w.message, w.remedy
	switch {
	case p.tabFailure(f), p.suspectFailure(f), p.faultFailure(f), p.sectionFailure(f), p.slipFailure(f), p.documentFailure(f), p.bracketFailure(f, w), p.listFailure(f), p.columnFailure(f):
		return
	}
	at := pipeline.Position{Line: f.line}
	if w.search {
		at.Line = f.last
	}
	if placeholderPattern().MatchString(f.lines[at.Line-1]) {
		p.add(at, RuleUnquoted, "a placeholder without quotes is a map to YAML", quoteRemedy(f.lines[at.Line-1]))
		return
	}
	rule := RuleSyntax
	if above, here := p.indentedMore(at.Line); above > 0 && w.search {
		f.message = fmt.Sprintf("this line is indented by %d, which fits none of the lines above it; line %d is indented by %d", here, above, p.indent(above))
		f.remedy = "indent the keys of one map alike"
	}
	if w.tag {
		rule = RuleTag
		at = p.seen.wordAt(at.Line, "!")
	}
	if text := f.lines[at.Line-1]; at.Column == 0 && strings.TrimSpace(text) != "" {
		at.Column = column(text, len(text)-len(strings.TrimLeft(text, " \t")))
	}
	p.add(at, rule, f.message, f.remedy)
}

// tabFailure blames tabs when the error goes away without them.
func (p *parser) tabFailure(f *failure) bool {
	var found []int
	lines := slices.Clone(f.lines)
	for _, i := range p.seen.tabs {
		if i+1 < f.line-1 || i+1 > f.last {
			continue
		}
		found = append(found, i)
		rest := strings.TrimLeft(lines[i], " \t")
		if !isContent(lines[i]) {
			lines[i] = ""
		} else {
			lines[i] = strings.Repeat(" ", len(lines[i])-len(rest)) + rest
		}
	}
	if len(found) == 0 || failsWith([]byte(strings.Join(lines[:f.last], "\n")), f.said) && !strings.Contains(f.said, "tab character") {
		return false
	}
	line := found[0]
	p.add(pipeline.Position{Line: line + 1, Column: column(f.lines[line], strings.IndexByte(f.lines[line], '\t'))}, RuleTab,
		"the line is indented with a tab", "indent with spaces; leave blank lines empty")
	return true
}

// slipFailure blames a line that lacks its colon, or the blank behind it.
func (p *parser) slipFailure(f *failure) bool {
	var best *slip
	for i := range p.seen.slips {
		if s := &p.seen.slips[i]; s.atKey && s.line <= f.last && (s.line >= f.line-1 || strings.Contains(f.said, "could not find expected ':'")) {
			best = s
		}
	}
	if best == nil {
		return false
	}
	p.add(pipeline.Position{Line: best.line, Column: best.column}, RuleSyntax, best.message, best.remedy)
	return true
}

// bracketFailure blames a bracket that nothing closes.
func (p *parser) bracketFailure(f *failure, w plain) bool {
	n := len(p.seen.open)
	if n == 0 || strings.HasPrefix(f.said, "exceeded") {
		return false
	}
	open := p.seen.open[n-1]
	if !w.bracket && open.at.Line > f.last {
		return false
	}
	what, closer := "list", "]"
	if open.opener == '{' {
		what, closer = "map", "}"
	}
	if placeholderPattern().MatchString(f.lines[open.at.Line-1]) {
		return false
	}
	p.add(open.at, RuleSyntax, fmt.Sprintf("a %s that begins with %c on this line is not closed", what, open.opener), "close it with "+closer)
	return true
}

// faultFailure blames what the lexer knows that the library cannot read.
func (p *parser) faultFailure(f *failure) bool {
	if len(p.seen.faults) == 0 || p.seen.faults[0].at.Line > f.last {
		return false
	}
	found := p.seen.faults[0]
	if n := len(p.seen.open); n > 0 && !before(found.at, p.seen.open[n-1].at) {
		return false // it follows from the bracket that nothing closes
	}
	if placeholderPattern().MatchString(f.lines[found.at.Line-1]) {
		return false
	}
	rule := RuleSyntax
	if found.tag {
		rule = RuleTag
	}
	p.add(found.at, rule, found.message, found.remedy)
	return true
}

// suspectFailure blames what the lexer found odd before the place that cannot be read.
func (p *parser) suspectFailure(f *failure) bool {
	for _, found := range p.seen.suspects {
		if (found.at.Line >= f.line-1 || found.far) && found.at.Line <= f.last {
			p.add(found.at, RuleSyntax, found.message, found.remedy)
			return true
		}
	}
	return false
}

func before(a, b pipeline.Position) bool {
	return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
}

// firstFailing finds the shortest text, in lines, that fails with the same
// message: its last line is the one that breaks the rule. It looks around the
// line that the library names before it looks further.
func firstFailing(raw []byte, message string, near int) int {
	var ends []int
	for i, c := range raw {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	ends = append(ends, len(raw))
	low, high := 0, near
	for high < len(ends)-1 && !failsWith(raw[:ends[high]], message) {
		low, high = high+1, high*2+1
	}
	high = min(high, len(ends)-1)
	for low < high {
		mid := (low + high) / 2
		if failsWith(raw[:ends[mid]], message) {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low + 1
}

func failsWith(raw []byte, message string) bool {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	err := dec.Decode(new(yaml.Node))
	if err == nil {
		err = dec.Decode(new(yaml.Node))
	}
	return err != nil && strings.HasSuffix(err.Error(), message)
}

// wordAt is the place of a tag, anchor or alias: the first one on the line (0 for any)
// that begins with the text, or the whole line.
func (in *inspector) wordAt(line int, text string) pipeline.Position {
	for _, w := range in.words {
		if (line == 0 && strings.TrimRight(w.word, ":") == text) || (line == w.at.Line && strings.HasPrefix(w.word, text)) {
			return w.at
		}
	}
	return pipeline.Position{Line: line}
}
