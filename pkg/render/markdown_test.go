package render_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// htmlLine is all the HTML that the renderer itself writes: no attributes, and
// in a summary only <code>.
var htmlLine = regexp.MustCompile(`^(</details>|<details><summary>(?:[^<>]|<code>[^<>]*</code>)*</summary>)?$`)

// referenceText is what GitHub would link in plain text: mentions, issues,
// commits, addresses.
var referenceText = regexp.MustCompile(`(?i)@[a-z0-9]|#[0-9]|\bgh-[0-9]|\b[0-9a-f]{7,40}\b|://|\bwww\.|:[a-z0-9_+-]+:|\$`)

// gfm parses as GitHub does: goldmark's own idea of an e-mail address allows
// backticks in it, GitHub's does not, and looks for them outside of code only.
var gfm = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList,
	extension.NewLinkify(extension.WithLinkifyEmailRegexp(regexp.MustCompile(`^[a-zA-Z0-9.+_-]+@[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_-]+)+`)))))

// checkMarkdown parses text as GitHub would and fails on anything in it that
// only untrusted text can have brought about.
func checkMarkdown(t *testing.T, md string) map[string]int {
	t.Helper()
	source := []byte(md)
	kinds := map[string]int{}
	open := 0
	root := gfm.Parser().Parse(text.NewReader(source))
	err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		kinds[n.Kind().String()]++
		switch n := n.(type) {
		case *ast.Image, *ast.AutoLink, *ast.RawHTML:
			t.Errorf("unexpected %s in\n%s", n.Kind(), excerpt(source, n))
		case *ast.Link:
			checkLink(t, string(n.Destination))
		case *ast.HTMLBlock:
			for line := range strings.Lines(string(n.Lines().Value(source))) {
				line = strings.TrimRight(line, "\n")
				if !htmlLine.MatchString(line) {
					t.Errorf("unexpected HTML %q", line)
				}
				open += strings.Count(line, "<details>") - strings.Count(line, "</details>")
				if open < 0 {
					t.Errorf("</details> without its beginning")
				}
			}
		case *ast.Text:
			if !inCode(n) && referenceText.Match(n.Segment.Value(source)) {
				t.Errorf("plain text that GitHub would link: %q", n.Segment.Value(source))
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if open != 0 {
		t.Errorf("%d <details> are not closed", open)
	}
	for _, r := range md {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			t.Errorf("control character %U in the text", r)
		}
	}
	delete(kinds, "Text")
	delete(kinds, "CodeSpan")
	return kinds
}

func inCode(n ast.Node) bool {
	for p := n.Parent(); p != nil; p = p.Parent() {
		switch p.(type) {
		case *ast.CodeSpan, *ast.Link:
			return true
		}
	}
	return false
}

func checkLink(t *testing.T, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil || u.Host != "github.example" {
		t.Errorf("a link leads to %q", target)
	}
}

func excerpt(source []byte, n ast.Node) string {
	if p := n.Parent(); p != nil && p.Type() == ast.TypeBlock {
		return string(p.Lines().Value(source))
	}
	return string(source)
}
