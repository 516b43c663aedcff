package story

import (
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/text"
)

// inline renders the text of a paragraph, a heading or a cell.
func inline(source string) string {
	in := inlines{rest: source, missing: map[string]bool{}}
	for in.rest != "" {
		in.next()
	}
	return emphasized(in.pieces)
}

// inlines are the pieces of a text that was read up to rest.
type inlines struct {
	pieces   []piece
	brackets []int // the pieces that are "[" or "![" and may begin a link
	before   rune  // the character before rest
	rest     string
	missing  map[string]bool // the ends that do not come any more
}

// piece is HTML, or a run of marks.
type piece struct {
	html        string
	mark        byte // * _ or ~
	count       int  // of marks that are left
	length      int  // of the run
	opens       bool
	closes      bool
	image       bool
	dead        bool   // a "[" around a link: no link is inside of another one
	first, last string // tags that stand on the side of the text
}

func (in *inlines) add(html string) { in.pieces = append(in.pieces, piece{html: html}) }

// skip moves on by n bytes.
func (in *inlines) skip(n int) {
	in.before, _ = utf8.DecodeLastRuneInString(in.rest[:n])
	in.rest = in.rest[n:]
}

func (in *inlines) next() {
	switch c := in.rest[0]; c {
	case '\\':
		in.backslash()
	case '`':
		in.codeSpan()
	case '<':
		in.tag()
	case '&':
		if entity := entityPattern().FindString(in.rest); entity != "" {
			in.add(entity)
			in.skip(len(entity))
			return
		}
		in.plain(1)
	case '*', '_', '~':
		in.marks(c)
	case '!':
		if strings.HasPrefix(in.rest, "![") {
			in.bracket(2)
			return
		}
		in.plain(1)
	case '[':
		in.bracket(1)
	case ']':
		in.link()
	case '\n':
		in.lineBreak()
	default:
		end := strings.IndexAny(in.rest, "\\`<&*_~![]\n")
		if end < 0 {
			end = len(in.rest)
		}
		in.plain(end)
	}
}

func (in *inlines) plain(n int) {
	in.add(html.EscapeString(in.rest[:n]))
	in.skip(n)
}

var entityPattern = text.Pattern(`^&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});`)

const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

func (in *inlines) backslash() {
	switch {
	case len(in.rest) > 1 && in.rest[1] == '\n':
		in.add("<br>\n")
		in.skip(2)
		in.rest = strings.TrimLeft(in.rest, " ")
	case len(in.rest) > 1 && strings.IndexByte(punctuation, in.rest[1]) >= 0:
		in.add(html.EscapeString(in.rest[1:2]))
		in.skip(2)
	default:
		in.plain(1)
	}
}

// lineBreak ends a line; two blanks before it make it a hard break.
func (in *inlines) lineBreak() {
	br := ""
	if n := len(in.pieces); n > 0 && in.pieces[n-1].mark == 0 {
		last := &in.pieces[n-1].html
		if trimmed := strings.TrimRight(*last, " "); in.before == ' ' {
			if len(*last)-len(trimmed) >= 2 {
				br = "<br>"
			}
			*last = trimmed
		}
	}
	in.add(br + "\n")
	in.skip(1)
	in.rest = strings.TrimLeft(in.rest, " \t")
}

func (in *inlines) codeSpan() {
	body := strings.TrimLeft(in.rest, "`")
	mark := in.rest[:len(in.rest)-len(body)]
	if !in.missing[mark] {
		for from := 0; from < len(body); {
			start := strings.Index(body[from:], mark)
			if start < 0 {
				break
			}
			start += from
			end := len(body) - len(strings.TrimLeft(body[start:], "`"))
			if end-start == len(mark) {
				content := strings.ReplaceAll(body[:start], "\n", " ")
				if len(content) > 2 && content[0] == ' ' && content[len(content)-1] == ' ' && strings.Trim(content, " ") != "" {
					content = content[1 : len(content)-1]
				}
				in.add("<code>" + html.EscapeString(content) + "</code>")
				in.skip(len(mark) + end)
				return
			}
			from = end
		}
		in.missing[mark] = true
	}
	in.plain(len(mark))
}

