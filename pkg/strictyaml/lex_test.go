package strictyaml

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// placesOf lists where the library finds scalars in quotes.
func placesOf(n *yaml.Node, places map[[2]int]bool) {
	if n.Kind == yaml.ScalarNode && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && n.Anchor == "" && n.Tag == "!!str" && n.Style&yaml.TaggedStyle == 0 {
		places[[2]int{n.Line, n.Column}] = true
	}
	for _, c := range n.Content {
		placesOf(c, places)
	}
}

// quoteRecorder notes where the lexer finds quotes, and the first fault.
type quoteRecorder struct {
	places map[[2]int]bool
	first  *fault
}

func (r *quoteRecorder) column0(_ *lexer, s string) int {
	if strings.HasPrefix(s, "---") && endsWord(s, 3) {
		return 3
	}
	return 0
}
func (r *quoteRecorder) indentation(*lexer, string, int)   {}
func (r *quoteRecorder) scalar(*lexer, string, plainText)  {}
func (r *quoteRecorder) comment(*lexer, string, int, byte) {}
func (r *quoteRecorder) property(*lexer, int, string)      {}
func (*quoteRecorder) suspect(*lexer, fault)               {}
func (*quoteRecorder) escape(*lexer, int, string)          {}
func (r *quoteRecorder) fault(_ *lexer, f fault) {
	if r.first == nil {
		r.first = &f
	}
}
func (r *quoteRecorder) quoted(l *lexer, q *quote) {
	if q.closed {
		r.places[[2]int{q.line + 1, column(l.lines[q.line], q.column)}] = true
	}
}

// lexerFinds compares the lexer with the library on a text that the library reads: both
// find the same quotes, and the lexer finds no fault.
func lexerFinds(t *testing.T, raw []byte) {
	t.Helper()
	p := &parser{opt: options}
	if text, ok := p.checkText(raw); !ok || bytes.ContainsAny(text, "%!&") || bytes.Contains(text, []byte("...")) {
		return
	}
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	doc := new(yaml.Node)
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(doc); err != nil || !errors.Is(dec.Decode(new(yaml.Node)), io.EOF) {
		return
	}
	want, got := map[[2]int]bool{}, &quoteRecorder{places: map[[2]int]bool{}}
	placesOf(doc, want)
	lex(raw, got)
	if got.first != nil {
		t.Fatalf("the lexer finds a fault in a text that the library reads: %+v\n%q", *got.first, raw)
	}
	for place := range want {
		if !got.places[place] {
			t.Fatalf("the lexer has no quote at %v:\n%q", place, raw)
		}
	}
}

// FuzzLexer holds that inspection never panics, that a refusal by it is one by
// the parser, and that the lexer and the library find the same quotes.
func FuzzLexer(f *testing.F) {
	for _, text := range []string{
		"a: \"b\"\nc: 'd''e'\n", "a:\n  - \"x\"\n  - - 'y'\n", "a: |\n  \"no\n\n  'no\nb: \"yes\"\n", "k: [a, \"b\", {c: 'd', \"e\": f}]\n",
		"a: x\n  \"no\"\nb: 'yes'\n", "a: \"x\n  y\"\n", "? \"a\"\n: 'b'\n", "a: >-\n  t\n# \"no\nb: |2\n    'no\n  \"no\nc: \"yes\"\n", "\"a\": b # \"no\n", "- |\n \"no\n- \"yes\"\n",
		"a:\n- |\n  'no\n- 'yes'\n", "a: it's\nb: \"yes\"\n", "a: [x\n \"no\", \"yes\"]\n", "--- \"x\"\n", "a: &b \"c\"\n", "a:\n  |\n  \"no\nb: ''\n", "a: \"\\\"x\"\n",
		"a: b\n\t\nc: d\n", "a=b\n", "a:b\nc: d\n", "<<<<<<< x\na: b\n=======\n", "%YAML 1.2\n---\na: b\n", "a: b\n...\nc: d\n", "a:\u00a0b\n", "\u00a0a: b\n", "a: “b”\n", "---  #-----::#0", "[?]]", "\"\"#  G n\"nb: n\"n\"\"# b:  G #o\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		lexerFinds(t, raw)
		root, problems := Parse("f", raw, options)
		if root == nil && problems.Err() == nil {
			t.Fatalf("no root and no reason: %v", problems)
		}
		for _, p := range problems {
			if p.Message == "" || p.Remedy == "" || p.Rule == "" || p.Line > bytes.Count(raw, []byte("\n"))+1 {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// TestInspectionIsLinear gives one MiB of what would cost a lexer most that
// counts columns or looks back.
func TestInspectionIsLinear(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	opt := Options{Bytes: size, Depth: 32, Nodes: 10_000, Example: "a: 1"}
	fill := func(head, unit, tail string) []byte {
		return []byte(head + strings.Repeat(unit, (size-len(head)-len(tail))/len(unit)) + tail)
	}
	pad := strings.Repeat(" ", 18) // the bound on indicators is met before otherwise
	x := strings.Repeat("x", 36)
	for name, raw := range map[string][]byte{
		"dashes": fill("a: 1\nb:\n  ", "- "+pad, "x"), "flow": fill("a: [", "b, "+pad, "]"), "brackets": fill("a: ", "["+pad, ""), "quotes": fill("a: [", `"b", `+pad, "]"),
		"lines": fill("", "a: b"+x+"\n", ""), "keys in a quote": fill("a: \"", "b: c"+x+"\n", ""), "text that goes on": fill("a: b\n", " c:d"+x+"\n", ""),
		"spaces": fill("a: b\n", "\u00a0"+pad+"\n", ""), "tabs": fill("a: b\n", "\t"+pad+"\n", ""), "colons": fill("a: ", "b:\u00a0"+pad, ""),
		"conflicts": fill("", "======="+pad+"\n", ""), "comments": fill("", "a: b #c"+x+"\n", ""), "bad end": fill("", "a: [b, c]"+x+x+"\n", " d: e\n"), "block": fill("a: |\n", " b"+x+"\n", ""),
	} {
		start := time.Now()
		if root, problems := Parse("f", raw, opt); root == nil && len(problems) == 0 {
			t.Errorf("%s: neither a text nor a problem", name)
		}
		// A second alone on a machine; squares of it take many minutes.
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s took %v", name, took)
		} else {
			t.Logf("%s took %v", name, took)
		}
	}
}

func TestLexerFindsTheQuotesOfTheLibrary(t *testing.T) {
	t.Parallel()
	texts := []string{"a: {b: \"c\", 'd': [\"e\", 'f']}\n", "é: ü \"no\"\nö: - \"\n"}
	for _, indent := range []string{"", "  "} {
		for _, first := range []string{"- \"a\"\n", "k: 'b'\n", "k: |\n" + indent + "  \"c\n", "k: d\n" + indent + "  'e\n", "k:\n" + indent + "- \"f\"\n", "# \"\n", "? \"g\"\n"} {
			for _, second := range []string{"l: \"x\"\n", "- 'y'\n", "'m': >\n" + indent + " \"\n", "n: [\"o\",\n" + indent + " 'p']\n"} {
				texts = append(texts, "top:\n"+indent+first+indent+second+"end: \"z\"\n")
			}
		}
	}
	slices.Sort(texts)
	for _, text := range slices.Compact(texts) {
		lexerFinds(t, []byte(text))
	}
}
