package strictyaml

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Options bound and describe one kind of file. Every bound must be positive.
type Options struct {
	Bytes int // size of the text
	Depth int // nesting of maps and lists; the top level counts as 1
	Nodes int // maps, lists and scalars together
	// Example is a minimal file on one line; it is shown when the file has nothing in it.
	Example string
	// PlainWords lets yes, no, on and off stand without quotes, as text: for files
	// that nothing but this package reads.
	PlainWords bool
}

type parser struct {
	file     string
	opt      Options
	problems pipeline.Problems
	nodes    int
	hidden   bool // a part of the text could not be understood
	stopped  bool // a bound was met: nothing more is read
	seen     *inspector
	lines    []string
}

func (p *parser) add(pos pipeline.Position, rule, message, remedy string) {
	pos.File = p.file
	if last := len(p.lines); last > 0 && pos.Line > last { // the library puts what is missing behind the end
		pos.Line, pos.Column = last, column(p.lines[last-1], len(p.lines[last-1]))
	}
	p.problems = append(p.problems, pipeline.Problem{Position: pos, Rule: rule, Message: message, Remedy: remedy})
}

func (p *parser) warn(pos pipeline.Position, rule, message, remedy string) {
	p.add(pos, rule, message, remedy)
	p.problems[len(p.problems)-1].Warning = true
}

func position(n *yaml.Node) pipeline.Position {
	return pipeline.Position{Line: n.Line, Column: n.Column}
}

// indent counts the blanks at the beginning of a line.
func (p *parser) indent(n int) int {
	return len(p.line(n)) - len(strings.TrimLeft(p.line(n), " "))
}

// line is a line of the text, from 1, or "".
func (p *parser) line(n int) string {
	if n < 1 || n > len(p.lines) {
		return ""
	}
	return p.lines[n-1]
}
