package text

import "testing"

func TestInvisible(t *testing.T) {
	t.Parallel()
	for _, r := range []rune{
		0x00, 0x1b, 0x7f, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x1680, 0x17b4, 0x17b5, 0x180b, 0x180d, 0x180e, 0x180f,
		0x2000, 0x200a, 0x200b, 0x200d, 0x2028, 0x2029, 0x202e, 0x202f, 0x205f, 0x2060, 0x2065, 0x206f, 0x2800, 0x3000, 0x3164,
		0xe000, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0x378, 0x2fe0, 0xfff0, 0xfff9, 0xfffc, 0xe0fff, 0x50000, 0xffff, 0x16fe4, 0x1bca0, 0x1d159, 0x1d173, 0xe0001, 0xe0041, 0xe0100, 0xe01ef, 0xf0000, 0x10ffff,
	} {
		if !Invisible(r) {
			t.Errorf("%U passes", r)
		}
	}
	for _, r := range " ~aé€中日ㄱ한🙂§…→✅́�\U0001fae9" {
		if Invisible(r) {
			t.Errorf("%U is taken for invisible", r)
		}
	}
}

// A combining mark is seen on a letter only, and never on what a reader does not see.
func TestSight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want int // hidden characters
	}{
		{"e\u0301a\u0302\u0301", 0}, {"नि", 0}, {"\u0e01\u0e34\u0e48", 0}, {"naïve", 0}, {"", 0},
		{"\u0301", 1}, {"\u0301\u0302", 2}, {"a \u0301", 1}, {"a\n\u0301", 2}, {"1\u0301", 1}, {"/\u0338", 1}, {"=\u0338", 1},
		{"a\u200d\u0301", 2}, {"a\u200b\u0301\u0301", 3}, {"-\u20dd", 1}, {"\ufffd\u0301", 1}, {" \u0903", 1}, {"\U0001f642\u20e0", 1}, {"\u0301a\u0301", 1},
	} {
		var sight Sight
		n := 0
		for _, r := range c.in {
			if sight.Hidden(r) {
				n++
			}
		}
		if n != c.want {
			t.Errorf("%+q: %d characters are hidden, want %d", c.in, n, c.want)
		}
	}
}
