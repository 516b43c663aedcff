package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// patience is how long an interrupted process may take to end before it is
// killed. It is longer than GitHub's ten seconds: here a tool may write its
// state down in peace.
const patience = 2 * time.Minute

// process is one step's process.
type process struct {
	binary string
	args   []string
	dir    string
	env    []string
	line   func(string) // each line of both outputs, without its end
}

// run starts the process and waits for its end. When ctx is done it gets one
// interrupt, as from the runner. The exit code is that of the process; the error
// says that it could not be run or did not end by itself.
func (p process) run(ctx context.Context) (int, error) {
	// A cancelled rehearsal starts nothing new.
	if err := ctx.Err(); err != nil {
		return exitCancelled, nil
	}
	cmd := exec.CommandContext(ctx, p.binary, p.args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	lines := &lineWriter{line: p.line}
	cmd.Stdout, cmd.Stderr = lines, lines
	alone(cmd)
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = patience
	err := cmd.Run()
	lines.flush()
	var exited *exec.ExitError
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.Exited():
		return cmd.ProcessState.ExitCode(), nil
	case errors.As(err, &exited):
		return -1, fmt.Errorf("%s was killed: %w", p.args[0], err)
	case err != nil:
		return -1, fmt.Errorf("start %s: %w", p.binary, err)
	}
	return 0, nil
}

// maxLine is where a longer line is broken.
const maxLine = 64 << 10

// lineWriter cuts what a process writes into lines.
type lineWriter struct {
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(b []byte) (int, error) {
	w.rest = append(w.rest, b...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		switch {
		case end >= 0 && end <= maxLine:
			w.line(string(w.rest[:end]))
			w.rest = w.rest[end+1:]
		case len(w.rest) > maxLine:
			w.line(string(w.rest[:maxLine]))
			w.rest = w.rest[maxLine:]
		default:
			return len(b), nil
		}
	}
}

// flush hands on a last line that has no end.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.line(string(w.rest))
		w.rest = nil
	}
}
