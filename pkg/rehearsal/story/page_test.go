package story_test

import (
	"bytes"
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
