package strictyaml

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

var (
	keyAlonePattern = regexp.MustCompile(`^( *)("[^"]*"|'[^']*'|[^\s"'#-][^"'#]*?)[ \t]*:[ \t]*(?:#.*)?\r?$`)
	// unquotedPattern finds the value with a placeholder in a line that has no quotes before it.
	unquotedPattern = regexp.MustCompile(`^[^"'#]*?[:\-] +(\{\{?\s*[A-Za-z_. -]*\}.*?)[ \t]*(?:[ \t]#.*)?\r?$`)
	oneBrace        = regexp.MustCompile(`(^|[^{])\{\s*environment\s*\}([^}]|$)`)
)

// columnFailure blames a key that stands less deep than its siblings: the lines below it are
// indented deeper than the key that cannot be read, which belongs beside it.
func (p *parser) columnFailure(f *failure) bool {
	here := keyAlonePattern.FindStringSubmatch(f.lines[f.last-1])
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
		key := keyAlonePattern.FindStringSubmatch(text)
		if key == nil || !siblingAbove(f.lines[:i], depth, indent) {
			return false
		}
		p.add(pipeline.Position{Line: i + 1, Column: depth + 1}, RuleSyntax,
			fmt.Sprintf("%q stands at column %d, and line %d beside it at column %d", Short(key[2]), depth+1, f.last, indent+1),
			fmt.Sprintf("indent line %d by %d blanks if both belong to the same key", i+1, indent))
		return true
	}
	return false
}

// siblingAbove reports whether the lines end below a key at depth with what is indented by
// indent, or with such a key that has nothing in it yet.
func siblingAbove(lines []string, depth, indent int) bool {
	for i := len(lines) - 1; i >= 0; i-- {
		if !isContent(lines[i]) {
			continue
		}
		here := len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		if here == indent {
			return true
		}
		if here <= depth {
			return keyAlonePattern.MatchString(lines[i])
		}
	}
	return false
}

// line is a line of the text, from 1, or "".
func (p *parser) line(n int) string {
	if n < 1 || n > len(p.lines) {
		return ""
	}
	return p.lines[n-1]
}

// quoteRemedy shows the value of a line in quotes.
func quoteRemedy(line string) string {
	m := unquotedPattern.FindStringSubmatch(line)
	if m == nil || strings.ContainsAny(line[:strings.Index(line, "{{")+1], "[,") || strings.Count(m[1], "{") != strings.Count(m[1], "}") {
		return `put the whole value in quotes: "{{ environment }}"`
	}
	return "put the whole value in quotes: " + Quote(oneBrace.ReplaceAllString(m[1], "${1}{{ environment }}${2}"))
}

// Quote writes a text in the quotes that need no escapes, so that it can be copied.
func Quote(s string) string {
	s = Short(s)
	if strings.ContainsAny(s, "\"\\") {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return "\"" + s + "\""
}
