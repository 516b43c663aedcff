package redact

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/text"
)

// lineLimit cuts lines for people, in bytes.
const lineLimit = 2000

// Log writes plain lines for people. The tool must not stop because no one
// can read its log, so a log that fails is left alone from then on.
type Log struct {
	w      io.Writer
	broken bool
	secret *Filter
	// Clean takes private paths out of a text; nil leaves it alone.
	Clean func(string) string
}

// Redact sets what must not be printed from here on.
func (p *Log) Redact(r *Filter) { p.secret = r }

func NewLog(w io.Writer) *Log {
	if w == nil {
		w = io.Discard
	}
	return &Log{w: w, secret: &Filter{}}
}

// Print writes text as one or more harmless lines; empty ones are left out.
func (p *Log) Print(text string) {
	var out strings.Builder
	if p.Clean != nil {
		text = p.Clean(text)
	}
	text = p.secret.Text(text)
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if line = plainLine(line); line != "" {
			out.WriteString(line)
			out.WriteByte('\n')
		}
	}
	if p.broken || out.Len() == 0 {
		return
	}
	if _, err := io.WriteString(p.w, out.String()); err != nil {
		p.broken = true
	}
}

// plainLine removes control sequences and takes the power from workflow commands.
// The runner reads `::command::` at the start of a line, after any white space,
// and `##[command]` anywhere in it.
// https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs
func plainLine(line string) string {
	line = strings.TrimRightFunc(stripControl(line, true), unicode.IsSpace)
	if len(line) > lineLimit {
		cut := lineLimit
		for cut > 0 && !utf8.RuneStart(line[cut]) {
			cut--
		}
		line = line[:cut] + " …"
	}
	line = strings.ReplaceAll(line, "##[", "## [")
	trimmed := strings.TrimLeftFunc(line, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) })
	if rest, ok := strings.CutPrefix(trimmed, "::"); ok {
		return ": :" + rest
	}
	return line
}

// stripControl drops ANSI escape sequences and control characters. Characters that
// change the direction of text or are invisible become escapes, since two addresses
// that differ in one must not look alike; a log goes without most of them. Tabs
// become spaces.
func stripControl(s string, log bool) string {
	if isPlain(s) {
		return s
	}
	var out strings.Builder
	var sight text.Sight
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			i += escapeLength(s[i:])
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		hidden := sight.Hidden(r)
		switch {
		case r == '\t':
			out.WriteByte(' ')
		case r == utf8.RuneError && size == 1:
			out.WriteRune(utf8.RuneError)
		case unicode.Is(unicode.Cc, r), log && unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
		case hidden && !(log && unicode.Is(unicode.Zs, r)):
			out.WriteString(text.EscapeRune(r))
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// escapeLength is the length of the escape sequence at the start of s.
func escapeLength(s string) int {
	if len(s) < 2 {
		return 1
	}
	switch s[1] {
	case '[': // CSI: parameters, then one final byte
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']', 'P', '^', '_', 'X': // strings that end in BEL or ESC \
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}

// Clean is for texts that go into the model: lines stay, control sequences go.
func Clean(s string) string {
	if isPlain(s) {
		return s
	}
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRightFunc(stripControl(line, false), unicode.IsSpace)
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
