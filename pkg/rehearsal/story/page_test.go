package story_test

import (
	"bytes"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

const hostile = `</pre></style><script>alert(1)</script><img src=x onerror=alert(1)>"'&{{.}}`

func everything() story.Story { return everythingSays(hostile) }

// everythingSays is a story that holds a text in each field.
func everythingSays(hostile string) story.Story {
	part := func(k story.Kind) story.Part {
		return story.Part{Kind: k, Title: hostile, Author: hostile, Text: hostile + "\n+" + hostile, Rows: [][]string{{hostile, hostile, hostile}, {"success", "c", hostile}}}
	}
	parts := []story.Part{part(story.Log), part(story.Diff), part(story.Statuses), part(story.Table), part(story.Problems)}
	for _, k := range []story.Kind{story.Comment, story.Summary} {
		p := part(k)
		p.Markdown = hostile + "\n\n[run](http://127.0.0.1:1/o/r/actions/runs/77/attempts/1) [evil](javascript:alert(1)) [other](http://127.0.0.1:1/o/r/settings)\n\n![x](http://evil.example/x.png)\n"
		parts = append(parts, p)
	}
	return story.Story{
		Title: hostile, At: time.Unix(0, 0).UTC(), Took: time.Minute, Verdict: hostile, Customer: hostile, Manager: hostile, BaseURL: "http://127.0.0.1:1",
		Notes: []string{hostile}, Results: []story.Result{{Step: hostile, Expected: hostile, Got: hostile}}, Calls: []story.Calls{{Step: hostile, Reads: 2, Writes: 1}},
		Chapters: []story.Chapter{{Title: hostile, Lead: hostile, Mark: story.Failed, Events: []story.Event{
			{Who: story.Manager, Title: hostile, Answer: hostile, Anchor: story.RunAnchor(77), Mark: story.Done, Parts: parts},
		}}},
	}
}

// The page needs no network and runs nothing, whatever is told in it.
func TestPageIsSelfContained(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := story.Page(&b, everything()); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	anchored, ids := false, map[string]int{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "img", "iframe", "link", "object", "form", "svg", "base":
			t.Errorf("the page holds <%s>", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "src", strings.Contains(strings.ToLower(a.Val), "javascript:"):
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			case a.Key == "href" && a.Val == "#run-77":
				anchored = true
			case a.Key == "id":
				ids[a.Val]++
			}
		}
	}
	if !anchored || ids["run-77"] != 1 {
		t.Errorf("the link to the run leads nowhere: anchored %v, ids %v", anchored, ids)
	}
}

