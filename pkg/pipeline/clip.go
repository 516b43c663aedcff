package pipeline

import (
	"unicode"
	"unicode/utf8"
)

// Clip shortens s to at most limit characters (Unicode code points, which is how GitHub
// counts), the ellipsis included; the least limit is 1. It cuts between what a reader sees
// as characters: an accent, an emoji of several parts and a flag stay whole.
func Clip(s string, limit int) string {
	limit = max(limit, 1)
	if len(s) <= limit {
		return s
	}
	count, cut, at := 0, 0, 0 // cut: the last place at or before limit-1 characters
	var b boundary
	for i, r := range s {
		if count == limit {
			return s[:max(cut, at)] + "…"
		}
		if between := b.before(r); between && count < limit {
			cut = i
		} else if count == limit-1 && i-cut > maxCluster {
			at = i // nothing that anybody reads is that long
		}
		count++
	}
	return s
}

// maxCluster bounds one visible character, in bytes: marks can be heaped on a letter
// without end.
const maxCluster = 128

// cutBytes is s without what is behind most bytes, cut like Clip and without an ellipsis.
func cutBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := 0
	var b boundary
	for i, r := range s {
		if i > most {
			break
		}
		if b.before(r) {
			cut = i
		}
	}
	for ; most-cut > maxCluster; cut = most {
		for !utf8.RuneStart(s[most]) {
			most--
		}
	}
	return s[:cut]
}

// boundary finds the places between visible characters in one text. It knows those rules
// of Unicode's annex 29 that matter in a message: marks, joined emoji, skin tones, flags,
// tags, Hangul in parts, and a line end of two characters.
type boundary struct {
	last  rune
	flags int // regional indicators in a row
}

// before reports whether a text may be cut before the next character.
func (b *boundary) before(r rune) bool {
	last := b.last
	b.last = r
	flag := r >= 0x1f1e6 && r <= 0x1f1ff
	half := flag && b.flags%2 == 1
	if b.flags++; !flag {
		b.flags = 0
	}
	switch {
	case half, last == zeroWidthJoiner, r == zeroWidthJoiner, last == '\r' && r == '\n':
		return false
	case unicode.Is(unicode.M, r), r >= 0x1f3fb && r <= 0x1f3ff, r >= 0xe0020 && r <= 0xe007f, r >= 0xff9e && r <= 0xff9f:
		return false
	}
	return !(r >= 0x1160 && r <= 0x11ff && hangul(last)) // a vowel or a final consonant
}

const zeroWidthJoiner = '\u200d'

func hangul(r rune) bool { return r >= 0x1100 && r <= 0x11ff || r >= 0xac00 && r <= 0xd7a3 }

// ClipBefore is s and tail in at most limit characters: s gives way, tail stays whole.
func ClipBefore(s, tail string, limit int) string {
	return Clip(s, limit-utf8.RuneCountInString(tail)) + tail
}