var (
	tagPattern     = text.Pattern(`^(?:` + openTag + `|` + closeTag + `)`)
	addressPattern = text.Pattern(`^<([A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*)>`)
	mailPattern    = text.Pattern("^<([a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9.-]+)>")
)

// tag is an address in <> or HTML.
func (in *inlines) tag() {
	if m := addressPattern().FindStringSubmatch(in.rest); m != nil {
		in.add(`<a href="` + escapedAddress(m[1]) + `">` + html.EscapeString(m[1]) + "</a>")
		in.skip(len(m[0]))
		return
	}
	if m := mailPattern().FindStringSubmatch(in.rest); m != nil {
		in.add(html.EscapeString(m[1]))
		in.skip(len(m[0]))
		return
	}
	n := len(tagPattern().FindString(in.rest))
	for _, form := range [][2]string{{"<!-->", ""}, {"<!--->", ""}, {"<!--", "-->"}, {"<?", "?>"}, {"<![CDATA[", "]]>"}, {"<!", ">"}} {
		if n == 0 && strings.HasPrefix(in.rest, form[0]) && !in.missing[form[1]] {
			if end := strings.Index(in.rest[len(form[0]):], form[1]); end >= 0 {
				n = len(form[0]) + end + len(form[1])
			} else {
				in.missing[form[1]] = true
			}
		}
	}
	if n == 0 {
		in.plain(1)
		return
	}
	in.add(in.rest[:n])
	in.skip(n)
}

// marks is a run of * _ or ~. Source: https://spec.commonmark.org/0.31.2/#delimiter-run
func (in *inlines) marks(c byte) {
	n := len(in.rest) - len(strings.TrimLeft(in.rest, string(c)))
	after, _ := utf8.DecodeRuneInString(in.rest[n:])
	if n == len(in.rest) {
		after = ' '
	}
	before := in.before
	if before == 0 {
		before = ' '
	}
	left := !unicode.IsSpace(after) && (!isPunctuation(after) || unicode.IsSpace(before) || isPunctuation(before))
	right := !unicode.IsSpace(before) && (!isPunctuation(before) || unicode.IsSpace(after) || isPunctuation(after))
	p := piece{mark: c, count: n, length: n, opens: left, closes: right}
	if c == '_' {
		p.opens, p.closes = left && (!right || isPunctuation(before)), right && (!left || isPunctuation(after))
	}
	if c == '~' && n > 2 {
		p.opens, p.closes = false, false
	}
	in.pieces = append(in.pieces, p)
	in.skip(n)
}

