package strictyaml

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var (
	errorCall   = regexp.MustCompile(`(?s)yaml_parser_set_(?:scanner|scanner_tag|parser)_error(?:_context)?\(parser,.*?\)\n`)
	messageText = regexp.MustCompile(`"((?:found|did not|could not|exceeded|mapping|block sequence)[^"]*)"`)
)

// libraryMessages reads what the library's scanner and parser can say from its source.
func libraryMessages(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "gopkg.in/yaml.v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range []string{"scannerc.go", "parserc.go"} {
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range errorCall.FindAllString(string(source), -1) {
			for _, m := range messageText.FindAllStringSubmatch(call, -1) {
				all = append(all, m[1])
			}
		}
	}
	return all
}

func TestEveryMessageOfTheLibraryIsInTheTable(t *testing.T) {
	t.Parallel()
	all := libraryMessages(t)
	if len(all) < 40 {
		t.Fatalf("only %d messages were found", len(all))
	}
	for _, message := range all {
		if w := lookUp(message); strings.Contains(w.message, message) || w.remedy == "" {
			t.Errorf("no plain words for %q", message)
		}
	}
	for _, w := range plainWords {
		if !strings.Contains(strings.Join(all, "\n"), strings.TrimSuffix(w.has, " equal to 0")) {
			t.Errorf("the library does not say %q", w.has)
		}
	}
}

