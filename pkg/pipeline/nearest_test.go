package pipeline

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"staging", "production", "qa", "preview-one", "preview-two"}
	for word, want := range map[string]string{
		"stagign": "staging", "staging": "staging", "stage": "", "prodction": "production", "q": "qa", "qa1": "qa",
		"prod": "production", "PROD": "production", "Staging": "staging", "produc": "production", "stag": "staging", "preview": "", "pr": "", "pro": "production", "xprod": "",
		"live": "", "": "", "development": "", "a-name-that-is-much-longer-than-any-other": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	keys := []string{"region", "instance_type", "min_instances", "name", "größe", "x", "repository", "repository_id"}
	for word, want := range map[string]string{
		"regoin": "region", "Region": "region", "instance-type": "instance_type", "inst": "instance_type", "minInstances": "min_instances", "mena": "name", "repo": "repository",
		"grösse": "", "gröse": "größe", "zone": "", "y": "", strings.Repeat("x", 300): "",
	} {
		if got := Nearest(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"ab", "ba"}: 1, {"abc", ""}: 3, {"kitten", "sitting"}: 3} {
		if got := edits([]rune(pair[0]), []rune(pair[1])); got != want {
			t.Errorf("%v: %d, want %d", pair, got, want)
		}
	}
}

// TestQuoteTyped: the quote of a typed text shows every byte that makes it differ.
func TestQuoteTyped(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"shop/staging": `"shop/staging"`, "shop/staging\n": `"shop/staging\n"`, "shop/staging\r\n": `"shop/staging\r\n"`,
		"shop/stag\u200bing": `"shop/stag\u200bing"`, "sh\u043ep/staging": `"sh\u043ep/staging"`, "\xff": `"\xff"`,
	} {
		if got := QuoteTyped(typed); got != want {
			t.Errorf("%q: got %s, want %s", typed, got, want)
		}
	}
	if got := QuoteTyped(strings.Repeat("a", 300)); !strings.HasSuffix(got, `"... (300 bytes)`) {
		t.Errorf("a long text: %s", got)
	}
}
