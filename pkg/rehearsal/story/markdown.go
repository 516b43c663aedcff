package story

import (
	"bytes"
	"fmt"
	stdhtml "html"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/gomarkdown/markdown"
	"github.com/gomarkdown/markdown/ast"
	"github.com/gomarkdown/markdown/html"
	"github.com/gomarkdown/markdown/parser"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// HTML renders a comment or a job summary, GitHub Markdown with <details> in it,
// as a piece of HTML that can stand anywhere inside a <div>: no scripts, styles,
// images or forms, links to http and https only, and every element closed, so
// that hostile Markdown can reach nothing around it. Headings are two levels
// lower, below those of the page. Lines of diff blocks carry
// the classes "add", "del" and "hunk" in a <pre class="diff">.
//
// The error names what could not be rendered; there is no half result.
func HTML(source string) (string, error) {
	closed, err := sanitize(bytes.NewReader(bytes.TrimRight(unsafeHTML(source), "\n")))
	if err != nil {
		return "", fmt.Errorf("clean the HTML of Markdown of %d bytes: %w", len(source), err)
	}
	return closed, nil
}

// unsafeHTML parses what GitHub parses, but makes no links of bare addresses.
// The HTML in the text is passed on, since the sanitizer follows.
func unsafeHTML(source string) []byte {
	p := parser.NewCommonMarkWithExtensions(parser.Tables | parser.Strikethrough)
	document := markdown.Parse([]byte(source), p)
	ast.WalkFunc(document, func(node ast.Node, entering bool) ast.WalkStatus {
		if cell, ok := node.(*ast.TableCell); ok && entering {
			ast.WalkFunc(cell, barsInCode)
		}
		return ast.GoToNext
	})
	return markdown.Render(document, html.NewRenderer(html.RendererOptions{RenderNodeHook: renderCode}))
}

// barsInCode reads \| as |, as GitHub does it in a table, also in code.
func barsInCode(node ast.Node, _ bool) ast.WalkStatus {
	if code, ok := node.(*ast.Code); ok {
		code.Literal = bytes.ReplaceAll(code.Literal, []byte(`\|`), []byte("|"))
	}
	return ast.GoToNext
}

// allowed are the elements that comments and summaries are made of, each with
// the attributes it may have and a check of their values.
var allowed = map[atom.Atom]map[string]func(string) bool{
	atom.H1: nil, atom.H2: nil, atom.H3: nil, atom.H4: nil, atom.H5: nil, atom.H6: nil,
	atom.P: nil, atom.Br: nil, atom.Hr: nil, atom.Ul: nil, atom.Ol: nil, atom.Li: nil, atom.Blockquote: nil,
	atom.Code: nil, atom.Em: nil, atom.Strong: nil, atom.Del: nil, atom.Sub: nil, atom.Sup: nil,
	atom.Table: nil, atom.Thead: nil, atom.Tbody: nil, atom.Tr: nil, atom.Details: nil, atom.Summary: nil,
	atom.Th: {"align": isAlignment}, atom.Td: {"align": isAlignment},
	atom.Pre:  {"class": func(v string) bool { return v == "diff" }},
	atom.Span: {"class": func(v string) bool { return slices.Contains([]string{"add", "del", "hunk", "same"}, v) }},
	atom.A:    {"href": isWebAddress},
}

// demoted puts the headings of a comment below those of the page: a chapter's is
// of the second level.
var demoted = map[atom.Atom]atom.Atom{atom.H1: atom.H3, atom.H2: atom.H4, atom.H3: atom.H5, atom.H4: atom.H6, atom.H5: atom.H6}

func isAlignment(v string) bool { return v == "left" || v == "right" || v == "center" }

// isWebAddress wants a host: "https:x" would be relative to the page.
func isWebAddress(v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Host != "" && (strings.HasPrefix(v, "http://") || strings.HasPrefix(v, "https://"))
}

// sanitize parses a fragment as a browser would, which closes what is open and
// drops what closes nothing, and writes what is allowed of it. Elements that are
// not allowed give way to their content, but for those whose content is no text.
func sanitize(fragment io.Reader) (string, error) {
	nodes, err := xhtml.ParseFragment(fragment, &xhtml.Node{Type: xhtml.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, n := range nodes {
		for _, kept := range keep(n) {
			if err := xhtml.Render(&out, kept); err != nil {
				return "", err
			}
		}
	}
	return out.String(), nil
}

// keep returns copies of what is allowed of a tree.
func keep(n *xhtml.Node) []*xhtml.Node {
	if n.Type == xhtml.TextNode {
		return []*xhtml.Node{{Type: xhtml.TextNode, Data: n.Data}}
	}
	if n.Type != xhtml.ElementNode || n.Namespace != "" || slices.Contains([]atom.Atom{atom.Script, atom.Style, atom.Title, atom.Textarea, atom.Iframe, atom.Noscript,
		atom.Template, atom.Xmp, atom.Noembed, atom.Noframes, atom.Plaintext}, n.DataAtom) {
		return nil
	}
	var children []*xhtml.Node
	for child := range n.ChildNodes() {
		children = append(children, keep(child)...)
	}
	attributes, ok := allowed[n.DataAtom]
	if !ok || n.DataAtom == 0 {
		return children
	}
	element := n.DataAtom
	if lower, ok := demoted[element]; ok {
		element = lower
	}
	kept := &xhtml.Node{Type: xhtml.ElementNode, DataAtom: element, Data: element.String()}
	for _, a := range n.Attr {
		if check := attributes[a.Key]; a.Namespace == "" && check != nil && check(a.Val) {
			kept.Attr = append(kept.Attr, xhtml.Attribute{Key: a.Key, Val: a.Val})
		}
	}
	if n.DataAtom == atom.A {
		if len(kept.Attr) == 0 {
			return children // a link to nowhere is text
		}
		kept.Attr = append(kept.Attr, xhtml.Attribute{Key: "rel", Val: "nofollow noreferrer"})
	}
	if n.DataAtom == atom.Pre { // it scrolls, so the keyboard must reach it
		kept.Attr = append(kept.Attr, xhtml.Attribute{Key: "tabindex", Val: "0"})
	}
	for _, child := range children {
		kept.AppendChild(child)
	}
	return []*xhtml.Node{kept}
}

// renderCode writes blocks of code, those of the language "diff" with a class per line.
func renderCode(w io.Writer, node ast.Node, _ bool) (ast.WalkStatus, bool) {
	block, ok := node.(*ast.CodeBlock)
	if !ok {
		return ast.GoToNext, false
	}
	var out strings.Builder
	out.WriteString("<pre><code>")
	language, _, _ := strings.Cut(string(block.Info), " ")
	isDiff := language == "diff"
	if isDiff {
		out.Reset()
		out.WriteString(`<pre class="diff"><code>`)
	}
	for line := range strings.Lines(string(block.Literal)) {
		if isDiff {
			// The line break stays inside: outside it would be an empty line.
			out.WriteString(`<span class="` + diffLine(line) + `">` + stdhtml.EscapeString(line) + "</span>")
			continue
		}
		out.WriteString(stdhtml.EscapeString(line))
	}
	out.WriteString("</code></pre>\n")
	_, _ = io.WriteString(w, out.String()) // into memory
	return ast.GoToNext, true
}
