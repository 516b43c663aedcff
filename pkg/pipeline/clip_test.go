package pipeline

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// visible are characters as a reader sees them, of one code point and of several.
var visible = []string{"a", "é", "e\u0301", "字", "👩‍👩‍👧‍👦", "👍🏽", "🇩🇪", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\u1112\u1161\u11ab", "नि", "ก็", "❤\ufe0f", "1\ufe0f\u20e3", "\r\n"}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, one := range visible {
		for _, other := range visible {
			s := strings.Repeat(one+other, 100)
			for limit := 1; limit < 40; limit++ {
				got, clipped := strings.CutSuffix(Clip(s, limit), "…")
				if n := utf8.RuneCountInString(got); !clipped || n > limit-1 || n < limit-1-10 {
					t.Fatalf("%q to %d: %q has %d characters", one+other, limit, got, n)
				}
				wantWhole(t, one, other, got)
				wantWhole(t, one, other, cutBytes(s, 3*limit))
			}
			if got := Clip(s, utf8.RuneCountInString(s)); got != s {
				t.Errorf("%q fits and was cut", s)
			}
		}
	}
	if got := Clip("a"+strings.Repeat("\u0301", 500), 140); utf8.RuneCountInString(got) != 140 {
		t.Errorf("a heap of marks became %d characters", utf8.RuneCountInString(got))
	}
}

// wantWhole wants a text to be made of one and other in turns, each of them whole.
func wantWhole(t *testing.T, one, other, got string) {
	t.Helper()
	for rest, turn := got, one; rest != ""; {
		after, whole := strings.CutPrefix(rest, turn)
		if !whole {
			t.Fatalf("%q is cut inside of a character: %q", one+other, got)
		}
		if rest = after; turn == one {
			turn = other
		} else {
			turn = one
		}
	}
}

// TestRequestTagStays: whatever a description is made of, the id is behind it, in 140
// characters.
func TestRequestTagStays(t *testing.T) {
	t.Parallel()
	id := RequestID("0a1b2c3d-0000-4000-8000-000000000000")
	for _, one := range visible {
		for n := 100; n < 145; n++ {
			got := WithRequestTag(strings.Repeat("x", n)+strings.Repeat(one, 60), id)
			if chars := utf8.RuneCountInString(got); chars > 140 || chars < 125 || !strings.HasSuffix(got, RequestTag(id)) {
				t.Errorf("%q: %d characters: %s", one, chars, got)
			}
			text := strings.TrimSuffix(strings.TrimSuffix(got, RequestTag(id)), "…")
			if whole := strings.TrimLeft(text, "x"); strings.ReplaceAll(whole, one, "") != "" {
				t.Errorf("cut inside of %q: %q", one, got)
			}
		}
	}
}
