package story

import (
	"fmt"
	"strings"
)

// HTML renders a comment or a job summary, GitHub Markdown with <details> in it,
// as a piece of HTML that can stand anywhere inside a <div>: no scripts, styles,
// images or forms, links to http and https only, and every element closed, so
// that hostile Markdown can reach nothing around it. Headings are two levels
// lower, below those of the page. Lines of diff blocks carry
// the classes "add", "del" and "hunk" in a <pre class="diff">.
//
// Bare addresses and references to links ([x][y]) stay text.
//
// The error names what could not be rendered; there is no half result.
func HTML(markdown string) (string, error) {
	var out strings.Builder
	source := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\ufffd").Replace(string([]rune(markdown)))
	blocks, _ := parse(strings.Split(strings.TrimSuffix(source, "\n"), "\n"), 0)
	render(&out, blocks, false)
	closed, err := sanitize(strings.NewReader(out.String()))
	if err != nil {
		return "", fmt.Errorf("clean the HTML of Markdown of %d bytes: %w", len(markdown), err)
	}
	return closed, nil
}

// block is a block of CommonMark (https://spec.commonmark.org/0.31.2/) or a table of
// GitHub (https://github.github.com/gfm/#tables-extension-).
type block struct {
	kind     blockKind
	text     string // of paragraphs and headings with its marks, of code and HTML as it is
	level    int    // of a heading
	language string // of a code block
	items    [][]block
	list     listKind
	tight    bool // the paragraphs of a list's items are written without <p>
	rows     [][]string
	align    []string // of the columns of a table: left, right, center or empty
}

type blockKind int

const (
	paragraph blockKind = iota
	heading
	code
	rawHTML
	rule
	quote
	list
	table
)

// listKind is what the items of one list share.
type listKind struct {
	mark    byte // - + * . or )
	ordered bool
}

// maxDepth bounds how deep lists and quotes are nested.
const maxDepth = 20

// parse reads the lines of one container. gap says that there was a blank line
// between two blocks of it.
func parse(lines []string, depth int) (blocks []block, gap bool) {
	blank := false
	for len(lines) > 0 {
		lines[0] = expanded(lines[0])
		if strings.TrimSpace(lines[0]) == "" {
			blank = len(blocks) > 0
			lines = lines[1:]
			continue
		}
		gap = gap || blank
		next, rest := parseBlock(lines, depth)
		blocks = append(blocks, next)
		// The blank lines at the end of a list belong to what contains it.
		blank = len(rest) < len(lines) && next.kind == list && strings.TrimSpace(lines[len(lines)-len(rest)-1]) == ""
		lines = rest
	}
	return blocks, gap
}

func parseBlock(lines []string, depth int) (block, []string) {
	line := lines[0]
	if indent(line) >= 4 {
		return indentedCode(lines)
	}
	if mark, info, ok := fence(line); ok {
		return fencedCode(lines, mark, info)
	}
	if level, title, ok := atxHeading(line); ok {
		return block{kind: heading, level: level, text: title}, lines[1:]
	}
	if isRule(line) {
		return block{kind: rule}, lines[1:]
	}
	if depth < maxDepth {
		if isQuote(line) {
			return parseQuote(lines, depth)
		}
		if _, ok := itemOf(line); ok {
			return parseList(lines, depth)
		}
	}
	if end, ok := htmlBlock(line, false); ok {
		return parseHTML(lines, end)
	}
	if b, rest, ok := parseTable(lines); ok {
		return b, rest
	}
	return parseParagraph(lines, depth)
}

// parseParagraph reads a paragraph, or a heading that is underlined.
func parseParagraph(lines []string, depth int) (block, []string) {
	var text []string
	for i, line := range lines {
		if line = expanded(line); i > 0 {
			if level := underline(line); level > 0 {
				return block{kind: heading, level: level, text: strings.Join(text, "\n")}, lines[i+1:]
			}
			if strings.TrimSpace(line) == "" || interrupts(line, depth) {
				return block{text: strings.Join(text, "\n")}, lines[i:]
			}
			if _, _, ok := parseTable(lines[i:]); ok {
				return block{text: strings.Join(text, "\n")}, lines[i:]
			}
		}
		text = append(text, strings.TrimLeft(line, " "))
	}
	return block{text: strings.Join(text, "\n")}, nil
}

