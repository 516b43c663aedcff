package actions

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/sethvargo/go-githubactions"
)

// Mask makes GitHub replace secrets in the log by ***: each whole, each line of
// it, and its usual encodings (see secretForms). Outside of Actions it does
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
func (r *Runner) masked(text string) string {
	if len(r.hidden) == 0 {
		return text
	}
	var out strings.Builder
	w := NewMaskingWriter(&out, r.hidden)
	_, err := io.WriteString(w, text)
	if err = errors.Join(err, w.Close()); err != nil {
		return "***" // a builder takes everything
	}
	return out.String()
}

// minPart is the length below which a part of a secret is not hidden: a closing
// brace is a line of many keys.
const minPart = 4

// secretForms returns what must not be seen of secrets, longest first and
// without duplicates: each secret, its lines, and both in base64 (for URLs
// too, and inside a longer text), percent-encoded and as JSON text.
func secretForms(secrets []string) []string {
	var forms []string
	add := func(form string, least int) {
		if form = strings.TrimSpace(form); len(form) >= least {
			forms = append(forms, form)
		}
	}
	for _, secret := range secrets {
		add(secret, 1)
		lines := strings.FieldsFunc(secret, func(r rune) bool { return r == '\n' || r == '\r' })
		for _, plain := range append(lines, secret, strings.TrimSpace(secret)) {
			add(plain, minPart)
			if len(plain) >= minPart {
				for _, form := range encodings(plain) {
					add(form, minPart)
				}
			}
		}
	}
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}

func encodings(s string) []string {
	forms := []string{url.QueryEscape(s), url.PathEscape(s)}
	for shift := range 3 {
		std := shifted(s, shift)
		forms = append(forms, std, strings.NewReplacer("+", "-", "/", "_").Replace(std))
	}
	// A string always encodes.
	if quoted, err := json.Marshal(s); err == nil {
		forms = append(forms, string(quoted[1:len(quoted)-1]))
	}
	return forms
}

// shifted returns the base64 characters that depend on nothing but s when shift
// bytes (mod 3) stand before it, as the user name does in basic authentication.
func shifted(s string, shift int) string {
	text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + s))
	if (shift+len(s))%3 != 0 {
		text = text[:len(text)-1]
	}
	return text[[...]int{0, 2, 3}[shift]:]
}

// MaskingWriter replaces secrets, in all forms that Runner.Mask knows, by ***
// before text goes on, also when a secret is spread over several writes. What
// might be the beginning of a secret is held back until the next write or Close.
// It is safe for concurrent use.
type MaskingWriter struct {
	mu      sync.Mutex
	w       io.Writer
	forms   map[string]bool
	byFirst [256][]string // the forms by first byte, longest first
	longest int
	held    []byte
	covered int // bytes at the start of held for which *** was written already
}

// NewMaskingWriter returns a writer that masks on the way to w.
func NewMaskingWriter(w io.Writer, secrets []string) *MaskingWriter {
	m := &MaskingWriter{w: w, forms: map[string]bool{}}
	m.Add(secrets...)
	return m
}

// Add masks further secrets in what is written from now on.
func (m *MaskingWriter) Add(secrets ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, form := range secretForms(secrets) {
		if m.forms[form] {
			continue
		}
		m.forms[form] = true
		same := append(m.byFirst[form[0]], form)
		slices.SortStableFunc(same, func(a, b string) int { return len(b) - len(a) })
		m.byFirst[form[0]] = same
		m.longest = max(m.longest, len(form))
	}
}

// Write implements io.Writer.
func (m *MaskingWriter) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.longest == 0 {
		return m.w.Write(p)
	}
	m.held = append(m.held, p...)
	if err := m.pass(m.holdFrom()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the writer beneath.
func (m *MaskingWriter) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pass(len(m.held))
}

// holdFrom finds the earliest place from which all of the text could be the
// beginning of a secret.
func (m *MaskingWriter) holdFrom() int {
	for i := max(0, len(m.held)-m.longest+1); i < len(m.held); i++ {
		for _, form := range m.byFirst[m.held[i]] {
			if len(form) > len(m.held)-i && form[:len(m.held)-i] == string(m.held[i:]) {
				return i
			}
		}
	}
	return len(m.held)
}

// pass writes the first n bytes of the held text. Secrets that overlap are
// masked as one.
func (m *MaskingWriter) pass(n int) error {
	var out bytes.Buffer
	masked := m.covered
	for i := range n {
		if l := m.match(i); l > 0 {
			if i >= masked {
				out.WriteString("***")
			}
			masked = max(masked, i+l)
		}
		if i >= masked {
			out.WriteByte(m.held[i])
		}
	}
	m.covered = max(0, masked-n)
	m.held = append(m.held[:0], m.held[n:]...)
	if out.Len() == 0 {
		return nil
	}
	_, err := m.w.Write(out.Bytes())
	return err
}

// match returns the length of the longest secret at i, 0 when there is none.
func (m *MaskingWriter) match(i int) int {
	for _, form := range m.byFirst[m.held[i]] {
		if len(form) <= len(m.held)-i && string(m.held[i:i+len(form)]) == form {
			return len(form)
		}
	}
	return 0
}
