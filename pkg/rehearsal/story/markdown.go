package story

import (
	"bytes"
	"fmt"
	stdhtml "html"
	"net/url"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// HTML renders a comment or a job summary, GitHub Markdown with <details> in it,
// as a piece of HTML that can stand anywhere inside a <div>: no scripts, styles,
// images or forms, links to http and https only, and every element closed, so
// that hostile Markdown can reach nothing around it. Lines of diff blocks carry
// the classes "add", "del" and "hunk" in a <pre class="diff">.
//
// The error names what could not be rendered; there is no half result.
func HTML(markdown string) (string, error) {
	var out bytes.Buffer
	if err := newMarkdown().Convert([]byte(markdown), &out); err != nil {
		return "", fmt.Errorf("render Markdown of %d bytes: %w", len(markdown), err)
	}
	closed, err := balance(sanitizer().SanitizeReader(&out))
	if err != nil {
		return "", fmt.Errorf("close the elements of Markdown of %d bytes: %w", len(markdown), err)
	}
	return closed, nil
}

// newMarkdown parses what GitHub parses, but makes no links of bare addresses.
// The HTML in the text is passed on, since the sanitizer follows.
func newMarkdown() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
			extension.Strikethrough),
		goldmark.WithRendererOptions(html.WithUnsafe(),
			renderer.WithNodeRenderers(util.Prioritized(diffRenderer{}, 100))),
	)
}

// sanitizer allows the elements that comments and summaries are made of.
func sanitizer() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "blockquote",
		"pre", "code", "em", "strong", "del", "sub", "sup", "table", "thead", "tbody", "tr", "th", "td",
		"details", "summary", "span")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(?:left|right|center)$`)).OnElements("th", "td")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^diff$`)).OnElements("pre")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^(?:add|del|hunk|same)$`)).OnElements("span")
	p.AllowAttrs("href").OnElements("a")
	hasHost := func(u *url.URL) bool { return u.Host != "" } // "https:x" would be relative to the page
	p.AllowURLSchemeWithCustomPolicy("http", hasHost)
	p.AllowURLSchemeWithCustomPolicy("https", hasHost)
	p.AllowRelativeURLs(false)
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
}

// balance closes what is open and drops what closes nothing.
func balance(fragment *bytes.Buffer) (string, error) {
	nodes, err := xhtml.ParseFragment(fragment, &xhtml.Node{Type: xhtml.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, n := range nodes {
		if err := xhtml.Render(&out, n); err != nil {
			return "", err
		}
	}
	return out.String(), nil
}

// diffRenderer writes fenced blocks, those of the language "diff" with a class
// per line.
type diffRenderer struct{}

func (r diffRenderer) RegisterFuncs(register renderer.NodeRendererFuncRegisterer) {
	register.Register(ast.KindFencedCodeBlock, r.render)
}

func (diffRenderer) render(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	block, ok := n.(*ast.FencedCodeBlock)
	if !ok {
		return ast.WalkStop, fmt.Errorf("fenced block is a %T", n)
	}
	isDiff := string(block.Language(source)) == "diff"
	var out strings.Builder
	out.WriteString("<pre>")
	if isDiff {
		out.Reset()
		out.WriteString(`<pre class="diff">`)
	}
	out.WriteString("<code>")
	for i := range block.Lines().Len() {
		segment := block.Lines().At(i)
		line := string(segment.Value(source))
		if isDiff {
			// The line break stays inside: outside it would be an empty line.
			out.WriteString(`<span class="` + diffLine(line) + `">` + stdhtml.EscapeString(line) + "</span>")
			continue
		}
		out.WriteString(stdhtml.EscapeString(line))
	}
	out.WriteString("</code></pre>\n")
	_, err := w.WriteString(out.String())
	return ast.WalkContinue, err
}