// TestMessagesOfTheLibrary makes the library say each thing that it can, and
// compares the place and the words that a customer gets.
func TestMessagesOfTheLibrary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, library, want string }{
		{"a:\n  b: 1\n c: 2\n", "did not find expected key", "3:2: yaml-syntax: this line is indented by 1, which fits none of the lines above it; line 2 is indented by 2"},
		{"a:\n  b: 1\n  - c\n", "did not find expected key", "3:3: yaml-syntax: a list item stands among the keys of a map"},
		{"a:\n  - b\n  c: 1\n", "did not find expected '-' indicator", "2:3: yaml-syntax: a list begins here, and line 3 goes on with a key"},
		{"x: 1\na: [b, c\nd: e\n", "did not find expected ',' or ']'", "2:4: yaml-syntax: a list that begins with [ on this line is not closed"},
		{"a: {b: c\nd: [e]\n", "did not find expected ',' or '}'", "1:4: yaml-syntax: a map that begins with { on this line is not closed"},
		{"x: 1\na: {b: c d: e}\n", "did not find expected ',' or '}'", "2:10: yaml-syntax: a comma is missing before \"d: e}\""},
		{"x: 1\na: ,\n", "did not find expected node content", "2:4: yaml-syntax: a comma stands where a value is expected"},
		{"x: 1\na: ]\n", "did not find expected node content", "2:4: yaml-syntax: ] closes nothing"},
		{"{a: 1}\nb: 2\n", "did not find expected <document start>", "1:1: yaml-syntax: the file is a map in braces that begins here, and line 2 goes on behind it"},
		{"x: 1\na: b: c\n", "mapping values are not allowed", "2:5: yaml-syntax: there is a second \": \""},
		{"x: 1\na: b\n  c: d\n", "mapping values are not allowed", "3:3: yaml-syntax: \"c:\" stands deeper than line 2 above it"},
		{"x: 1\na: - b\n", "block sequence entries are not allowed", "2:4: yaml-syntax: a list item is not allowed here"},
		{"x: 1\na: ? b\n", "mapping keys are not allowed", "2:4: yaml-syntax: a key is not allowed here"},
		{"x: 1\nregion\ny: 2\n", "could not find expected ':'", "2:1: yaml-syntax: \"region\" is no key with a value: a colon is missing"},
		{"region:eu\ny: 2\n", "mapping values are not allowed", "1:1: yaml-syntax: a blank is missing after the colon of \"region\""},
		{"x: 1\nregion = eu\ny: 2\n", "could not find expected ':'", "2:1: yaml-syntax: \"region\" has = where YAML has a colon"},
		{"x: 1\na: `b`\n", "found character that cannot start any token", "2:4: yaml-syntax: a value begins with `"},
		{"x: 1\na: {}\n\t\nb: 2\n", "found character that cannot start any token", "3:1: tab-indentation"},
		{"x: 1\na: \"b\n", "found unexpected end of stream", "2:4: yaml-syntax: a quote that is opened here is never closed"},
		{"x: 1\na: 'b\n---\nc: d\n", "found unexpected document indicator", "2:4: yaml-syntax: a quote that is opened here is never closed"},
		{"x: 1\na: \"C:\\dir\"\n", "found unknown escape character", "2:7: yaml-syntax: a backslash sequence in double quotes"},
		{"x: 1\na: \"\\uD800\"\n", "found invalid Unicode character escape", "2:5: yaml-syntax: a Unicode escape that is no character"},
		{"x: 1\na: \"\\xZZ\"\n", "did not find expected hexdecimal", "2:5: yaml-syntax: a Unicode escape that is no character"},
		{"x: 1\na: *\n", "did not find expected alphabetic or numeric", "2:4: yaml-syntax: & and * begin names"},
		{"x: 1\na: b\n\t\nc: d\n", "found a tab character that violates indentation", "3:1: tab-indentation"},
		{"x: 1\na: |\n\tb\nc: d\n", "found a tab character where an indentation", "3:1: tab-indentation"},
		{"x: 1\na: |0\n  b\n", "found an indentation indicator equal to 0", "2:4: yaml-syntax: a text block cannot be indented by 0"},
		{"x: 1\na: >b\n  c\n", "did not find expected comment or line break", "2:4: yaml-syntax: text stands behind | or >"},
		{"a: " + strings.Repeat("[", 10_001) + "\n", "exceeded max depth", "1:1: yaml-syntax: maps and lists are nested too deep"},
		{"x: 1\na: !b!c d\n", "found undefined tag handle", "2:4: tag: a word that begins with ! is a tag"},
		{"x: 1\na: !<b c\n", "did not find the expected '>'", "2:4: tag: a word that begins with !"},
		{"x: 1\na: !<> c\n", "did not find expected tag URI", "2:4: tag: a word that begins with !"},
		{"x: 1\na: !%zz c\n", "did not find URI escaped octet", "2:4: tag: a word that begins with !"},
		{"x: 1\na: !%ff c\n", "found an incorrect leading UTF-8 octet", "2:4: tag: a word that begins with !"},
		{"x: 1\na: !%c3%00 c\n", "found an incorrect trailing UTF-8 octet", "2:4: tag: a word that begins with !"},
		{"x: 1\na: !b^c d\n", "did not find expected whitespace or line break", "2:4: tag: a word that begins with !"},
		{"%b c\n---\na: 1\n", "found unknown directive name", "1:1: directive: the line \"%b c\" is a directive"},
		{"% b\n---\na: 1\n", "could not find expected directive name", "1:1: directive"},
		{"%YAML^ 1.1\n---\na: 1\n", "found unexpected non-alphabetical character", "1:1: directive"},
		{"%YAML 1,1\n---\na: 1\n", "did not find expected digit or '.'", "1:1: directive"},
		{"%YAML 12345678901.1\n---\na: 1\n", "found extremely long version number", "1:1: directive"},
		{"%YAML x\n---\na: 1\n", "did not find expected version number", "1:1: directive"},
		{"%TAG !b!c d\n---\na: 1\n", "did not find expected whitespace", "1:1: directive"},
		{"%TAG b c\n---\na: 1\n", "did not find expected '!'", "1:1: directive"},
		{"%YAML 1.1 x\n---\na: 1\n", "did not find expected comment or line break", "1:1: directive"},
		{"%YAML 1.1\n%YAML 1.1\n---\na: 1\n", "found duplicate %YAML directive", "1:1: directive"},
		{"%TAG !b! c\n%TAG !b! c\n---\na: 1\n", "found duplicate %TAG directive", "1:1: directive"},
		{"%YAML 1.3\n---\na: 1\n", "found incompatible YAML document", "1:1: directive: the line \"%YAML 1.3\" is a directive"},
	} {
		dec := yaml.NewDecoder(strings.NewReader(c.text))
		err := dec.Decode(new(yaml.Node))
		if err == nil {
			err = dec.Decode(new(yaml.Node))
		}
		if err == nil || !strings.Contains(err.Error(), c.library) {
			t.Errorf("%.40q: the library says %v, not %q", c.text, err, c.library)
		}
		opt := options
		opt.Nodes = 10_000
		root, problems := Parse("f", []byte(c.text), opt)
		if root != nil || len(problems) == 0 {
			t.Errorf("%.40q was accepted: %v", c.text, problems)
			continue
		}
		if got := problems[0].String(); !strings.HasPrefix(got, "f:"+c.want) {
			t.Errorf("%.40q:\n got %.160s\nwant %s", c.text, got, c.want)
		}
	}
}