func TestEmptyPage(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := story.Page(&b, story.Story{}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "<!doctype html>") {
		t.Errorf("got %.60q", b.String())
	}
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "", 200 * time.Microsecond: "", 12 * time.Millisecond: "12 ms", 2340 * time.Millisecond: "2.3 s", 65 * time.Second: "1 m 05 s", time.Hour: "60 m 00 s",
	} {
		if got := story.Took(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

// rendered is a page of one chapter with everything that a rehearsal has.
func rendered(t *testing.T) *html.Node {
	t.Helper()
	s := story.Story{
		Title: "t", Results: []story.Result{{Step: "A mistake", Expected: "rejected", Got: "failure: line 3", OK: true, Anchor: story.ChapterAnchor(0)}},
		Chapters: []story.Chapter{{Title: "1. A mistake", Events: []story.Event{
			{Who: story.Manager, Title: "prepare › report", Quiet: true, Mark: story.Done},
			{Who: story.Manager, Title: "plan-staging", Mark: story.Done, Parts: []story.Part{
				{Kind: story.Statuses, Title: "Statuses", Rows: [][]string{{"success", "a", "x"}, {"pending", "b", "x"}, {"pending", "c", "x"}}}}},
			{Who: story.Manager, Title: "finish › report", Quiet: true, Mark: story.Failed},
			{Who: story.Customer, Title: "reads the comment", Parts: []story.Part{{Kind: story.Comment, Markdown: "# One\n\n## Two\n\n###### Six\n"}}},
		}}},
	}
	var b bytes.Buffer
	if err := story.Page(&b, s); err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// textOf is the text below the nodes that match, each on a line.
func textOf(root *html.Node, matches func(n *html.Node) bool) string {
	var out strings.Builder
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || !matches(n) {
			continue
		}
		for text := range n.Descendants() {
			if text.Type == html.TextNode {
				out.WriteString(text.Data)
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

func hasClass(class string) func(*html.Node) bool {
	return func(n *html.Node) bool {
		for _, a := range n.Attr {
			if a.Key == "class" && slices.Contains(strings.Fields(a.Val), class) {
				return true
			}
		}
		return false
	}
}

// A reader who jumps from heading to heading meets the chapters, and the headings
// of a comment below them.
func TestHeadingsOfCommentsAreBelowThoseOfThePage(t *testing.T) {
	t.Parallel()
	var got []string
	for n := range rendered(t).Descendants() {
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data != "hr" {
			got = append(got, n.Data)
		}
	}
	if want := []string{"h1", "h2", "h3", "h4", "h6"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestStatesAreWords(t *testing.T) {
	t.Parallel()
	if got := textOf(rendered(t), hasClass("states")); got != "1 success2 pending\n" {
		t.Errorf("got %q", got)
	}
}

func TestResultsLeadToTheirChapters(t *testing.T) {
	t.Parallel()
	root := rendered(t)
	links, scopes := 0, 0
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "href" && a.Val == "#chapter-0" {
				links++
			}
		}
		if n.Data == "th" {
			if len(n.Attr) == 0 || n.Attr[0].Key != "scope" {
				t.Errorf("a header without a scope: %v", n.Attr)
			}
			scopes++
		}
	}
	if links != 1 || scopes == 0 {
		t.Errorf("%d links, %d headers", links, scopes)
	}
	if got := textOf(root, func(n *html.Node) bool { return n.Data == "tbody" }); !strings.Contains(got, "as expected: failure: line 3") {
		t.Errorf("got %q", got)
	}
}

// What people see comes first, and reports that succeeded are folded.
func TestOrderOfAChapter(t *testing.T) {
	t.Parallel()
	root := rendered(t)
	if got := textOf(root, hasClass("title")); got != "reads the comment\nplan-staging\nfinish › report\nprepare › report\n" {
		t.Errorf("got %q", got)
	}
	if got := textOf(root, hasClass("quiet")); !strings.Contains(got, "1 report to the customer") || strings.Contains(got, "finish") {
		t.Errorf("folded: %q", got)
	}
}

// TestContrast holds every color of text against every ground that it stands on,
// in both schemes: WCAG 2.2 asks for 4.5 (https://www.w3.org/TR/WCAG22/#contrast-minimum).
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllStringSubmatch(string(css), -1)
	if len(schemes) != 2 {
		t.Fatalf("there are %d schemes", len(schemes))
	}
	for i, scheme := range schemes {
		colors := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z]+): #([0-9a-f]{6})`).FindAllStringSubmatch(scheme[1], -1) {
			colors[m[1]] = luminance(t, m[2])
		}
		grounds := []string{"paper", "card", "code", "add", "del"}
		for text, ink := range colors {
			for _, ground := range grounds {
				if slices.Contains(append(grounds, "line"), text) || (ground == "add" || ground == "del") && text != "ink" {
					continue
				}
				light, dark := max(ink, colors[ground]), min(ink, colors[ground])
				if ratio := (light + 0.05) / (dark + 0.05); ratio < 4.5 {
					t.Errorf("scheme %d: %s on %s has a contrast of %.2f", i, text, ground, ratio)
				}
			}
		}
	}
}

func luminance(t *testing.T, color string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(color[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		part := float64(n) / 255
		if part <= 0.04045 {
			part /= 12.92
		} else {
			part = math.Pow((part+0.055)/1.055, 2.4)
		}
		sum += weight * part
	}
	return sum
}
