package render

import "strings"

// size is the length of a text, measured as its receiver measures it.
type size struct {
	chars int // code points
	bytes int // UTF-8 as a JSON string, without the quotes
}

// measure returns the size of clean text.
func measure(s string) size {
	n := size{bytes: len(s)}
	for i := range len(s) {
		switch c := s[i]; {
		case c&0xC0 != 0x80: // not a continuation byte
			n.chars++
			if c == '"' || c == '\\' || c < ' ' {
				n.bytes++
			}
		}
	}
	return n
}

func (s size) plus(o size) size      { return size{s.chars + o.chars, s.bytes + o.bytes} }
func (s size) minus(o size) size     { return size{s.chars - o.chars, s.bytes - o.bytes} }
func (s size) within(room size) bool { return s.chars <= room.chars && s.bytes <= room.bytes }

// part returns the fraction a/b of s, and nothing of a negative size.
func (s size) part(a, b int) size {
	return size{max(0, s.chars) * a / b, max(0, s.bytes) * a / b}
}

// maxMisfits is how often a full form may turn out too long before only short
// forms are used; it bounds the work that is thrown away.
const maxMisfits = 16

// entries is a list of n things that each have a short form and may have a
// full form. Forms are whole: a text is cut only between them.
type entries struct {
	n     int
	full  func(i int) string // may be nil
	short func(i int) string
	// more describes the entries from index shown on, which found no room.
	more func(shown int) string
}

// fitted is what of a list found room.
type fitted struct {
	texts []string
	full  []bool // which of the texts are full forms
	more  string // empty when nothing was left out
}

// fit chooses the forms: full while the short forms of all later entries still
// fit, else short; when even the short forms do not fit, as many as do. The
// work is linear in the room, not in n.
func (e entries) fit(room size) fitted {
	shorts := make([]string, 0, min(e.n, 64))
	sizes := make([]size, 0, min(e.n, 64))
	var rest size
	for i := range e.n {
		text := e.short(i)
		n := measure(text)
		if rest = rest.plus(n); !rest.within(room) {
			return e.cut(room, shorts, sizes)
		}
		shorts, sizes = append(shorts, text), append(sizes, n)
	}
	out := fitted{texts: shorts, full: make([]bool, e.n)}
	if e.full == nil {
		return out
	}
	left, misfits := room, 0
	for i := 0; i < e.n; i++ {
		rest = rest.minus(sizes[i])
		used := sizes[i]
		if misfits < maxMisfits {
			if text := e.full(i); measure(text).plus(rest).within(left) {
				out.texts[i], out.full[i], used = text, true, measure(text)
			} else {
				misfits++
			}
		}
		left = left.minus(used)
	}
	return out
}

// cut keeps the first short forms that leave room for the line about the rest.
func (e entries) cut(room size, shorts []string, sizes []size) fitted {
	var used size
	for _, n := range sizes {
		used = used.plus(n)
	}
	for {
		more := e.more(len(shorts))
		if len(shorts) == 0 || used.plus(measure(more)).within(room) {
			return fitted{texts: shorts, full: make([]bool, len(shorts)), more: more}
		}
		last := len(shorts) - 1
		used = used.minus(sizes[last])
		shorts, sizes = shorts[:last], sizes[:last]
	}
}

// join returns the texts in their order, and then the line about the rest.
func (f fitted) join() string { return strings.Join(f.texts, "") + f.more }

// split returns the full forms and the short forms apart.
func (f fitted) split() (full, short string) {
	var a, b strings.Builder
	for i, text := range f.texts {
		if f.full[i] {
			a.WriteString(text)
		} else {
			b.WriteString(text)
		}
	}
	return a.String(), b.String()
}
