package actions

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/sethvargo/go-githubactions"

	"github.com/metapipe/metapipe/pkg/text"
)

// Mask makes GitHub replace secrets in the log by ***: each whole, each line of
// it, and all their spellings (see text.Spellings). Outside of Actions it does
// nothing, and prints nothing.
func (r *Runner) Mask(secrets ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hidden = append(r.hidden, secrets...)
	for _, form := range secretForms(secrets) {
		// The runner masks line by line, a form with line breaks would never match.
		if strings.ContainsAny(form, "\r\n") {
			continue
		}
		if err := r.write(&githubactions.Command{Name: "add-mask", Message: form}); err != nil {
			return err
		}
	}
	return nil
}

// masked is text without the secrets; r.mu is held. The runner masks the log and
// the summary itself, unless a mask came too late or was lost.
func (r *Runner) masked(s string) string {
	if len(r.hidden) == 0 {
		return s
	}
	var out strings.Builder
	w := NewMaskingWriter(&out, r.hidden)
	_, err := io.WriteString(w, s)
	if err = errors.Join(err, w.Close()); err != nil {
		return "***" // a builder takes everything
	}
	return out.String()
}

// minLine is the length below which a line of a secret is not hidden: a closing
// brace is a line of many keys.
const minLine = text.MinSecret

// secretForms returns what must not be seen of secrets, without duplicates.
func secretForms(secrets []string) []string {
	var forms []string
	for _, secret := range secrets {
		for _, form := range text.Spellings(secret, minLine) {
			// What is looked through has nothing that cannot be seen.
			forms = append(forms, form, text.StripUnseen(form))
		}
	}
	forms = slices.DeleteFunc(forms, func(form string) bool { return len(form) < text.MinSecret })
	slices.Sort(forms)
	return slices.Compact(forms)
}

// MaskingWriter replaces secrets, in all forms that Runner.Mask knows, by ***
// before text goes on, also when a secret is spread over several writes or has
// terminal escape sequences inside. What might be the beginning of a secret is
// held back until the next write or Close. It is safe for concurrent use.
type MaskingWriter struct {
	mu      sync.Mutex
	w       io.Writer
	forms   []string
	matcher *text.Matcher
	seen    []byte     // what is held back, without escape sequences
	escapes []sequence // where they stood in it
	rest    []byte     // an escape sequence that has not ended
	covered int        // bytes at the start of seen for which *** was written already
}

// sequence is an escape sequence before seen[at].
type sequence struct {
	at   int
	text string
}

// NewMaskingWriter returns a writer that masks on the way to w.
func NewMaskingWriter(w io.Writer, secrets []string) *MaskingWriter {
	m := &MaskingWriter{w: w}
	m.Add(secrets...)
	return m
}

// Add masks further secrets in what is written from now on.
func (m *MaskingWriter) Add(secrets ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if fresh := secretForms(secrets); len(fresh) > 0 {
		m.forms = append(m.forms, fresh...)
		m.matcher = text.NewMatcher(m.forms)
	}
}

// Write implements io.Writer.
func (m *MaskingWriter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.matcher == nil {
		return m.w.Write(p)
	}
	m.take(string(p), false)
	if err := m.pass(m.holdFrom()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the writer beneath.
func (m *MaskingWriter) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take("", true)
	return m.pass(len(m.seen))
}

// take parts what is new into text and what no reader sees. At the end an unfinished
// sequence is such, too.
func (m *MaskingWriter) take(p string, last bool) {
	if len(m.rest) > 0 {
		p = string(m.rest) + p
		m.rest = m.rest[:0]
	}
	for p != "" {
		n, whole := text.Unseen(p)
		switch {
		case n > 0 && !whole && !last:
			m.rest = append(m.rest, p...)
			return
		case n > 0:
			m.escapes = append(m.escapes, sequence{at: len(m.seen), text: p[:n]})
			p = p[n:]
		default:
			// Up to the next byte that may begin one; the rest of a character is its own.
			n = 1
			for n < len(p) && (p[n] >= ' ' && p[n] < 0x7f || p[n] == '\n' || p[n] >= 0x80 && p[n] < 0xc0) {
				n++
			}
			m.seen = append(m.seen, p[:n]...)
			p = p[n:]
		}
	}
}

// holdFrom finds the earliest place from which all of the text could be the
// beginning of a secret.
func (m *MaskingWriter) holdFrom() int {
	for i := max(0, len(m.seen)-m.matcher.Longest()+1); i < len(m.seen); i++ {
		if m.matcher.Begins(string(m.seen[i:])) {
			return i
		}
	}
	return len(m.seen)
}

// pass writes the first n bytes of the held text. Secrets that overlap are
// masked as one, and escape sequences inside of a secret come behind its mask.
func (m *MaskingWriter) pass(n int) error {
	var out bytes.Buffer
	masked := m.covered
	held := string(m.seen)
	next := 0
	for i := range n {
		for ; next < len(m.escapes) && m.escapes[next].at == i && i >= masked; next++ {
			out.WriteString(m.escapes[next].text)
		}
		if l := m.matcher.Match(held[i:]); l > 0 {
			if i >= masked {
				out.WriteString("***")
			}
			masked = max(masked, i+l)
		}
		if i >= masked {
			out.WriteByte(m.seen[i])
			continue
		}
		for ; next < len(m.escapes) && m.escapes[next].at <= i; next++ {
			out.WriteString(m.escapes[next].text)
		}
	}
	m.covered = max(0, masked-n)
	m.seen = append(m.seen[:0], m.seen[n:]...)
	if len(m.seen) == 0 {
		for ; next < len(m.escapes); next++ {
			out.WriteString(m.escapes[next].text)
		}
	}
	m.escapes = append(m.escapes[:0], m.escapes[next:]...)
	for i := range m.escapes {
		m.escapes[i].at -= n
	}
	if out.Len() == 0 {
		return nil
	}
	_, err := m.w.Write(out.Bytes())
	return err
}