// interrupts says that a line ends the paragraph before it.
func interrupts(line string, depth int) bool {
	if indent(line) >= 4 {
		return false
	}
	_, _, isFence := fence(line)
	_, _, isHeading := atxHeading(line)
	_, isHTML := htmlBlock(line, true)
	item, isItem := itemOf(line)
	isItem = isItem && depth < maxDepth && item.text != "" && (!item.ordered || item.first == "1")
	return isFence || isHeading || isHTML || isItem || isRule(line) || depth < maxDepth && isQuote(line)
}

func indentedCode(lines []string) (block, []string) {
	var text []string
	end := 0
	for i, line := range lines {
		line = expanded(line)
		if strings.TrimSpace(line) != "" {
			if indent(line) < 4 {
				break
			}
			end = i + 1
		}
		text = append(text, cutIndent(line, 4))
	}
	return block{kind: code, text: strings.Join(text[:end], "\n") + "\n"}, lines[end:]
}

func fencedCode(lines []string, mark, info string) (block, []string) {
	b := block{kind: code}
	language, _, _ := strings.Cut(info, " ")
	b.language = unescaped(language)
	var text strings.Builder
	for i, line := range lines[1:] {
		closing := strings.TrimSpace(line)
		if indent(expanded(line)) < 4 && strings.HasPrefix(closing, mark) && strings.Trim(closing, mark[:1]) == "" {
			b.text = text.String()
			return b, lines[i+2:]
		}
		text.WriteString(cutIndent(line, indent(lines[0])) + "\n")
	}
	b.text = text.String()
	return b, nil
}

func parseQuote(lines []string, depth int) (block, []string) {
	var inner []string
	var end tail
	for ; len(lines) > 0; lines = lines[1:] {
		line := expanded(lines[0])
		if isQuote(line) {
			line = unquoted(line)
		} else if end.goesOn(line, depth+1) {
			line = lazy(line)
		} else {
			break
		}
		end.add(line, depth+1)
		inner = append(inner, line)
	}
	blocks, _ := parse(inner, depth+1)
	return block{kind: quote, items: [][]block{blocks}}, lines
}

// tail is what the last line of a container was.
type tail struct {
	fence string // of a fenced block that is open
	text  bool   // it is the text of a paragraph
}

// add takes the next line of the container.
func (t *tail) add(line string, depth int) {
	line = withoutMarks(expanded(line), depth)
	mark, info, ok := fence(line)
	switch {
	case t.fence != "":
		if ok && info == "" && strings.HasPrefix(mark, t.fence) {
			t.fence = ""
		}
		t.text = false
		return
	case ok:
		t.fence = mark
	}
	_, _, title := atxHeading(line)
	_, isHTML := htmlBlock(line, t.text)
	t.text = strings.TrimSpace(line) != "" && !ok && !title && !isHTML && !isRule(line) && (t.text || indent(line) < 4)
}

// goesOn says that line belongs to the paragraph at the end of the container, though it
// lacks the marks of the container.
func (t *tail) goesOn(line string, depth int) bool {
	if _, ok := itemOf(line); ok && indent(line) < 4 {
		return false
	}
	return t.text && strings.TrimSpace(line) != "" && !interrupts(line, depth)
}

// withoutMarks is a line without the marks of quotes and lists that it begins with.
func withoutMarks(line string, depth int) string {
	for ; depth < maxDepth; depth++ {
		if isQuote(line) {
			line = unquoted(line)
			continue
		}
		it, ok := itemOf(line)
		if !ok || isRule(line) {
			break
		}
		line = it.text
	}
	return line
}

func unquoted(line string) string {
	before := indent(line) + 1
	return strings.TrimPrefix(expandedFrom(line[before:], before), " ")
}

