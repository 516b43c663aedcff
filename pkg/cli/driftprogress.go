package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/render"
)

// driftProgress shows how far a scan is: in a line that is written over on a
// terminal, in plain lines elsewhere.
type driftProgress struct {
	silent   bool // the lines of targets come later
	app      *App
	terminal bool
	began    time.Time
	last     time.Time
	open     bool // the line on the terminal has no end yet
	err      error
}

// plainGap is the least time between two plain lines without a finding.
const plainGap = 30 * time.Second

func newDriftProgress(app *App, inActions bool) *driftProgress {
	now := app.Now()
	return &driftProgress{app: app, terminal: !inActions && app.onTerminal, began: now, last: now}
}

// isTerminal reports whether a person looks at a stream.
func isTerminal(w any, lookup func(string) (string, bool)) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	if kind, _ := lookup("TERM"); kind == "dumb" {
		return false
	}
	return term.IsTerminal(int(file.Fd())) // #nosec G115 -- the number of a file
}

// lastLine is called after each target.
func (p *driftProgress) lastLine(done, total int, r drift.Result) {
	now := p.app.Now()
	if !r.Clean() && !p.silent {
		p.line(driftLine(r))
	}
	switch {
	case p.terminal:
		p.write("\r\033[K" + p.rate(now, done, total))
		p.open = true
	case now.Sub(p.last) >= plainGap || done == total:
		p.last = now
		p.line(p.rate(now, done, total))
	}
}

func (p *driftProgress) rate(now time.Time, done, total int) string {
	spent := max(now.Sub(p.began), time.Millisecond)
	left := time.Duration(float64(spent) / float64(done) * float64(total-done))
	return fmt.Sprintf("%d of %d targets, %.1f per second, %s left", done, total, float64(done)/spent.Seconds(), left.Round(time.Second))
}

func (p *driftProgress) line(text string) {
	if p.open {
		p.write("\r\033[K")
		p.open = false
	}
	p.write("metapipe: " + render.Terminal(text) + "\n")
}

func (p *driftProgress) write(text string) {
	if _, err := io.WriteString(p.app.Err, text); err != nil && p.err == nil {
		p.err = fmt.Errorf("print the progress: %w", err)
	}
}

// end closes the line on the terminal.
func (p *driftProgress) end() error {
	if p.open {
		p.write("\n")
	}
	return p.err
}

// differing names the attributes of a resource that differ, without their values; a
// created or deleted one differs as a whole.
func differing(d pipeline.ResourceChange) string {
	if d.Action == pipeline.ActionCreate || d.Action == pipeline.ActionDelete {
		return " (" + string(d.Action) + ")"
	}
	var paths []string
	for i, a := range d.Attributes {
		if i == 3 {
			paths = append(paths, fmt.Sprintf("%d more", len(d.Attributes)-i))
			break
		}
		paths = append(paths, a.Path)
	}
	if len(paths) == 0 {
		return ""
	}
	return " (" + strings.Join(paths, ", ") + ")"
}

// driftLine describes one target in a line.
func driftLine(r drift.Result) string {
	name := fmt.Sprintf("%s: ", r.Target)
	switch {
	case r.Failure != nil:
		message, _, _ := strings.Cut(r.Failure.Message, "\n")
		if slices.Contains(r.Kinds, pipeline.DriftLost) {
			return name + "lost: " + message
		}
		return name + "error (" + r.Failure.Cause + "): " + message
	case r.Skipped != "":
		return name + "nothing to check: " + r.Skipped
	case r.Clean():
		return name + "clean"
	case r.Message != "":
		return name + "abandoned: " + r.Message
	}
	// Drift and the change that reverts it have the same address.
	var addresses []string
	named := map[string]bool{}
	add := func(address, what string) {
		if !named[address] {
			named[address] = true
			addresses = append(addresses, address+what)
		}
	}
	for _, d := range slices.Concat(r.Plan.Drift, r.Plan.Changes) {
		add(d.Address, differing(d))
	}
	for _, o := range r.Plan.Outputs {
		add("output."+o.Name, "")
	}
	if len(addresses) > 3 {
		addresses = append(addresses[:3], fmt.Sprintf("%d more", len(addresses)-3))
	}
	return name + pipeline.JoinNames(r.Kinds) + ": " + strings.Join(addresses, ", ")
}
