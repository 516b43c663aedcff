// Package strictyaml reads YAML that strangers wrote: bounded before anything
// is built, without the parts of YAML that two readers understand differently,
// with the position of every value, and validated by a JSON Schema. It is what
// the readers of variables.yml, metapipe.yml and customers/ have in common.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The rules that this package reports.
const (
	RuleTooLarge     = "too-large"
	RuleNotUTF8      = "not-utf-8"
	RuleControl      = "control-character"
	RuleEmpty        = "empty-file"
	RuleOnlyComments = "only-comments"
	RuleNotMap       = "not-a-map"
	RuleSyntax       = "yaml-syntax"
	RuleTab          = "tab-indentation"
	RuleInvisible    = "invisible-character"
	RuleUnicodeForm  = "unicode-form"
	RuleConflict     = "merge-conflict"
	RuleDirective    = "directive"
	RuleQuote        = "quote"
	RuleComment      = "comment-in-value"
	RuleEscape       = "escape-in-quotes"
	RuleNoBlank      = "missing-blank"
	RuleNoValue      = "missing-value"
	RuleDocuments    = "multiple-documents"
	RuleDepth        = "too-deep"
	RuleNodes        = "too-many-values"
	RuleAlias        = "alias"
	RuleAnchor       = "anchor"
	RuleTag          = "tag"
	RuleMergeKey     = "merge-key"
	RuleDuplicateKey = "duplicate-key"
	RuleKeyNotText   = "key-not-text"
	RuleKeyForm      = "key-form"
	RuleUnquoted     = "unquoted-placeholder"
	RuleAmbiguous    = "ambiguous-value"
	RuleNumber       = "number"
	RuleMoreProblems = "more-problems"
	// RuleSchemaRequired is a key that the schema demands. The schema's other
	// rules also begin with "schema-".
	RuleSchemaRequired = "schema-required"
)

const (
	maxProblems       = 100
	maxKeyLength      = 256
	indicatorsPerNode = 6
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

// Parse reads one document whose top level is a map. Problems carry file as
// their file name and are ordered by place, at most 100 of them. The root is nil
// when what was found hides a part of the text, so that looking further would
// only mislead; it may be there beside problems.
func Parse(file string, raw []byte, opt Options) (root *Node, problems pipeline.Problems) {
	p := &parser{file: file, opt: opt}
	root = p.parse(raw)
	if root == nil && len(p.problems) == 0 {
		p.add(pipeline.Position{Line: 1}, RuleSyntax, "the file could not be read as YAML", "check it with a YAML editor")
	}
	return root, Limit(p.problems)
}

// Limit orders problems by line and column and cuts the list to 100, the last
// of which then says how many there are.
func Limit(ps pipeline.Problems) pipeline.Problems {
	slices.SortStableFunc(ps, func(a, b pipeline.Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if len(ps) <= maxProblems {
		return ps
	}
	more := pipeline.Problem{
		Position: pipeline.Position{File: ps[0].File},
		Rule:     RuleMoreProblems,
		Message:  fmt.Sprintf("%d more problems are not shown", len(ps)-maxProblems+1),
		Remedy:   "fix the first ones and check again",
	}
	kept := ps[: maxProblems-1 : maxProblems-1]
	more.Warning = kept.Err() != nil && ps[maxProblems-1:].Err() == nil
	return append(kept, more)
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

func (p *parser) parse(raw []byte) *Node {
	raw, ok := p.checkText(raw)
	if !ok {
		return nil
	}
	if p.otherFile(raw) {
		return nil
	}
	p.lines = strings.Split(string(raw), "\n")
	if !p.inspect(raw) {
		return nil
	}
	doc, ok := p.decode(raw)
	if !ok {
		return nil
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode && top.Kind != yaml.AliasNode {
		if slips := p.seen.slips; len(slips) > 0 && slips[0].line == top.Line && top.Kind == yaml.ScalarNode && !namePattern().MatchString(slips[0].text) {
			p.add(position(top), RuleNotMap, slips[0].message, slips[0].remedy)
			return nil
		}
		p.add(position(top), RuleNotMap, "the file holds "+yamlKind(top)+" where a map of keys and values is expected",
			"begin with a key, for example: "+p.opt.Example)
		return nil
	}
	p.hints()
	root := p.convert(top, 1)
	if p.hidden || p.stopped {
		return nil
	}
	return root
}

// decode reads exactly one document with content. The library reports errors
// by panicking inside and has panicked past its own guard on hostile input in
// the past, so that is caught here too.
func (p *parser) decode(raw []byte) (doc *yaml.Node, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			p.add(pipeline.Position{Line: 1}, RuleSyntax, "the file cannot be read as YAML", "write it in plain YAML: keys, values, lists")
			doc, ok = nil, false
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	doc = new(yaml.Node)
	if err := dec.Decode(doc); err != nil && !errors.Is(err, io.EOF) {
		p.syntax(raw, err)
		return nil, false
	}
	if len(doc.Content) == 0 || isBlank(raw, doc.Content[0]) {
		p.nothing(raw)
		return nil, false
	}
	second := new(yaml.Node)
	switch err := dec.Decode(second); {
	case errors.Is(err, io.EOF):
		return doc, true
	case err != nil:
		p.syntax(raw, err)
	default:
		pos := position(second)
		if len(second.Content) > 0 {
			pos = position(second.Content[0])
		}
		p.add(pipeline.Position{Line: pos.Line, Column: 1}, RuleDocuments, "the file holds more than one YAML document", "keep one document: remove the line \"---\" between them")
	}
	return nil, false
}

// isBlank reports whether the document has no value at all, as after a lone
// "---".
func isBlank(raw []byte, top *yaml.Node) bool {
	return top.Kind == yaml.ScalarNode && top.Value == "" && top.Style == 0 && onlyComments(raw)
}

func (p *parser) nothing(raw []byte) {
	remedy := "write at least: " + p.opt.Example
	if len(bytes.TrimSpace(raw)) == 0 {
		p.add(pipeline.Position{}, RuleEmpty, "the file is empty", remedy)
		return
	}
	p.add(pipeline.Position{}, RuleOnlyComments, "the file holds comments and no values", remedy)
}

func onlyComments(raw []byte) bool {
	for line := range bytes.Lines(raw) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && !bytes.Equal(line, []byte("---")) && !bytes.Equal(line, []byte("...")) {
			return false
		}
	}
	return true
}

func position(n *yaml.Node) pipeline.Position {
	return pipeline.Position{Line: n.Line, Column: n.Column}
}

func yamlKind(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	return "a single value"
}