func isPunctuation(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

func (in *inlines) bracket(n int) {
	in.brackets = append(in.brackets, len(in.pieces))
	in.pieces = append(in.pieces, piece{html: in.rest[:n], image: n == 2})
	in.skip(n)
}

// link ends the text of a link or an image.
func (in *inlines) link() {
	if len(in.brackets) == 0 {
		in.plain(1)
		return
	}
	start := in.brackets[len(in.brackets)-1]
	in.brackets = in.brackets[:len(in.brackets)-1]
	address, n := target(in.rest[1:])
	if n == 0 || in.pieces[start].dead {
		in.plain(1)
		return
	}
	content := emphasized(in.pieces[start+1:])
	image := in.pieces[start].image
	in.pieces = in.pieces[:start]
	if image {
		in.add("") // no pictures
	} else {
		in.add(`<a href="` + escapedAddress(address) + `">` + content + "</a>")
		for _, outer := range in.brackets {
			in.pieces[outer].dead = !in.pieces[outer].image
		}
	}
	in.skip(1 + n)
}

// maxTarget bounds the address and the title of a link.
const maxTarget = 2048

var (
	anglePattern = text.Pattern(`^<((?:[^<>\\\n]|\\.)*)>`)
	titlePattern = text.Pattern(`^(?:\s+(?:"(?:[^"\\]|\\(?s:.))*"|'(?:[^'\\]|\\(?s:.))*'|\((?:[^()\\]|\\(?s:.))*\)))?\s*\)`)
)

// target reads "(address "title")", and returns 0 for what is none.
func target(s string) (address string, n int) {
	if !strings.HasPrefix(s, "(") {
		return "", 0
	}
	s = s[:min(len(s), maxTarget)]
	rest := strings.TrimLeft(s[1:], " \t\n")
	if m := anglePattern().FindStringSubmatch(rest); m != nil {
		address, rest = m[1], rest[len(m[0]):]
	} else if strings.HasPrefix(rest, "<") {
		return "", 0
	} else {
		address = balanced(rest)
		rest = rest[len(address):]
	}
	end := titlePattern().FindString(rest)
	if end == "" {
		return "", 0
	}
	return unescaped(address), len(s) - len(rest) + len(end)
}

// escapedAddress is an address without the characters that no address has.
func escapedAddress(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\[]^`{|}", c) >= 0 {
			fmt.Fprintf(&out, "%%%02X", c)
			continue
		}
		out.WriteByte(c)
	}
	return html.EscapeString(out.String())
}

// balanced is the start of s before a blank or a parenthesis that it does not open.
func balanced(s string) string {
	open := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c <= ' ' || c == 0x7f:
			return s[:i]
		case c == '\\' && i+1 < len(s) && strings.IndexByte(punctuation, s[i+1]) >= 0:
			i++
		case c == '(':
			open++
		case c == ')':
			open--
		}
		if open < 0 || open > 32 { // the least that CommonMark asks for
			return s[:i]
		}
	}
	return s
}

// unescaped is a text without backslashes and entities.
func unescaped(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(punctuation, s[i+1]) >= 0 {
			i++
			out.WriteByte(s[i])
			continue
		}
		if s[i] == '&' {
			if entity := entityPattern().FindString(s[i:]); entity != "" {
				out.WriteString(html.UnescapeString(entity))
				i += len(entity) - 1
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// emphasized writes pieces with the emphasis that their marks make. Source:
// https://spec.commonmark.org/0.31.2/#process-emphasis
func emphasized(pieces []piece) string {
	type kind struct {
		mark  byte
		opens bool
		rest  int
	}
	bottom := map[kind]int{}
	var openers []int
	for i := range pieces {
		c := &pieces[i]
		for c.closes && c.count > 0 {
			key := kind{c.mark, c.opens, c.length % 3}
			at := len(openers) - 1
			for at >= bottom[key] && !matches(pieces[openers[at]], *c) {
				at--
			}
			if at < bottom[key] {
				bottom[key] = len(openers)
				break
			}
			o := &pieces[openers[at]]
			enclose(o, c)
			openers = openers[:at+1]
			if o.count == 0 {
				openers = openers[:at]
			}
			for k, n := range bottom {
				bottom[k] = min(n, len(openers))
			}
		}
		if c.opens && c.count > 0 {
			openers = append(openers, i)
		}
	}
	var out strings.Builder
	for _, p := range pieces {
		if p.mark == 0 {
			out.WriteString(p.html)
			continue
		}
		out.WriteString(p.last + strings.Repeat(string(p.mark), p.count) + p.first)
	}
	return out.String()
}

func matches(o, c piece) bool {
	if o.mark != c.mark || o.mark == '~' && o.count != c.count {
		return false
	}
	return !(o.closes || c.opens) || (o.length+c.length)%3 != 0 || o.length%3 == 0 && c.length%3 == 0 || o.mark == '~'
}

// enclose turns one or two marks on each side into tags.
func enclose(o, c *piece) {
	n, element := 1, "em"
	switch {
	case o.mark == '~':
		n, element = o.count, "del"
	case o.count >= 2 && c.count >= 2:
		n, element = 2, "strong"
	}
	o.count -= n
	c.count -= n
	o.first = "<" + element + ">" + o.first
	c.last += "</" + element + ">"
}
