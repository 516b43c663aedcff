package strictyaml

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// sectionPattern matches the head of a section of INI and TOML.
var sectionPattern = text.Pattern(`^[ \t]*\[{1,2}[ \t]*([A-Za-z_][A-Za-z0-9_."-]*)[ \t]*\]{1,2}[ \t]*(?:#.*)?$`)

// sectionFailure blames a name in brackets that stands where a key must stand.
func (p *parser) sectionFailure(f *failure) bool {
	if !strings.Contains(f.said, "could not find expected ':'") && !strings.Contains(f.said, "<document start>") && !strings.Contains(f.said, "expected key") {
		return false
	}
	for n := max(f.line-1, 1); n <= f.last; n++ {
		if m := sectionPattern().FindStringSubmatch(strings.TrimSuffix(p.line(n), "\r")); m != nil {
			p.add(pipeline.Position{Line: n, Column: p.indent(n) + 1}, RuleSyntax, fmt.Sprintf("[%s] begins a section of INI or TOML, which YAML does not have", Short(m[1])),
				fmt.Sprintf("write %q, and indent the lines that belong to it", Short(m[1][strings.LastIndexByte(m[1], '.')+1:]+":")))
			return true
		}
	}
	return false
}

// documentFailure explains a document that ends before the text does.
func (p *parser) documentFailure(f *failure) bool {
	if !strings.Contains(f.said, "<document start>") {
		return false
	}
	for i, line := range f.lines[:f.line-1] {
		indent := p.indent(i + 1)
		text := line[indent:]
		at := pipeline.Position{Line: i + 1, Column: indent + 1}
		switch {
		case !isContent(line) || strings.HasPrefix(line, "---"):
			continue
		case text[0] == '{', text[0] == '[':
			what := map[byte]string{'{': "map in braces", '[': "list in brackets"}[text[0]]
			p.add(at, RuleSyntax, fmt.Sprintf("the file is a %s that begins here, and line %d goes on behind it", what, f.line), "write each key on a line of its own, without braces and brackets around it")
		case indent > p.indent(f.line):
			p.add(at, RuleSyntax, fmt.Sprintf("the first key is indented by %d, and line %d is indented less", indent, f.line), "begin all keys of the top level in column 1")
		default:
			return false
		}
		return true
	}
	return false
}

// listFailure explains list items and keys that stand side by side.
func (p *parser) listFailure(f *failure) bool {
	indent := p.indent(f.last)
	text := f.lines[f.last-1][indent:]
	switch {
	case strings.Contains(f.said, "expected key") && isItem(text):
		p.add(pipeline.Position{Line: f.last, Column: indent + 1}, RuleSyntax, "a list item stands among the keys of a map", "write it as \"key: value\", without the hyphen")
		return true
	case !strings.Contains(f.said, "'-' indicator") || isItem(text):
		return false
	}
	first := 0
	for i := f.last - 2; i >= 0; i-- {
		n := p.indent(i + 1)
		if rest := f.lines[i][n:]; n < indent && isContent(rest) {
			break
		} else if n == indent && isItem(rest) {
			first = i + 1
		}
	}
	if first == 0 {
		return false
	}
	p.add(pipeline.Position{Line: first, Column: indent + 1}, RuleSyntax,
		fmt.Sprintf("a list begins here, and line %d goes on with a key as in a map", f.last),
		"where a map is wanted, remove the hyphen and indent what belongs to the key; else begin each item with \"- \"")
	return true
}

// columnFailure blames a key that stands less deep than its siblings: the lines below it are
// indented deeper than the key that cannot be read, which belongs beside it.
func (p *parser) columnFailure(f *failure) bool {
	here := keyAlonePattern().FindStringSubmatch(f.lines[f.last-1])
	if here == nil || here[1] == "" {
		return false
	}
	indent := len(here[1])
	for i := f.last - 2; i > 0; i-- {
		text := f.lines[i]
		depth := len(text) - len(strings.TrimLeft(text, " "))
		switch {
		case !isContent(text) || depth > indent:
			continue
		case depth == indent || i == f.last-2:
			return false
		}
		key := keyAlonePattern().FindStringSubmatch(text)
		if key == nil {
			return false
		}
		switch siblingAbove(f.lines[:i], depth, indent) {
		case noSibling:
			return false
		case parentOnly:
			p.add(pipeline.Position{Line: f.last, Column: indent + 1}, RuleSyntax,
				fmt.Sprintf("%q stands at column %d, and line %d beside it at column %d", Short(here[2]), indent+1, i+1, depth+1),
				fmt.Sprintf("move line %d left by %s if both belong to the same key", f.last, spacesWord(indent-depth)))
			return true
		}
		p.add(pipeline.Position{Line: i + 1, Column: depth + 1}, RuleSyntax,
			fmt.Sprintf("%q stands at column %d, and line %d beside it at column %d", Short(key[2]), depth+1, f.last, indent+1),
			fmt.Sprintf("indent line %d by %d blanks if both belong to the same key", i+1, indent))
		return true
	}
	return false
}

// sibling is what stands above two keys that are not indented alike.
type sibling int

const (
	noSibling  sibling = iota
	deepOne            // a line that is indented like the deeper key, or a key at the level of the other one that has nothing in it
	parentOnly         // a key above both, so the second key is the odd one
)

// siblingAbove looks for the line to which keys at depth and at indent may both belong.
func siblingAbove(lines []string, depth, indent int) sibling {
	for i := len(lines) - 1; i >= 0; i-- {
		if !isContent(lines[i]) {
			continue
		}
		here := len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		switch {
		case here == indent:
			return deepOne
		case here > depth:
		case !keyAlonePattern().MatchString(lines[i]):
			return noSibling
		case here < depth:
			return parentOnly
		default:
			return deepOne
		}
	}
	return noSibling
}

// indentedMore is the line with content above a line, if it is indented more and none of
// the lines of their block is indented alike; else 0.
func (p *parser) indentedMore(n int) (above, here int) {
	above, here = p.seen.above(n-1), p.indent(n)
	if above >= n || p.indent(above) <= here {
		return 0, here
	}
	for i := above; i > 0; i-- {
		switch {
		case isContent(p.line(i)) && p.indent(i) == here:
			return 0, here
		case isContent(p.line(i)) && p.indent(i) < here:
			return above, here
		}
	}
	return above, here
}
