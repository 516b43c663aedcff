package story

import (
	"html"
	"strconv"
	"strings"
)

// render writes blocks as HTML. In a tight list paragraphs are plain text.
func render(out *strings.Builder, blocks []block, tight bool) {
	for i, b := range blocks {
		switch b.kind {
		case paragraph:
			renderParagraph(out, b, tight, i+1 == len(blocks))
		case heading:
			level := strconv.Itoa(b.level)
			out.WriteString("<h" + level + ">" + inline(strings.TrimSpace(b.text)) + "</h" + level + ">\n")
		case code:
			renderCode(out, b)
		case rawHTML:
			out.WriteString(b.text)
		case rule:
			out.WriteString("<hr>\n")
		case quote:
			out.WriteString("<blockquote>\n")
			render(out, b.items[0], false)
			out.WriteString("</blockquote>\n")
		case list:
			renderList(out, b)
		case table:
			renderTable(out, b)
		}
	}
}

func renderParagraph(out *strings.Builder, b block, tight, last bool) {
	text := inline(strings.TrimRight(b.text, " \t\n"))
	switch {
	case !tight:
		out.WriteString("<p>" + text + "</p>\n")
	case last:
		out.WriteString(text)
	default:
		out.WriteString(text + "\n")
	}
}

func renderList(out *strings.Builder, b block) {
	element := "ul"
	if b.list.ordered {
		element = "ol"
	}
	out.WriteString("<" + element + ">\n")
	for _, blocks := range b.items {
		out.WriteString("<li>")
		if len(blocks) > 0 && (!b.tight || blocks[0].kind != paragraph) {
			out.WriteString("\n")
		}
		render(out, blocks, b.tight)
		out.WriteString("</li>\n")
	}
	out.WriteString("</" + element + ">\n")
}

func renderTable(out *strings.Builder, b block) {
	out.WriteString("<table>\n<thead>\n")
	for i, row := range b.rows {
		cell := "td"
		if i == 0 {
			cell = "th"
		}
		if i == 1 {
			out.WriteString("<tbody>\n")
		}
		out.WriteString("<tr>\n")
		for column, text := range row {
			out.WriteString("<" + cell)
			if b.align[column] != "" {
				out.WriteString(` align="` + b.align[column] + `"`)
			}
			out.WriteString(">" + inline(text) + "</" + cell + ">\n")
		}
		out.WriteString("</tr>\n")
		if i == 0 {
			out.WriteString("</thead>\n")
		}
	}
	if len(b.rows) > 1 {
		out.WriteString("</tbody>\n")
	}
	out.WriteString("</table>\n")
}

// renderCode writes code, that of the language "diff" with a class per line.
func renderCode(out *strings.Builder, b block) {
	if b.language != "diff" {
		out.WriteString("<pre><code>" + html.EscapeString(b.text) + "</code></pre>\n")
		return
	}
	out.WriteString(`<pre class="diff"><code>`)
	for line := range strings.Lines(b.text) {
		// The line break stays inside: outside it would be an empty line.
		out.WriteString(`<span class="` + diffLine(line) + `">` + html.EscapeString(line) + "</span>")
	}
	out.WriteString("</code></pre>\n")
}
