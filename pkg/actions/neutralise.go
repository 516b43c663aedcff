package actions

import "io"

// Neutralize returns a writer that passes text on to w in a form in which the
// runner finds no workflow command. Tools and providers print what they like;
// "::add-mask::", "::error::" or "::stop-commands::" at the start of a line would
// be obeyed, and so would the older "##[command]" anywhere in a line. A space is
// put into both marks: ": :" and "## [".
//
// The runner trims white space of any script before it looks for "::", so
// everything but a visible ASCII character leaves a line "at its start".
// Nothing is held back: marks spread over several writes are found too. The
// writer is not safe for concurrent use.
func Neutralize(w io.Writer) io.Writer { return &neutralizer{w: w, blank: true} }

type neutralizer struct {
	w      io.Writer
	blank  bool // the line has no visible ASCII character yet
	colon  bool // the last byte was the line's first visible one, a colon
	hashes int  // how many of the last bytes were #, up to 2
}

// Write implements io.Writer.
func (n *neutralizer) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+8)
	for _, b := range p {
		if (b == ':' && n.colon) || (b == '[' && n.hashes == 2) {
			out = append(out, ' ')
		}
		out = append(out, b)
		n.step(b)
	}
	if _, err := n.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (n *neutralizer) step(b byte) {
	if b == '#' {
		n.hashes = min(n.hashes+1, 2)
	} else {
		n.hashes = 0
	}
	n.colon = b == ':' && n.blank
	switch {
	case b == '\n' || b == '\r':
		n.blank = true
	case b > ' ' && b < 0x7f:
		n.blank = false
	}
}
