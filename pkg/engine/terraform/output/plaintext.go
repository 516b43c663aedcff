package output

import (
	"strconv"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/text"
)

// plainTextPlace is how the tool names a place to people.
var plainTextPlace = text.Pattern(`^\s*on (\S+) line (\d+)[,:]`)

// codeLine is a line of code below such a place.
var codeLine = text.Pattern(`^\s*\d+:(.*)$`)

// PlainTextDiagnostics reads errors that the tool printed for people: those of
// mistakes in flags, of crashes, and of versions whose init knows no JSON.
func PlainTextDiagnostics(text string) []tfjson.Diagnostic {
	var found []tfjson.Diagnostic
	var detail []string
	var code []string
	var place *tfjson.Range
	flush := func() {
		if len(found) > 0 {
			last := &found[len(found)-1]
			last.Detail, last.Range = strings.TrimSpace(strings.Join(detail, "\n")), place
			if len(code) > 0 {
				last.Snippet = &tfjson.DiagnosticSnippet{Code: strings.Join(code, "\n")}
			}
		}
		detail, code, place = nil, nil, nil
	}
	text = redact.Clean(text)
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(strings.TrimLeft(line, "│╷╵ "), " ")
		severity := tfjson.DiagnosticSeverityError
		summary, ok := strings.CutPrefix(line, "Error: ")
		if !ok {
			severity = tfjson.DiagnosticSeverityWarning
			summary, ok = strings.CutPrefix(line, "Warning: ")
		}
		if ok {
			flush()
			found = append(found, tfjson.Diagnostic{Severity: severity, Summary: summary})
			continue
		}
		if m := plainTextPlace().FindStringSubmatch(line); m != nil && place == nil {
			if n, err := strconv.Atoi(m[2]); err == nil {
				place = &tfjson.Range{Filename: m[1], Start: tfjson.Pos{Line: n}}
				continue
			}
		}
		if m := codeLine().FindStringSubmatch(line); m != nil && place != nil {
			code = append(code, m[1])
			continue
		}
		detail = append(detail, line)
	}
	flush()
	if len(found) == 0 && strings.TrimSpace(text) != "" {
		first, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
		found = append(found, tfjson.Diagnostic{Severity: tfjson.DiagnosticSeverityError, Summary: first, Detail: rest})
	}
	return found
}

func FirstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
