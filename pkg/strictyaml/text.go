package strictyaml

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// checkText looks at the bytes alone, before anything is built from them, and
// returns them without a byte order mark.
func (p *parser) checkText(raw []byte) ([]byte, bool) {
	if len(raw) > p.opt.Bytes {
		p.tooLarge()
		return nil, false
	}
	if isUTF16(raw) {
		p.add(pipeline.Position{Line: 1, Column: 1}, RuleNotUTF8, "the file is in UTF-16, and must be in UTF-8", "save it as UTF-8")
		return nil, false
	}
	raw = bytes.TrimPrefix(raw, byteOrderMark)
	if !p.checkRunes(raw) {
		return nil, false
	}
	// Every value needs a line, a comma, a colon or a bracket, so this is a cheap
	// upper bound that keeps the library from building a tree of a million nodes.
	indicators := 0
	for _, c := range raw {
		switch c {
		case '\n', ',', ':', '[', '{', '-', '?':
			indicators++
		}
	}
	if indicators > indicatorsPerNode*p.opt.Nodes {
		p.tooMany(pipeline.Position{})
		return nil, false
	}
	return raw, true
}

func (p *parser) tooLarge() {
	p.add(pipeline.Position{}, RuleTooLarge, "the file is larger than "+Size(p.opt.Bytes),
		"keep large content elsewhere and name its place here")
}

func (p *parser) tooMany(pos pipeline.Position) {
	p.add(pos, RuleNodes, fmt.Sprintf("the file holds more than %d values", p.opt.Nodes), "split what it describes, or shorten its lists")
}

// checkRunes refuses what is not text. It stops at the first finding: a binary
// file would have thousands.
func (p *parser) checkRunes(raw []byte) bool {
	line, column := 1, 0
	for i := 0; i < len(raw); {
		r, n := utf8.DecodeRune(raw[i:])
		column++
		at := pipeline.Position{Line: line, Column: column}
		if r == utf8.RuneError && n == 1 {
			p.add(at, RuleNotUTF8, fmt.Sprintf("byte 0x%02x is not valid UTF-8", raw[i]), "save the file as UTF-8")
			return false
		}
		if r == '\r' && (i+1 == len(raw) || raw[i+1] != '\n') {
			p.add(at, RuleControl, "a carriage return (U+000D) without a line feed stands here", "save the file with the line ends of Unix (LF) or Windows (CRLF)")
			return false
		}
		if r == '\ufeff' {
			p.add(at, RuleControl, "a byte order mark (U+FEFF) stands inside of the text", "remove it; files that are joined often keep theirs")
			return false
		}
		if forbidden(r) {
			p.add(at, RuleControl, fmt.Sprintf("the file holds the invisible character U+%04X", r), "delete it; save the file as plain text")
			return false
		}
		if r == '\n' {
			line, column = line+1, 0
		}
		i += n
	}
	return true
}

// otherFiles begin with what no YAML file begins with.
var otherFiles = []struct{ start, message, remedy string }{
	{"version https://git-lfs.github.com/spec/", "the file is a pointer of Git LFS, not the file itself", "take the file out of Git LFS and commit its text"},
	{"<!doctype html", "the file is a web page (HTML), not YAML", "save the file itself, not the page that shows it"},
	{"<html", "the file is a web page (HTML), not YAML", "save the file itself, not the page that shows it"},
	{"<?xml", "the file is XML, not YAML", "write it as YAML: key: value"},
	{"#!/", "the file is a script, not YAML", "write keys and values; a script cannot make them here"},
}

// otherFile refuses a file of another kind under the name of a YAML file.
func (p *parser) otherFile(raw []byte) bool {
	head := strings.ToLower(string(raw[:min(len(raw), maxKeyLength)]))
	for _, f := range otherFiles {
		if strings.HasPrefix(head, f.start) {
			p.add(pipeline.Position{Line: 1, Column: 1}, RuleNotMap, f.message, f.remedy)
			return true
		}
	}
	return false
}

// isUTF16 recognizes UTF-16 by its mark, or by zeros in every second byte: the letters,
// blanks and colons of a YAML file have them.
func isUTF16(raw []byte) bool {
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		return true
	}
	const most, fewest = 1 << 10, 4 // bytes to look at, and pairs for each zero
	var zeros [2]int
	head := raw[:min(len(raw), most)]
	for i, c := range head {
		if c == 0 {
			zeros[i%2]++
		}
	}
	return min(zeros[0], zeros[1]) == 0 && max(zeros[0], zeros[1])*2*fewest >= len(head) && len(head) > 1
}

// forbidden reports characters that no one means to write: controls, the line
// breaks that only some readers know, marks that make text read otherwise than
// it is, and code points that YAML has no place for.
func forbidden(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return false
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return true
	case r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
		return true
	}
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// Size writes a number of bytes for people: in KiB or MiB where it is even.
func Size(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
