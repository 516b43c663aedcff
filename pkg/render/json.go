package render

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// JSON writes a report as one indented JSON object and a final line break. The
// characters that a terminal could obey or hide are written as \u escapes, which
// mean the same to every JSON reader. Errors are the writer's, or name a value
// that JSON cannot hold.
func JSON(w io.Writer, rep pipeline.Report) error {
	return writeJSON(w, "report of request "+string(rep.Request.ID), rep)
}

// writeJSON writes a value as JSON says; what names it in errors.
func writeJSON(w io.Writer, what string, value any) error {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		return fmt.Errorf("write %s as JSON: %w", what, err)
	}
	if _, err := io.WriteString(w, escapeJSON(out.String())); err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	return nil
}

// escapeJSON rewrites invisible and control characters, which can stand only
// inside strings, as JSON escapes.
func escapeJSON(s string) string {
	var out strings.Builder
	done, escaped := 0, 0 // escaped: how many characters of an escape are still to come
	var sight text.Sight
	for i, r := range s {
		seen := r
		switch {
		case escaped > 0:
			seen = ' ' // its letters carry no combining mark
			escaped--
			if r == 'u' && s[i-1] == '\\' {
				escaped = 4
			}
		case r == '\\':
			escaped = 1
		}
		if hidden := sight.Hidden(seen); !hidden || r < 0x7f {
			continue
		}
		out.WriteString(s[done:i])
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		} else {
			out.WriteString(text.EscapeRune(r))
		}
		done = i + len(string(r))
	}
	if done == 0 {
		return s
	}
	return out.String() + s[done:]
}
