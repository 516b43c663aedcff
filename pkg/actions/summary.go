package actions

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// maxSummary is the size of a step's summary above which GitHub drops all of it:
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
const maxSummary = 1 << 20

// ErrSummaryFull says that the summary of the step has no room for anything.
var ErrSummaryFull = errors.New("write the job summary: its 1 MiB is full")

const cutNote = "\n\n> This summary was cut: GitHub shows at most 1 MiB per step. The log of the step has the rest.\n"

// AppendSummary adds Markdown to the summary of the step. When it would grow
// over GitHub's limit of 1 MiB, the new part is cut as CutMarkdown does, with a
// note; when not even the note fits, the error is ErrSummaryFull.
func (r *Runner) AppendSummary(markdown string) error {
	if !r.o.Context.InActions {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	markdown = r.masked(markdown)
	path := r.o.Context.SummaryFile
	var used int64
	info, err := os.Stat(path)
	switch {
	case err == nil:
		used = info.Size()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write the job summary: GITHUB_STEP_SUMMARY: %w", err)
	}
	if !strings.HasSuffix(markdown, "\n") {
		markdown += "\n"
	}
	room := maxSummary - int(min(used, maxSummary))
	if len(markdown) > room {
		if room < len(cutNote) {
			return ErrSummaryFull
		}
		markdown = CutMarkdown(markdown, room-len(cutNote)) + cutNote
	}
	if err := appendFile("GITHUB_STEP_SUMMARY", path, markdown); err != nil {
		return fmt.Errorf("write the job summary: %w", err)
	}
	return nil
}

// CutMarkdown returns the longest beginning of s that has at most limit bytes
// and ends after a line outside of any code fence, so that what follows is not
// swallowed by a fence. HTML elements that are open there stay open.
func CutMarkdown(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	var fence string // the run of ` or ~ that opened it
	safe := 0
	for at := 0; at < len(s); {
		end := len(s)
		if i := strings.IndexByte(s[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if end > limit {
			break
		}
		fence = nextFence(fence, s[at:end])
		if fence == "" {
			safe = end
		}
		at = end
	}
	return s[:safe]
}

// nextFence says which fence is open after line, by CommonMark's rules: at least
// three of the same character, indented by at most three spaces; the closing run
// is no shorter than the opening one and stands alone.
func nextFence(open, line string) string {
	line = strings.TrimRight(line, " \t\r\n")
	body := strings.TrimLeft(line, " ")
	if len(line)-len(body) > 3 || body == "" {
		return open
	}
	run := body[:len(body)-len(strings.TrimLeft(body, body[:1]))]
	if len(run) < 3 || (run[0] != '`' && run[0] != '~') {
		return open
	}
	switch {
	case open == "" && run[0] == '`' && strings.Contains(body[len(run):], "`"):
		return "" // inline code
	case open == "":
		return run
	case run[0] == open[0] && len(run) >= len(open) && body == run:
		return ""
	}
	return open
}
