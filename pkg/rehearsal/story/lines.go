package story

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/text"
)

// expanded writes the tabs at the start of a line as blanks.
func expanded(line string) string { return expandedFrom(line, 0) }

// expandedFrom does it for the rest of a line that begins at column.
func expandedFrom(line string, column int) string {
	end := len(line) - len(strings.TrimLeft(line, " \t"))
	if !strings.Contains(line[:end], "\t") {
		return line
	}
	var blanks strings.Builder
	for _, c := range []byte(line[:end]) {
		width := 1
		if c == '\t' {
			width = 4 - (column+blanks.Len())%4
		}
		blanks.WriteString(strings.Repeat(" ", width))
	}
	return blanks.String() + line[end:]
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// cutIndent removes at most n blanks.
func cutIndent(line string, n int) string {
	line = expanded(line)
	return line[min(n, indent(line)):]
}

// fence returns the mark and what stands behind it.
func fence(line string) (mark, info string, ok bool) {
	rest := strings.TrimLeft(line, " ")
	if rest == "" || rest[0] != '`' && rest[0] != '~' {
		return "", "", false
	}
	info = strings.TrimLeft(rest, rest[:1])
	mark = rest[:len(rest)-len(info)]
	info = strings.TrimSpace(info)
	return mark, info, indent(line) < 4 && len(mark) >= 3 && (mark[0] == '~' || !strings.Contains(info, "`"))
}

func atxHeading(line string) (level int, title string, ok bool) {
	rest := strings.TrimSpace(line)
	title = strings.TrimLeft(rest, "#")
	level = len(rest) - len(title)
	if level == 0 || level > 6 || title != "" && title[0] != ' ' && title[0] != '\t' {
		return 0, "", false
	}
	title = strings.TrimSpace(title)
	if open := strings.TrimRight(title, "#"); open == "" || strings.HasSuffix(open, " ") || strings.HasSuffix(open, "\t") {
		title = strings.TrimSpace(open)
	}
	return level, title, true
}

// underline is the level of the heading that a line makes of the paragraph above it.
func underline(line string) int {
	mark := strings.TrimSpace(line)
	switch {
	case mark == "" || indent(line) >= 4:
	case strings.Trim(mark, "=") == "":
		return 1
	case strings.Trim(mark, "-") == "":
		return 2
	}
	return 0
}

func isRule(line string) bool {
	mark := strings.TrimSpace(line)
	if mark == "" || indent(line) >= 4 || strings.IndexByte("-_*", mark[0]) < 0 {
		return false
	}
	return strings.Trim(mark, mark[:1]+" \t") == "" && strings.Count(mark, mark[:1]) >= 3
}

func isQuote(line string) bool {
	return indent(line) < 4 && strings.HasPrefix(strings.TrimLeft(line, " "), ">")
}

const blockTags = `address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|` +
	`h1|h2|h3|h4|h5|h6|head|header|hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|track|ul`

const (
	openTag  = `<[A-Za-z][A-Za-z0-9-]*(?:\s+[A-Za-z_:][A-Za-z0-9_.:-]*(?:\s*=\s*(?:[^\s"'=<>` + "`" + `]+|'[^']*'|"[^"]*"))?)*\s*/?>`
	closeTag = `</[A-Za-z][A-Za-z0-9-]*\s*>`
)

// The starts of HTML blocks, with what ends each; an empty end is a blank line.
var (
	literalStart = text.Pattern(`(?i)^<(?:script|pre|style|textarea)(?:[\s>]|$)`)
	literalEnd   = text.Pattern(`(?i)</(?:script|pre|style|textarea)>`)
	blockStart   = text.Pattern(`(?i)^</?(?:` + blockTags + `)(?:\s|/?>|$)`)
	tagAlone     = text.Pattern(`^(?:` + openTag + `|` + closeTag + `)\s*$`)
)

const literal = "</"

// htmlBlock says whether a line begins a block of HTML, and what ends it.
func htmlBlock(line string, inParagraph bool) (end string, ok bool) {
	line = strings.TrimLeft(line, " ")
	if !strings.HasPrefix(line, "<") {
		return "", false
	}
	switch {
	case literalStart().MatchString(line):
		return literal, true
	case strings.HasPrefix(line, "<!--"):
		return "-->", true
	case strings.HasPrefix(line, "<?"):
		return "?>", true
	case strings.HasPrefix(line, "<![CDATA["):
		return "]]>", true
	case len(line) > 2 && line[1] == '!' && isLetter(line[2]):
		return ">", true
	case blockStart().MatchString(line):
		return "", true
	}
	return "", !inParagraph && tagAlone().MatchString(line)
}

func htmlEnds(line, end string) bool {
	if end == literal {
		return literalEnd().MatchString(line)
	}
	return strings.Contains(line, end)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// cells are the texts between the bars of a line; \| is no bar.
func cells(line string) []string {
	line = strings.TrimSpace(line)
	line = strings.TrimPrefix(line, "|")
	var found []string
	var cell strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '|':
			cell.WriteByte('|')
			i++
		case line[i] == '|':
			found = append(found, strings.TrimSpace(cell.String()))
			cell.Reset()
		default:
			cell.WriteByte(line[i])
		}
	}
	if last := strings.TrimSpace(cell.String()); last != "" || len(found) == 0 {
		found = append(found, last)
	}
	return found
}

// delimiters are the alignments of the columns in the second line of a table.
func delimiters(line string) ([]string, bool) {
	if indent(expanded(line)) >= 4 || !strings.Contains(line, "-") || strings.Trim(line, "|-: \t") != "" {
		return nil, false
	}
	var align []string
	for _, cell := range cells(line) {
		dashes := strings.TrimSuffix(strings.TrimPrefix(cell, ":"), ":")
		if dashes == "" || strings.Trim(dashes, "-") != "" {
			return nil, false
		}
		switch left, right := cell[0] == ':', cell[len(cell)-1] == ':'; {
		case left && right:
			align = append(align, "center")
		case left:
			align = append(align, "left")
		case right:
			align = append(align, "right")
		default:
			align = append(align, "")
		}
	}
	return align, true
}
