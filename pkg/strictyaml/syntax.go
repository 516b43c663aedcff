package strictyaml

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

var (
	errorPattern       = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)
	tabPattern         = regexp.MustCompile(`^[ ]*\t[ \t]*[^ \t\r\n#]`)
	placeholderPattern = regexp.MustCompile(`^[^"'#]*[:\-] +\{\{`)
)

// plainWords explains the library's messages. The parser's own (not the
// scanner's) count lines from 0.
var plainWords = []struct {
	has             string
	message, remedy string
	fromZero        bool
	search          bool // the line is where the surrounding map begins: look for the real one
}{
	{"did not find expected key", "this line does not fit the indentation of the lines around it", "align it with the other keys of its map", true, true},
	{"did not find expected '-' indicator", "this line does not fit the list it stands in", "begin it with \"- \" in the column of the other items, or align it with the key it belongs to", true, true},
	{"did not find expected ',' or ']'", "a list that begins with [ on this line is not closed, or lacks a comma", "close it with ]", true, false},
	{"did not find expected ',' or '}'", "a map that begins with { on this line is not closed, or lacks a comma", "close it with }", true, false},
	{"did not find expected node content", "a value is missing or begins with a character that YAML reserves", "put the value in quotes", true, false},
	{"did not find expected <document start>", "the text goes on after the end of the document", "remove what stands before or between documents", true, false},
	{"mapping values are not allowed", "there is a second \": \" where only a value is expected", "put the value in quotes if it holds a colon, or check the indentation", false, false},
	{"block sequence entries are not allowed", "a list item is not allowed here", "begin the list on its own line below the key", false, false},
	{"mapping keys are not allowed", "a key is not allowed here", "check the indentation", false, false},
	{"could not find expected ':'", "a key without \":\" and a value", "write \"key: value\"", false, false},
	{"found character that cannot start any token", "a value begins with a character that YAML reserves", "put the value in quotes", false, false},
	{"found unexpected end of stream", "a quote that is opened here is never closed", "close the quote", false, false},
	{"found unexpected document indicator", "a quote that is opened here is never closed", "close the quote", false, false},
	{"found unknown escape character", "a backslash sequence in double quotes that YAML does not know", "use single quotes, or write \\\\ for a backslash", false, false},
	{"found invalid Unicode character escape", "a Unicode escape that is no character", "write the character itself", false, false},
	{"did not find expected hexdecimal", "a Unicode escape that is no character", "write the character itself", false, false},
	{"did not find expected alphabetic", "& and * begin names of anchors and aliases, which are not allowed", "put the value in quotes", false, false},
	{"exceeded max depth", "maps and lists are nested too deep", "flatten this part", false, false},
}

// syntax reports an error of the library in plain words, with the line where a
// person has to look.
func (p *parser) syntax(raw []byte, err error) {
	m := errorPattern.FindStringSubmatch(err.Error())
	if m == nil {
		p.add(pipeline.Position{Line: 1}, RuleSyntax, "the file is not valid YAML: "+Short(err.Error()), "check it with a YAML editor")
		return
	}
	if opener, line := unclosed(raw); opener != 0 {
		what, closer := "list", "]"
		if opener == '{' {
			what, closer = "map", "}"
		}
		p.addSyntax(raw, line, fmt.Sprintf("a %s that begins with %c on this line is not closed", what, opener), "close it with "+closer)
		return
	}
	line, _ := strconv.Atoi(m[1]) // 0 when there is none: the first line
	if name, ok := strings.CutPrefix(m[2], "unknown anchor '"); ok {
		name = strings.TrimSuffix(name, "' referenced")
		p.add(findLine(raw, "*"+name), RuleAlias, "the alias *"+Short(name)+" is not allowed", "write the values out in full; quote the value if it is meant as text")
		return
	}
	message, remedy := "this is not valid YAML: "+Short(m[2]), "check the indentation and the quotes"
	for _, w := range plainWords {
		if !strings.Contains(m[2], w.has) {
			continue
		}
		message, remedy = w.message, w.remedy
		if w.fromZero && line > 0 {
			line++
		}
		if w.search {
			line = firstFailing(raw, m[2])
		}
		break
	}
	p.addSyntax(raw, max(line, 1), message, remedy)
}

// addSyntax looks for the two usual causes near the line before it reports the
// general one.
func (p *parser) addSyntax(raw []byte, line int, message, remedy string) {
	lines := strings.Split(string(raw), "\n")
	line = min(line, len(lines))
	for i := max(line-2, 0); i < min(line+1, len(lines)); i++ {
		if tabPattern.MatchString(lines[i]) {
			column := strings.IndexByte(lines[i], '\t') + 1
			p.add(pipeline.Position{Line: i + 1, Column: column}, RuleTab, "the line is indented with a tab", "indent with spaces")
			return
		}
	}
	at := pipeline.Position{Line: line}
	if placeholderPattern.MatchString(lines[line-1]) {
		p.add(at, RuleUnquoted, "a placeholder without quotes is a map to YAML", `put the whole value in quotes: "{{ … }}"`)
		return
	}
	p.add(at, RuleSyntax, message, remedy)
}

// firstFailing finds the shortest text, in lines, that fails with the same
// message: its last line is the one that breaks the rule.
func firstFailing(raw []byte, message string) int {
	var ends []int
	for i, c := range raw {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	ends = append(ends, len(raw))
	low, high := 0, len(ends)-1
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

// unclosed finds the bracket that is still open at the end of the text, when
// closing it is all that is wrong; 0 for none.
func unclosed(raw []byte) (opener byte, line int) {
	for _, pair := range []string{"[]", "{}"} {
		i := bytes.LastIndexByte(raw, pair[0])
		if i < 0 {
			continue
		}
		closed := append(bytes.Clone(raw), "\n "+pair[1:]...)
		if yaml.NewDecoder(bytes.NewReader(closed)).Decode(new(yaml.Node)) == nil {
			return pair[0], bytes.Count(raw[:i], []byte("\n")) + 1
		}
	}
	return 0, 0
}

func failsWith(raw []byte, message string) bool {
	err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(new(yaml.Node))
	return err != nil && strings.HasSuffix(err.Error(), message)
}

func findLine(raw []byte, text string) pipeline.Position {
	i := bytes.Index(raw, []byte(text))
	if i < 0 {
		return pipeline.Position{}
	}
	return pipeline.Position{Line: bytes.Count(raw[:i], []byte("\n")) + 1}
}
