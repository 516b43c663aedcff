// Package strictyaml reads YAML that strangers wrote: bounded before anything
// is built, without the parts of YAML that two readers understand differently,
// with the position of every value, and validated by a JSON Schema. It is what
// the readers of variables.yml, metapipe.yml and customers/ have in common.
package strictyaml

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

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

func yamlKind(n *yaml.Node) string {
	if n.Kind == yaml.SequenceNode {
		return "a list"
	}
	return "a single value"
}
