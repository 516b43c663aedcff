package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// wantHarmless looks at everything that a journey has left: nothing was executed, no
// step said what a runner would obey, and what people read holds the texts as code.
func (w *actSetup) wantHarmless(j journey, canary string) {
	t := w.T
	t.Helper()
	if made := Must(os.ReadDir(canary))(t); len(made) != 0 {
		t.Errorf("executed: %v", made)
	}
	shown := map[string]string{}
	for i, s := range slices.Concat(j.asked, j.answered) {
		if found := CommandsIn(s.said); len(found) > 0 {
			t.Errorf("%s writes commands: %q", s.command, found)
		}
		for name, value := range s.outputs {
			if name != "outputs" && strings.Contains(value, "pwned") {
				t.Errorf("%s has the output %s=%q", s.command, name, value)
			}
		}
		shown[fmt.Sprintf("summary %d of %s", i, s.command)] = s.summary
	}
	for _, pr := range w.Customer.Snapshot().Pulls {
		for _, c := range pr.Comments {
			shown["comment"] = c.Body
		}
	}
	for place, text := range shown {
		for _, problem := range Misreadings(text) {
			t.Errorf("%s %s", place, problem)
		}
	}
	for sha := range w.Customer.Snapshot().Statuses {
		for statusContext, status := range w.Statuses(sha) {
			if strings.ContainsFunc(status, Invisible) {
				t.Errorf("status %s: %q", statusContext, status)
			}
		}
	}
}

// wantShown looks for words of the attacks in what a reviewer reads.
func (w *actSetup) wantShown(j journey) {
	w.T.Helper()
	for _, word := range []string{"pwned-annotation", "ghadelimiter_pwned", `\u200f`, "onerror=pwned", "pwned-dollar", "/etc/passwd"} {
		if !slices.ContainsFunc(j.answered, func(s actStep) bool { return strings.Contains(s.summary, word) }) {
			w.T.Errorf("no summary shows %q", word)
		}
		if body := w.Customer.Snapshot().Pulls[0].Comments[0].Body; !strings.Contains(body, word) {
			w.T.Errorf("the comment does not show %q:\n%s", word, body)
		}
	}
}

// ownCommands are the workflow commands that metapipe itself writes.
var ownCommands = regexp.MustCompile(`^::(error|warning|notice|group|endgroup|add-mask|debug)( [^:]*)?::`)

// CommandsIn are the lines in which a runner finds a command that is not one of
// metapipe's own. The runner looks for the old form, ##[, only in lines that are none
// of the new one: TryProcessCommand in its ActionCommandManager.cs.
func CommandsIn(output string) (found []string) {
	for _, line := range strings.FieldsFunc(output, func(r rune) bool { return r == '\n' || r == '\r' }) {
		trimmed := strings.TrimSpace(line)
		own := ownCommands.FindString(trimmed)
		data := strings.TrimPrefix(trimmed, own)
		switch {
		case own == "" && strings.Contains(line, "##["), strings.HasPrefix(trimmed, "::") && own == "",
			own == "::add-mask::" && (data == "staging" || data == "pwned"), own != "" && strings.HasPrefix(data, "pwned"):
			found = append(found, line)
		}
	}
	return found
}

// Invisible reports characters that hide, or that make text read otherwise than it
// is.
func Invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != '\n' && r != '\t'
}

var (
	htmlCode  = regexp.MustCompile(`<code>[^<]*</code>`)
	ownMarker = regexp.MustCompile(`(?m)^<!-- metapipe[^>]*-->$`)
)

// withoutCode takes the code spans out of a line of Markdown: from a run of backticks
// to the next one of the same length (CommonMark 0.31, 6.1).
func withoutCode(line string) string {
	out := ""
	for {
		at := strings.IndexByte(line, '`')
		if at < 0 {
			return out + line
		}
		out += line[:at]
		rest := strings.TrimLeft(line[at:], "`")
		mark := line[at : len(line)-len(rest)]
		end := 0
		for ; end < len(rest); end++ {
			run := rest[end : len(rest)-len(strings.TrimLeft(rest[end:], "`"))]
			if run == mark {
				break
			}
			end += len(run)
		}
		if end >= len(rest) { // never closed: backticks like any others
			out, line = out+mark, rest
			continue
		}
		line = rest[end+len(mark):]
	}
}

// Misreadings says where a Markdown text shows a hostile text other than as code, or
// with characters that nobody sees.
func Misreadings(text string) (problems []string) {
	if i := strings.IndexFunc(text, Invisible); i >= 0 {
		problems = append(problems, fmt.Sprintf("holds an invisible character: %q", text[max(0, i-40):min(len(text), i+40)]))
	}
	var outside strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		mark := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence == "" && len(mark) >= 3:
			fence = mark
		case fence != "" && len(mark) >= len(fence) && strings.TrimSpace(line) == mark:
			fence = ""
		case fence == "":
			outside.WriteString(withoutCode(htmlCode.ReplaceAllString(ownMarker.ReplaceAllString(line, ""), "")))
		}
	}
	if fence != "" {
		problems = append(problems, "has a block that never ends")
	}
	if rest := outside.String(); strings.Contains(rest, "pwned") || strings.Contains(rest, "<!--") {
		problems = append(problems, "shows a hostile text outside of code:\n"+rest)
	}
	return problems
}
