package terraform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// process is one run of the tool. Its output goes to files and not to pipes: a
// tool whose reader dies would be killed by SIGPIPE in the middle of an apply;
// with a file it goes on, saves its state and releases its lock.
type process struct {
	path      string
	args      []string
	dir       string
	env       []string
	stdout    *os.File
	stderr    *os.File
	place     *os.File // becomes fixedPlace; nil: there is none
	waitDelay time.Duration
}

// exitError is a tool that ended by itself with a code other than 0.
type exitError struct {
	command string
	code    int // -1 when a signal ended it
}

func (e *exitError) Error() string {
	if e.code < 0 {
		return e.command + " was killed by a signal"
	}
	return fmt.Sprintf("%s ended with exit code %d", e.command, e.code)
}

// run starts the process in a group of its own, so that a Ctrl-C in a terminal
// reaches it through us only, and waits for its end. When ctx is done the tool
// gets exactly one SIGINT (a second one makes it abort without saving), then
// waitDelay, and then the whole group is killed. The result is nil for exit
// code 0, also after a cancel that came too late to matter.
func (p process) run(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.Stdout, cmd.Stderr = p.stdout, p.stderr
	if p.place != nil && hasFixedPlace {
		cmd.ExtraFiles = []*os.File{p.place}
	}
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.path, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err := p.await(ctx, cmd, ended)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &exitError{command: p.args[0], code: exit.ExitCode()}
	}
	return err
}

func (p process) await(ctx context.Context, cmd *exec.Cmd, ended <-chan error) error {
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if err := interrupt(cmd); err != nil {
		killGroup(cmd)
		return errors.Join(<-ended, fmt.Errorf("interrupt %s: %w", p.args[0], err))
	}
	patience := time.NewTimer(p.waitDelay)
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
	return &exitError{command: p.args[0], code: -1}
}
