package story_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestUntrustedPage tells the corpus in every field of a story. Whatever it says,
// the page has the same elements, and all of it can be seen.
func TestUntrustedPage(t *testing.T) {
	t.Parallel()
	for _, s := range untrusted.Strings(t) {
		got, err := story.HTML(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		checkHTML(t, got)
		var b bytes.Buffer
		if err := story.Page(&b, everythingSays(s)); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		page := strings.ReplaceAll(b.String(), "\t", " ")
		if found := untrusted.Obeys(page); found != "" {
			t.Errorf("%q: the page holds %s", s, found)
		}
		for _, bad := range []string{"<script", "<img", "<svg", "<picture", " onmouseover=\"", "href=\"javascript", "href=\"data:", "<!-- metapipe"} {
			if strings.Contains(strings.ToLower(page), bad) {
				t.Errorf("%q: the page holds %s", s, bad)
			}
		}
	}
}
