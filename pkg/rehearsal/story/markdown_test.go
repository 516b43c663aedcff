package story_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	"github.com/metapipe/metapipe/testdata/untrusted"
	"golang.org/x/net/html"
)

func TestHTML(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, markdown, want string }{
		{"details with a diff", "<details><summary>change <code>a</code></summary>\n\n```diff\n- a = <1>\n+ a = 2\n@@ x\n  b\n```\n\n</details>\n",
			`<details><summary>change <code>a</code></summary>` + "\n" + `<pre class="diff" tabindex="0"><code><span class="del">- a = &lt;1&gt;` + "\n" + `</span><span class="add">+ a = 2` + "\n" + `</span>`},
		{"plain fence", "```text\n<b>\n```\n", "<pre tabindex=\"0\"><code>&lt;b&gt;\n</code></pre>"},
		{"table", "| a |\n| --: |\n| `x\\|y` |\n", `<td align="right"><code>x|y</code></td>`},
		{"table with bold code", "| a |\n| --- |\n| **`x\\|y`** |\n", `<td><strong><code>x|y</code></strong></td>`},
		{"fence with more words", "```diff plan\n+ a\n```\n", `<span class="add">+ a`},
		{"link", "[run](https://github.example/a/b/actions/runs/1)", `<a href="https://github.example/a/b/actions/runs/1" rel="nofollow noreferrer">run</a>`},
		{"bare addresses stay text", "see https://evil.example now", "<p>see https://evil.example now</p>"},
		{"code without a language", "    x\n", "<pre tabindex=\"0\"><code>x\n</code></pre>"},
		{"empty", "", ""},
		{"unclosed", "<details><summary>x", "<details><summary>x</summary></details>"},
		{"closes too much", "</details></div></body> text", " text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := story.HTML(c.markdown)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("got\n%s\nwant in it\n%s", got, c.want)
			}
			checkHTML(t, got)
		})
	}
}

// allowed are the attributes of each element that may come out.
var allowed = map[string]string{"a": "href rel", "pre": "class tabindex", "span": "class", "th": "align", "td": "align"}

// checkHTML fails on anything that could act, and on elements left open.
func checkHTML(t *testing.T, s string) {
	t.Helper()
	var open []string
	for z := html.NewTokenizer(strings.NewReader(s)); ; {
		kind := z.Next()
		token := z.Token()
		switch kind {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("left open: %v in %s", open, s)
			}
			return
		case html.StartTagToken:
			checkTag(t, token)
			if token.Data != "br" && token.Data != "hr" {
				open = append(open, token.Data)
			}
		case html.SelfClosingTagToken:
			checkTag(t, token)
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				t.Fatalf("</%s> closes %v in %s", token.Data, open, s)
			}
			open = open[:len(open)-1]
		case html.CommentToken, html.DoctypeToken:
			t.Errorf("unexpected %s", token)
		}
	}
}

func checkTag(t *testing.T, token html.Token) {
	t.Helper()
	const elements = " h1 h2 h3 h4 h5 h6 p br hr ul ol li blockquote pre code em strong del sub sup table thead tbody tr th td details summary span a "
	if !strings.Contains(elements, " "+token.Data+" ") {
		t.Errorf("element <%s>", token.Data)
	}
	for _, a := range token.Attr {
		if !strings.Contains(" "+allowed[token.Data]+" ", " "+a.Key+" ") {
			t.Errorf("attribute %s of <%s>", a.Key, token.Data)
		}
		if a.Key == "tabindex" && a.Val != "0" {
			t.Errorf("tabindex %q", a.Val)
		}
		if a.Key == "href" && !strings.HasPrefix(a.Val, "https://") && !strings.HasPrefix(a.Val, "http://") {
			t.Errorf("link to %q", a.Val)
		}
	}
}

func FuzzHTML(f *testing.F) {
	for _, s := range []string{
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "![x](https://evil.example/x.png)",
		"<a href=\"data:text/html,x\">x</a>", "<details open ontoggle=alert(1)><summary>x", "</details></div></main>",
		"```diff\n+ </code></pre><script>x</script>\n```", "```diff\" onclick=\"x\n+ a\n```", "<table><tr><td><div>", "<svg><style><img src=x>",
		"<p style=\"x\" class=\"diff\">x", "<!-- c --><![CDATA[x]]><?php ?>", "<math><mtext><table><mglyph><style><!--</style><img title=\"--><img src=x>\">",
		"<pre class=\"diff x\"><span class=\"add\">", "<form><input><button formaction=javascript:x>", "<iframe srcdoc=x>", "<base href=//evil.example>",
		"| a |\n|---|\n| </table><b> |", "<td><h1>", "<a href=http://x><a href=http://y>", "\x00\xff", "<xmp><noscript><plaintext>",
	} {
		f.Add(s)
	}
	for _, s := range untrusted.Strings(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 10_000 {
			t.Skip("parsing time only")
		}
		got, err := story.HTML(s)
		if err != nil {
			return
		}
		checkHTML(t, got)
	})
}
