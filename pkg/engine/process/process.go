package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// Process is one run of the tool. Its output goes to files and not to pipes: a
// tool whose reader dies would be killed by SIGPIPE in the middle of an apply;
// with a file it goes on, saves its state and releases its lock.
type Process struct {
	Path      string
	Args      []string
	Dir       string
	Env       []string
	Stdin     *os.File // nil: there is nothing to read
	Stdout    *os.File
	Stderr    *os.File
	Place     *os.File // becomes FixedPlace; nil: there is none
	WaitDelay time.Duration
	// Started is told the id of the process, where it is set.
	Started func(pid int)
}

// ExitError is a tool that ended by itself with a code other than 0.
type ExitError struct {
	command string
	Code    int // -1 when a signal ended it
}

func (e *ExitError) Error() string {
	if e.Code < 0 {
		return e.command + " was killed by a signal"
	}
	return fmt.Sprintf("%s ended with exit code %d", e.command, e.Code)
}

// Run starts the process in a group of its own, so that a Ctrl-C in a terminal
// reaches it through us only, and waits for its end. When ctx is done the tool
// gets exactly one SIGINT (a second one makes it abort without saving), then
// WaitDelay, and then the whole group is killed. The result is nil for exit
// code 0, also after a cancel that came too late to matter.
func (p Process) Run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir, cmd.Env = p.Dir, p.Env
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	if p.Stdin != nil {
		cmd.Stdin = p.Stdin
	}
	if p.Place != nil && HasFixedPlace {
		cmd.ExtraFiles = []*os.File{p.Place}
	}
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Path, err)
	}
	if p.Started != nil {
		p.Started(cmd.Process.Pid)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err := p.await(ctx, cmd, ended)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &ExitError{command: p.Args[0], Code: exit.ExitCode()}
	}
	return err
}

func (p Process) await(ctx context.Context, cmd *exec.Cmd, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := interrupt(cmd); err != nil {
		killGroup(cmd)
		return errors.Join(<-ended, fmt.Errorf("interrupt %s: %w", p.Args[0], err))
	}
	patience := time.NewTimer(p.WaitDelay)
	defer patience.Stop()
	select {
	case err := <-ended:
		// What the tool started, such as a provisioner, ends with it.
		killGroup(cmd)
		return err
	case <-patience.C:
	}
	killGroup(cmd)
	if err := <-ended; err == nil {
		return nil // it came to its end just then
	}
	return &ExitError{command: p.Args[0], Code: -1}
}
