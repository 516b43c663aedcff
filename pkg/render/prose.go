package render

import (
	"strings"
	"unicode"
)

// plainText encodes an untrusted sentence as inline Markdown. Words of letters and
// ordinary punctuation stay as they are. Any word that Markdown or GitHub could
// read as something else (emphasis, HTML, a link, a mention, an issue or commit
// reference, an emoji, mathematics) becomes a code span, where nothing is read
// into it and where it can still be copied. `code` written by the author of the
// sentence stays code.
func plainText(s string) string {
	parts := strings.Split(tidy(s, toSpaces, sentenceLimit), "`")
	if len(parts)%2 == 0 || !evenSpans(parts) {
		parts = []string{strings.Join(parts, "`")}
	}
	var out sentence
	for i, part := range parts {
		if i%2 == 1 {
			out.code(strings.TrimSpace(part))
			continue
		}
		out.words(part)
	}
	return out.String()
}

// evenSpans reports whether each odd part can stand in a code span.
func evenSpans(parts []string) bool {
	for i := 1; i < len(parts); i += 2 {
		if strings.TrimSpace(parts[i]) == "" {
			return false
		}
	}
	return true
}

// sentence is inline Markdown that grows word by word.
type sentence struct {
	strings.Builder
	inCode bool // the last thing written is a code span
	gap    bool // white space came since
}

func (s *sentence) words(text string) {
	for text != "" {
		end := strings.IndexFunc(text, unicode.IsSpace)
		if end == 0 {
			s.gap = true
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
			continue
		}
		if end < 0 {
			end = len(text)
		}
		s.word(text[:end])
		text = text[end:]
	}
}

func (s *sentence) word(w string) {
	if ordinary(w) && (s.Len() > 0 || !opensBlock(w)) {
		s.text(w)
		return
	}
	// Quotes, brackets and full stops around the word stay outside of the code.
	inner := strings.TrimLeft(w, `("'`)
	core := strings.TrimRight(inner, `.,;:!?)"'`)
	if strings.ContainsAny(core, `("'`) {
		core = strings.TrimRight(inner, `.,;:!?`) // they belong to the word
	}
	if core == "" {
		inner, core = w, w
	}
	s.text(w[:len(w)-len(inner)])
	s.code(core)
	s.text(inner[len(core):])
}

func (s *sentence) text(w string) {
	if w == "" {
		return
	}
	s.space(false)
	s.WriteString(w)
	s.inCode = false
}

func (s *sentence) code(text string) {
	s.space(true)
	s.WriteString(codeSpan(text))
	s.inCode = true
}

// space writes the gap before the next word. Two code spans always get one,
// else their delimiters would join.
func (s *sentence) space(code bool) {
	if s.Len() > 0 && (s.gap || code && s.inCode) {
		s.WriteByte(' ')
	}
	s.gap = false
}

// opensBlock reports whether w at the start of a line could begin a list, a
// rule or a heading.
func opensBlock(w string) bool {
	return strings.Trim(w, "-+=:.") == "" || strings.Trim(w, "0123456789") == "." || strings.Trim(w, "0123456789") == ")"
}

// ordinary reports whether no Markdown renderer reads anything into w.
func ordinary(w string) bool {
	colons := 0
	for _, r := range w {
		switch {
		case r == ':':
			colons++
		case r > '~', r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
		case !strings.ContainsRune(`.,;!?'"()/-%+=`, r):
			return false
		}
	}
	lower := strings.ToLower(w)
	return colons < 2 && !strings.Contains(lower, "://") && !strings.Contains(lower, "www.") && !reference(lower)
}

// reference reports whether lower holds what GitHub links without a sign:
// "gh-12" or 7 to 64 hexadecimal digits.
func reference(lower string) bool {
	for run := range strings.FieldsFuncSeq(lower, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		if run == "gh" && strings.Contains(lower, "gh-") {
			return true
		}
		if len(run) >= 7 && strings.Trim(run, "0123456789abcdef") == "" {
			return true
		}
	}
	return false
}
