package render

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// prettyLimit is the longest value, in bytes, that is laid out in lines. Longer
// ones are shown as they are, clipped: they are not read here.
const prettyLimit = 64 << 10

// oneLine returns both sides of a difference, each on one line of at most limit
// characters. When they are longer than that, they start shortly before the
// first difference, so that it is seen.
func oneLine(before, after pipeline.Value, limit int) (string, string) {
	a, b := marked(before), marked(after)
	if before.Text != "" && after.Text != "" && a == before.Text && b == after.Text && a != b && (len(a) > limit || len(b) > limit) {
		a, b = fromDifference(a, b, limit/4)
	}
	return tidy(a, toEscapes, limit), tidy(b, toEscapes, limit)
}

// marked is the text of a value, or what stands for it. A sensitive value never
// shows its text.
func marked(v pipeline.Value) string {
	switch {
	case v.Sensitive:
		return "(sensitive value)"
	case v.Unknown:
		return "(known after apply)"
	case v.Text == "":
		return "(absent)"
	}
	return v.Text
}

// fromDifference drops what both texts begin with, but for some characters of
// context.
func fromDifference(a, b string, around int) (string, string) {
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	start := same - around
	for start > 0 && !utf8.RuneStart(a[start]) {
		start--
	}
	if start <= 0 {
		return a, b
	}
	return "…" + a[start:], "…" + b[start:]
}

// layout returns the lines of a value that reads better in several: text with
// line breaks, JSON inside a string, a big object or list. It returns nil when
// one line will do.
func layout(v pipeline.Value) []string {
	if v.Sensitive || v.Unknown || len(v.Text) < 2 || len(v.Text) > prettyLimit {
		return nil
	}
	text := v.Text
	if text[0] == '"' {
		if err := json.Unmarshal([]byte(text), &text); err != nil {
			return nil // not JSON text; shown as it is
		}
	}
	trimmed := strings.TrimSpace(text)
	if len(trimmed) > 60 && (trimmed[0] == '{' || trimmed[0] == '[') {
		var out bytes.Buffer
		if json.Indent(&out, []byte(trimmed), "", "  ") == nil {
			return splitLines(out.String())
		}
	}
	if v.Text[0] == '"' && strings.Contains(strings.TrimRight(text, "\n"), "\n") {
		return splitLines(text)
	}
	return nil
}

func splitLines(s string) []string {
	lines := strings.Split(strings.TrimRight(clean(s, kept), "\n"), "\n")
	return lines
}