// lazy keeps a line from being read as the underline of a heading.
func lazy(line string) string {
	if underline(line) > 0 {
		return `\` + strings.TrimLeft(line, " ")
	}
	return line
}

// item is the first line of an item of a list.
type item struct {
	listKind
	first  string // the number
	offset int    // where its text begins
	text   string
}

func itemOf(line string) (item, bool) {
	before := indent(line)
	rest := line[before:]
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	if before >= 4 || digits >= len(rest) || digits > 9 || isRule(line) {
		return item{}, false
	}
	found := item{listKind: listKind{rest[digits], digits > 0}, first: rest[:digits]}
	if digits == 0 && !strings.ContainsRune("-+*", rune(found.mark)) || digits > 0 && found.mark != '.' && found.mark != ')' {
		return item{}, false
	}
	rest = expandedFrom(rest[digits+1:], before+digits+1)
	if rest != "" && rest[0] != ' ' {
		return item{}, false
	}
	blanks := indent(rest)
	if blanks == len(rest) || blanks > 4 {
		blanks = min(1, len(rest))
	}
	found.offset = before + digits + 1 + max(blanks, 1)
	found.text = rest[blanks:]
	if strings.TrimSpace(found.text) == "" {
		found.text = ""
	}
	return found, true
}

func parseList(lines []string, depth int) (block, []string) {
	first, _ := itemOf(lines[0])
	b := block{kind: list, list: first.listKind, tight: true, text: first.first}
	ended := false // with a blank line
	for len(lines) > 0 {
		start := lines
		for len(start) > 1 && strings.TrimSpace(start[0]) == "" { // behind an empty item
			start = start[1:]
		}
		next, ok := itemOf(expanded(start[0]))
		if !ok || next.listKind != first.listKind {
			break
		}
		ended = ended || len(start) < len(lines)
		lines = start
		inner, rest := itemLines(lines, next, depth)
		blocks, gap := parse(inner, depth+1)
		b.tight = b.tight && !gap && !ended
		b.items = append(b.items, blocks)
		ended = strings.TrimSpace(lines[len(lines)-len(rest)-1]) == ""
		lines = rest
	}
	return b, lines
}

// itemLines returns the lines of an item without its indent, and the lines behind it.
func itemLines(lines []string, it item, depth int) (inner, rest []string) {
	inner = []string{it.text}
	var end tail
	end.add(it.text, depth+1)
	for lines = lines[1:]; len(lines) > 0; lines = lines[1:] {
		line := expanded(lines[0])
		blank := strings.TrimSpace(line) == ""
		switch {
		case blank && len(inner) == 1 && it.text == "":
			return inner, lines
		case blank, indent(line) >= it.offset:
			line = cutIndent(line, it.offset)
		case end.goesOn(line, depth+1):
			line = lazy(line)
		default:
			return inner, lines
		}
		end.add(line, depth+1)
		inner = append(inner, line)
	}
	return inner, nil
}

func parseHTML(lines []string, end string) (block, []string) {
	n := 0
	for n < len(lines) && (end != "" || strings.TrimSpace(lines[n]) != "") {
		n++
		if end != "" && htmlEnds(lines[n-1], end) {
			break
		}
	}
	text := strings.Join(lines[:n], "\n")
	if n < len(lines) {
		text += "\n"
	}
	return block{kind: rawHTML, text: text}, lines[n:]
}

func parseTable(lines []string) (block, []string, bool) {
	if len(lines) < 2 || indent(lines[0]) >= 4 || underline(expanded(lines[1])) > 0 {
		return block{}, nil, false
	}
	align, ok := delimiters(lines[1])
	head := cells(lines[0])
	if !ok || len(head) != len(align) {
		return block{}, nil, false
	}
	b := block{kind: table, rows: [][]string{head}, align: align}
	for i, line := range lines[2:] {
		line = expanded(line)
		if strings.TrimSpace(line) == "" || interrupts(line, 0) {
			return b, lines[i+2:], true
		}
		row := cells(line)
		b.rows = append(b.rows, append(row, make([]string, max(0, len(align)-len(row)))...)[:len(align)])
	}
	return b, nil, true
}
