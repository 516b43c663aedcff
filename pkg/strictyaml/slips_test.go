package strictyaml

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// utf16Text is a text as some editors on Windows save it.
func utf16Text(s string, low, high int, mark bool) string {
	if mark {
		s = "\ufeff" + s
	}
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		pair := []byte{0, 0}
		pair[low], pair[high] = byte(u), byte(u>>8)
		out = append(out, pair...)
	}
	return string(out)
}

const (
	sixLines = "environments:\n  staging:\n    region: eu\n  live:\n    region: us\n"
	longKey  = 2000
)

// slipsOfPeople are texts with one slip each: the place where a person has to look, and
// words of the cause. An empty place is a text that is right.
var slipsOfPeople = []struct{ name, text, at, needle string }{
	// Brackets.
	{"surplus brace", "a: 1\nb: {c: d}}\ne: 2\n", "2:10", "} closes nothing"},
	{"surplus brace at the end", "a: 1\nb: {c: d}}\n", "2:10", "} closes nothing"},
	{"surplus bracket", "a: [1, 2]]\nb: 2\n", "1:10", "] closes nothing"},
	{"surplus bracket after a value", "a: 1]\nb: 2\n", "", ""},
	{"lone closing brace", "a:\n  b: 1\n}\nc: 2\n", "3:1", "} closes nothing"},
	{"lone closing bracket as a value", "x: 1\na: ]\n", "2:4", "] closes nothing"},
	{"wrong closer", "a: 1\nb: [80, 443}\nc: 2\n", "2:12", "} does not close the [ "},
	{"wrong closer of a map", "a: 1\nb: {c: [1, 2}\nd: 2\n", "2:13", "} does not close the [ "},
	{"missing comma between texts", "a: [\"x\" \"y\"]\n", "1:9", "comma"},
	{"missing comma between lists", "a: [[1, 2] [3]]\n", "1:12", "comma"},
	{"missing comma on the next line", "a: [\n  \"x\"\n  \"y\"\n]\n", "3:3", "comma"},
	{"missing comma in a map", "x: 1\na: {b: c d: e}\n", "2:10", "comma"},
	{"missing comma in a map of texts", "a: {\"b\": \"c\" \"d\": \"e\"}\n", "1:14", "comma"},
	{"two commas", "a: [1,, 2]\n", "1:7", "comma"},
	{"comma first", "a: [, 1]\n", "1:5", "comma"},
	{"map in braces, then keys", "{a: 1}\nb: 2\nc: 3\n", "1:1", "braces"},
	{"list in brackets, then keys", "[a, c]\nb: 2\n", "1:1", "brackets"},
	{"text behind a closing brace", "a: {b: 1} c\nd: 1\n", "1:11", "behind a closing bracket"},
	{"comma behind a closing brace", "a: {b: 1},\nd: 1\n", "1:10", "behind a closing bracket"},
	{"open bracket", "a: 1\nb: [1, 2\nc: 3\n", "2:4", "not closed"},
	{"open brace of JSON", "{\n  \"a\": 1,\n  \"b\": {\"c\": 2\n}\n", "1:1", "not closed"},
	{"JSON with a comma at the end", "{\n  \"a\": [1, 2,],\n  \"b\": {\"c\": 2,},\n}\n", "", ""},
	{"JSON without a comma", "{\n  \"a\": 1\n  \"b\": 2\n}\n", "3:3", "comma"},
	{"surplus brace of JSON", "{\n  \"a\": {\n    \"b\": 1\n  }}\n}\n", "5:1", "} closes nothing"},
	{"surplus brace on Windows", "a: {b: c}}\r\nd: 1\r\n", "1:10", "} closes nothing"},
	{"open list in braces", "a: {\n  b: 1,\n  c: [2, 3\n}\n", "4:1", "} does not close the [ of line 3"},
	{"key in a list", "a: [1, 2\nb: 3]\nc: 1\n", "2:1", "comma"},
	{"semicolon in a map", "a: {b: 1; c: 2}\n", "1:11", "comma"},
	{"parenthesis for a bracket", "a: [1, 2)\nb: 1\n", "1:4", "not closed"},
	{"open brace before a text block", "a: {\nb: |\n  c\nd: 1\n", "1:4", "not closed"},
	{"no colon in braces", "a: {b c, d: 1}\n", "1:5", "no value"},
	// Quotes.
	{"whole line in quotes", "a: 1\n\"region: eu\"\nb: 2\n", "2:1", "whole line"},
	{"first line in quotes", "\"region: eu\"\nb: 2\n", "1:1", "whole line"},
	{"last line in quotes", "a: 1\n'region: eu'\n", "2:1", "whole line"},
	{"nested line in quotes", "a:\n  b: 1\n  \"region: eu\"\nc: 2\n", "3:3", "whole line"},
	{"key in quotes without a colon", "a: 1\n\"region\"\nb: 2\n", "2:1", "colon"},
	{"first key of a map in quotes", "a:\n  \"region: eu\"\n  b: 1\nc: 2\n", "2:3", "whole line"},
	{"a text in quotes below its key", "a:\n  \"region: eu\"\nb:\n  c: 1\n", "", ""},
	{"open quote", "a: 1\nb: \"x\nc: 2\n", "2:4", "never closed"},
	{"quotes inside of quotes", "a: \"say \"hi\" now\"\n", "1:10", "behind a closing quote"},
	{"apostrophe", "a: 'don't'\nb: 1\n", "1:9", "behind a closing quote"},
	{"Windows path", "x: 1\na: \"C:\\dir\\new\"\n", "2:7", "backslash"},
	{"Windows path, late", "a: \"\\\\srv\\share\"\n", "1:10", "backslash"},
	{"bad escape in a further line", "a: \"x\n  y \\d\"\nb: 1\n", "2:5", "backslash"},
	{"smart quotes", "a: 1\nb: “x”\n", "2:4", "typographic"},
	{"backtick", "a: 1\nb: `x`\n", "2:4", "reserves"},
	{"at sign", "a: 1\nb: [x, @y]\n", "2:8", "reserves"},
	{"percent", "a: %x\n", "1:4", "reserves"},
	{"percent in column 1", "a: 1\n%b: 2\n", "2:1", "directive"},
	{"no colon behind a key in quotes", "a: 1\n\"key\" value\nb: 2\n", "2:7", "colon is missing"},
	{"sum of texts", "a: \"x\" + \"y\"\n", "1:8", "behind a closing quote"},
	{"Markdown", "```yaml\na: 1\n```\n", "1:1", "Markdown"},
	{"end of Markdown", "a: 1\n```\n", "2:1", "Markdown"},
	{"escape with braces", "a: \"\\u{1F600}\"\n", "1:5", "escape"},
	{"HCL block behind keys", "a: 1\nvariable \"x\" {\n  default = 1\n}\nb: 2\n", "2:1", "block of HCL"},
	{"end of a shell script", "a: 1\nEOF\n", "2:1", "colon"},
	// Colons.
	{"semicolon for a colon", "environments:\n  staging;\n    region: eu\n", "2:3", "colon"},
	{"semicolon for a colon, same level", "a: 1\nstaging;\nb: 2\n", "2:1", "colon"},
	{"semicolon for a colon with a value", "a: 1\nregion; eu\nb: 2\n", "2:1", "colon"},
	{"full-width colon", "a: 1\nregion：eu\nb: 2\n", "2:7", "colon"},
	{"no blank after the colon", "a: 1\nregion:eu\nb: 2\n", "2:1", "blank is missing after the colon"},
	{"equals sign", "a: 1\nregion=eu\nb: 2\n", "2:1", "="},
	{"no colon", "a: 1\nregion eu\nb: 2\n", "2:1", "colon"},
	{"no colon at the end", "a: 1\nregion eu\n", "2:1", "colon"},
	{"no colon in an environment", "environments:\n  staging\n    region: eu\n", "2:3", "colon"},
	{"two colons in a line", "a: 1\nb: c: d\n", "2:5", "second"},
	{"time of day", "a: 1\nb: at 10: 30\n", "2:9", "second"},
	{".env", "REGION=eu\nSIZE=2\n", "1:1", "="},
	{"exported .env", "export REGION=eu\nexport SIZE=2\n", "1:1", "export"},
	{"HCL", "region = \"eu\"\nsize = 2\n", "1:1", "="},
	{"HCL block", "environments {\n  staging = 1\n}\n", "1:1", "block of HCL"},
	{"HCL map", "tags = {\n  a = \"b\"\n}\n", "1:1", "="},
	// Lists.
	{"star for a hyphen", "ports:\n  * 80\n  * 443\n", "2:3", "*"},
	{"plus for a hyphen", "ports:\n  + 80\n  + 443\n", "2:3", "+ begins no list item"},
	{"item without a blank", "ports:\n  -80\n  - 443\n", "2:3", "hyphen"},
	{"item too deep", "ports:\n  - 80\n   - 443\n", "3:4", "list item"},
	{"item less deep", "ports:\n  - 80\n - 443\nb: 1\n", "3:2", "list"},
	{"key among items", "a:\n  - b\n  c: 1\n", "2:3", "list begins here"},
	{"item among keys", "a:\n  b: 1\n  - c\n", "3:3", "list item"},
	{"list on the line of its key", "a: 1\nb: - c\n", "2:4", "list item"},
	{"item in a value", "b: c\n  - d\n", "2:3", "list item"},
	{"no colon in an item", "l:\n  - name shop\n    port: 80\n", "2:5", "colon is missing"},
	{"key too deep in an item", "l:\n  - name: shop\n     port: 80\n", "3:6", "deeper"},
	// Indentation.
	{"first key indented", " a: 1\nb: 2\nc: 3\n", "1:2", "first key"},
	{"first key indented, comment above", "# x\n\n  a: 1\nb: 2\n", "3:3", "first key"},
	{"one key too deep", "a: 1\n b: 2\nc: 3\n", "2:2", "deeper"},
	{"one key less deep", "a:\n  b: 1\n c: 2\nd: 1\n", "3:2", "indented by 1"},
	{"less deep, between", "a:\n    b: 1\n  c: 2\n    d: 3\n", "3:3", "indented by 2"},
	{"first key of a map too deep", "a:\n   b: 1\n  c: 2\n", "3:3", "line 2 is indented by 3"},
	{"first key of a map in column 1", "a:\nb: 1\n  c: 2\n", "3:3", "deeper than line 2"},
	{"tab", "a:\n\tb: 1\n", "2:1", "tab"},
	{"tab after blanks", "a:\n  b: 1\n  \tc: 1\n", "3:3", "tab"},
	{"block text less deep", "a: |\n    one\n  two\nb: 1\n", "3:3", "text block"},
	{"folded text less deep", "a: >\n    one\n    two\n  three: 3\nb: 1\n", "4:3", "text block"},
	{"block text less deep, at the end", "x: 1\na: |-\n    one\n  two\n", "4:3", "text block"},
	{"block text in an environment", "a:\n  b: |\n      one\n    two\n  c: 1\n", "4:5", "text block"},
	{"block text in column 1", "a: |\none\nb: 1\n", "2:1", "text block"},
	{"blank line deeper than a block text", "a: |\n      \n  one\nb: 1\n", "2:3", "text block"},
	{"text behind a bar", "a: 1\nb: |text\n", "2:4", "text block"},
	{"two signs behind a bar", "a: >+-\n  b\n", "1:4", "text block"},
	{"block text less deep on Windows", "a: |\r\n    one\r\n  two\r\nb: 1\r\n", "3:3", "text block"},
	{"key behind three hyphens", "--- a: 1\n", "1:5", "---"},
	// Keys.
	{"long key", "a: 1\n" + strings.Repeat("k", longKey) + ": 2\nb: 3\n", "2:1", "key of 2000 characters"},
	{"long key in quotes", "a: 1\n\"" + strings.Repeat("k", longKey) + "\": 2\nb: 3\n", "2:1", "key of 2000 characters"},
	{"long key below", "a:\n  b: 1\n  " + strings.Repeat("k", longKey) + ": 2\n", "3:3", "key of 2000 characters"},
	{"long key in braces", "a: {" + strings.Repeat("k", longKey) + ": 2}\n", "1:5", "key of 2000 characters"},
	{"long line", "a: " + strings.Repeat("k", longKey) + "\n", "", ""},
	{"key twice", "a: 1\nb: 2\na: 3\n", "3:1", "second time"},
	{"key twice, in quotes", "a: 1\n\"a\": 3\n", "2:1", "second time"},
	{"number as a key", "a: 1\n80: x\n", "2:1", "not text"},
	{"yes as a key", "yes: 1\n", "1:1", "yes"},
	{"question mark", "a: 1\nb: ? c\n", "2:4", "key is not allowed"},
	{"merge key", "a: {b: 1}\nc:\n  <<: {d: 1}\n", "3:3", "merge key"},
	// Properties, documents.
	{"anchor", "a: 1\nb: &x\n  c: 1\n", "2:4", "anchor &x"},
	{"anchor before a text", "a: 1\nb: &x c\n", "2:4", "anchor &x"},
	{"alias without an anchor", "a: 1\nb: *x\n", "2:4", "alias *x"},
	{"alias", "a: &x 1\nb: [1, *x]\n", "1:4", "anchor &x"},
	{"alias as an item", "a: 1\nb:\n  - 2\n  - *prod\n", "4:5", "alias *prod"},
	{"alias after the same text", "a: 2*x\nb: *x\n", "2:4", "alias *x"},
	{"alias as a key", "*a: 1\n", "1:1", "alias *a"},
	{"glob", "a: *.log\n", "1:4", "*"},
	{"and", "a: & b\n", "1:4", "&"},
	{"tag", "a: 1\nb: !!str 5\n", "2:4", "tag"},
	{"unknown tag", "a: 1\nb: !Ref c\n", "2:4", "tag"},
	{"bad tag", "a: 1\nb: !x!y z\n", "2:4", "tag"},
	{"two documents", "a: 1\n---\nb: 2\n", "2:1", "more than one"},
	{"end of a document", "a: 1\n...\nb: 2\n", "2:1", "\"...\""},
	{"three dots and text", "a: 1\n---\n", "2:1", "more than one"},
	// Comments.
	{"comment without a blank", "a: b#c\n", "", ""},
	{"other comment", "a: 1\n// x\nb: 2\n", "2:1", "comment"},
	{"other comment, first", "// x\nb: 2\n", "1:1", "comment"},
	// Values.
	{"yes", "a: yes\n", "1:4", "yes"}, {"on", "a: on\n", "1:4", "on"}, {"octal", "a: 0755\n", "1:4", "0755"},
	{"date", "a: 2026-01-02\n", "1:4", "date"}, {"time", "a: 12:30\n", "1:4", "12:30"}, {"underscore", "a: 1_000\n", "1:4", "1_000"},
	{"null", "a: null\n", "", ""}, {"tilde", "a: ~\n", "", ""}, {"emoji", "a: 🚀\n", "", ""},
	{"ampersand", "a: x & y\n", "", ""}, {"star inside", "a: x * y\n", "", ""},
	{"pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "1:1", "Git LFS"},
	{"page of GitHub", "\ufeff<!DOCTYPE html>\n<html>\n", "1:1", "web page"},
	{"second key one too deep", "e:\n  s:\n    r: 1\n   t:\n    r: 2\n", "4:4", "line 2 beside it at column 3"},
	{"second key of three too deep", "e:\n    s:\n        r: 1\n     t:\n        r: 2\n    u:\n        r: 3\n", "4:6", "line 2 beside it at column 5"},
	// Other languages.
	{"HCL block of an environment", "environments:\n  \"staging\" {\n    region = \"eu\"\n  }\n", "2:13", "block of HCL"},
	{"HCL block with a label", "a: 1\nb:\n  env \"live\" {\n    c: 1\n", "3:3", "block of HCL"},
	{"HCL map", "a: 1\nnet = {\n  cidr: x\n}\nb: 2\n", "2:1", "block of HCL"},
	{"HCL text block", "a: 1\nb: <<-EOT\n  c\n  EOT\nd: 1\n", "2:4", "<<-EOT"},
	{"heredoc of a shell", "b: <<'END'\n  c\nEND\n", "1:4", "<<'END'"},
	{"= and then deeper", "s:\n  region = \"eu\"\n    size: 1\n", "2:3", "has ="},
	{"no blank and then deeper", "s:\n  region:eu\n    size: 1\n", "2:3", "blank"},
	{"= behind a key in quotes", "a: 1\n\"b\" = \"c\"\n", "2:5", "has ="},
	{"section of INI", "a: 1\n[net]\ncidr: x\n", "2:1", "section"},
	{"section of TOML", "a: 1\nb:\n  c: 1\n[b.d]\ne: 1\n", "4:1", "section"},
	{"first section of INI", "[net]\ncidr: x\n", "1:1", "section"},
	{"JSON with comments", "{\n  // one\n  \"a\": 1\n}\n", "2:3", "begins no comment"},
	{"JavaScript with comments", "{\n  /* one */\n  a: 1\n}\n", "2:3", "begins no comment"},
	{"colon without a key", "a:\n  b: 1\n  : 2\n", "3:3", "no key"},
	{"two entries on one line", "a:\n  b: 1 c: 2\n", "2:9", "behind \"c\""},
	{"escape of a line break", "a: \"C:\\new\"\n", "1:7", "line break"},
	{"escape of a tab", "a: \"D:\\temp\"\n", "1:7", "tab"},
	{"escape of a bell", "a: \"srv\\app\"\n", "1:4", "U+0007"},
	{"escape in a list", "a: [1, \"x\\ry\"]\n", "1:10", "carriage return"},
	{"escaped backslash", "a: \"C:\\\\new\"\n", "", ""},
	{"backslash in single quotes", "a: 'C:\\new'\n", "", ""},
	// Characters.
	{"no-break space", "a:\n\u00a0\u00a0b: 1\n", "2:1", "no-break"},
	{"no-break space after a colon", "a:\u00a01\nb: 2\n", "1:3", "no-break"},
	{"zero-width space", "a: 1\n\u200bb: 2\n", "2:1", "zero-width"},
	{"byte order mark", "\ufeffa: 1\n", "", ""},
	{"byte order mark inside", "a: 1\n\ufeffb: 2\n", "2:1", "byte order mark"},
	{"byte order mark in a value", "a: x\ufeffy\n", "1:5", "byte order mark"},
	{"line ends of an old Mac", "a: 1\rb: 2\rc: 3\r", "1:5", "carriage return"},
	{"one line end of an old Mac", "a: 1\nb: 2\rc: 3\n", "2:5", "carriage return"},
	{"line ends of Windows", "a: 1\r\nb: 2\r\n", "", ""},
	{"doubled carriage returns", "a: 1\r\r\nb: 2\r\r\n", "1:5", "carriage return"},
	{"UTF-16 of Windows", utf16Text(sixLines, 0, 1, true), "1:1", "UTF-16"},
	{"UTF-16, big end first", utf16Text(sixLines, 1, 0, true), "1:1", "UTF-16"},
	{"UTF-16 without a mark", utf16Text(sixLines, 0, 1, false), "1:1", "UTF-16"},
	{"UTF-16 without a mark, big end first", utf16Text(sixLines, 1, 0, false), "1:1", "UTF-16"},
	{"UTF-16 with other letters", utf16Text("name: größe\n", 0, 1, true), "1:1", "UTF-16"},
	{"Latin 1", "a: 1\nb: caf\xe9\n", "2:7", "UTF-8"},
	{"NUL", "a: 1\nb: \x00\n", "2:4", "U+0000"},
}

// TestSlipsOfPeople: each slip has its place and its cause in the first problem, and
// spellings that are right have no problem.
func TestSlipsOfPeople(t *testing.T) {
	t.Parallel()
	for _, c := range slipsOfPeople {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			root, problems := Parse("f", []byte(c.text), options)
			if c.at == "" {
				if root == nil || len(problems) > 0 {
					t.Errorf("%.80q: %v", c.text, problems)
				}
				return
			}
			if len(problems) == 0 {
				t.Fatalf("%.80q passes in silence", c.text)
			}
			if got := problems[0].Position.String(); got != "f:"+c.at || !strings.Contains(problems[0].Message, c.needle) {
				t.Errorf("%.80q: want %s with %q, got\n%v", c.text, c.at, c.needle, problems)
			}
		})
	}
}
