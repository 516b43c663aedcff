package story

import (
	"io"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

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
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// sanitize parses a fragment as a browser would, which closes what is open and
// drops what closes nothing, and writes what is allowed of it. Elements that are
// not allowed give way to their content, but for those whose content is no text.
func sanitize(fragment io.Reader) (string, error) {
	nodes, err := html.ParseFragment(fragment, &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for _, n := range nodes {
		for _, kept := range keep(n) {
			if err := html.Render(&out, kept); err != nil {
				return "", err
			}
		}
	}
	return out.String(), nil
}

// keep returns copies of what is allowed of a tree.
func keep(n *html.Node) []*html.Node {
	if n.Type == html.TextNode {
		return []*html.Node{{Type: html.TextNode, Data: n.Data}}
	}
	if n.Type != html.ElementNode || n.Namespace != "" || slices.Contains([]atom.Atom{atom.Script, atom.Style, atom.Title, atom.Textarea, atom.Iframe, atom.Noscript,
		atom.Template, atom.Xmp, atom.Noembed, atom.Noframes, atom.Plaintext}, n.DataAtom) {
		return nil
	}
	var children []*html.Node
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
	kept := &html.Node{Type: html.ElementNode, DataAtom: element, Data: element.String()}
	for _, a := range n.Attr {
		if check := attributes[a.Key]; a.Namespace == "" && check != nil && check(a.Val) {
			kept.Attr = append(kept.Attr, html.Attribute{Key: a.Key, Val: a.Val})
		}
	}
	if n.DataAtom == atom.A {
		if len(kept.Attr) == 0 {
			return children // a link to nowhere is text
		}
		kept.Attr = append(kept.Attr, html.Attribute{Key: "rel", Val: "nofollow noreferrer"})
	}
	for _, child := range children {
		kept.AppendChild(child)
	}
	return []*html.Node{kept}
}
