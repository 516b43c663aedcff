package pipeline

import "testing"

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"staging", "production", "qa"}
	for word, want := range map[string]string{
		"stagign": "staging", "staging": "staging", "stage": "", "prodction": "production", "q": "qa", "qa1": "qa",
		"live": "", "": "", "development": "", "a-name-that-is-much-longer-than-any-other": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	for pair, want := range map[[2]string]int{{"", ""}: 0, {"ab", "ba"}: 1, {"abc", ""}: 3, {"kitten", "sitting"}: 3} {
		if got := edits(pair[0], pair[1]); got != want {
			t.Errorf("%v: %d, want %d", pair, got, want)
		}
	}
}
