package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// exitCancelled is the exit code of a process that was not started any more.
const exitCancelled = 130

// lingers is how long the output of a process is read when it has ended: what it left behind may hold it open.
const lingers = 2 * time.Second

// Process is the process of one step.
type Process struct {
	Path     string
	Args     []string // without the name of the program
	Dir      string
	Env      []string
	Line     func(string)  // each line of both outputs, without its end
	Patience time.Duration // how long it may take to end after its interrupt, before it is killed
}

// Run starts the process and waits for its end. When ctx is done it gets one
// interrupt, as from the runner. The exit code is that of the process; the error
// says that it could not be run or did not end by itself.
func (p Process) Run(ctx context.Context) (int, error) {
	if ctx.Err() != nil { // a cancelled run starts nothing new
		return exitCancelled, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return -1, fmt.Errorf("make a pipe: %w", err)
	}
	defer read.Close()
	cmd := exec.CommandContext(ctx, p.Path, p.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.Dir, p.Env, write, write
	alone(cmd)
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = p.Patience
	if err := cmd.Start(); err != nil {
		return -1, errors.Join(fmt.Errorf("start %s: %w", p.Path, err), write.Close())
	}
	closed := write.Close()
	lines := &lineWriter{line: p.Line}
	drained := make(chan struct{})
	go func() {
		_, _ = io.Copy(lines, read) // it ends with the pipe
		close(drained)
	}()
	err = cmd.Wait()
	select {
	case <-drained:
	case <-time.After(lingers):
		_ = read.Close() // a process that was left behind holds it open
		<-drained
	}
	lines.flush()
	endGroup(cmd.Process.Pid)
	var exited *exec.ExitError
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.Exited():
		return cmd.ProcessState.ExitCode(), closed
	case errors.As(err, &exited):
		return -1, fmt.Errorf("%s was killed: %w", p.Path, err)
	}
	return -1, fmt.Errorf("run %s: %w", p.Path, err)
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
