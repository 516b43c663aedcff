package enginetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Record lets this test binary stand in for a tool: it notes its arguments, environment and
// signals in dir and runs the real tool, whose path stands in a file there. Commands that no
// one signals it becomes, since a race-enabled program takes a second to exit.
func Record(dir string, interrupted func(command string) bool) int {
	note := func(format string, args ...any) {
		file, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		fmt.Fprintf(file, format+"\n", args...)
		if err := file.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals, os.Interrupt)
	note("call %s", strings.Join(os.Args[1:], " "))
	if err := os.WriteFile(filepath.Join(dir, "environ"), []byte(strings.Join(os.Environ(), "\n")), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	actual, err := os.ReadFile(filepath.Join(dir, "real"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if !interrupted(os.Args[1]) {
		fmt.Fprintln(os.Stderr, syscall.Exec(string(actual), append([]string{string(actual)}, os.Args[1:]...), os.Environ()))
		return 1
	}
	cmd := exec.Command(string(actual), os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	note("pid %d", cmd.Process.Pid)
	go func() {
		for s := range signals {
			note("signal %s", s)
			if err := cmd.Process.Signal(s); err != nil {
				note("signal not passed: %v", err)
			}
		}
	}()
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	return 0
}

// Recorder is a stand-in that records.
type Recorder struct{ Dir string }

// NewRecorder makes a stand-in with the name of the tool at path, and returns its own path.
func NewRecorder(t *testing.T, path string) (Recorder, string) {
	t.Helper()
	r := Recorder{t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	standIn := filepath.Join(r.Dir, filepath.Base(path))
	if err := errors.Join(os.Symlink(self, standIn), os.WriteFile(filepath.Join(r.Dir, "real"), []byte(path), 0o600)); err != nil {
		t.Fatal(err)
	}
	return r, standIn
}

// Calls returns the commands in order, and how many signals came.
func (r Recorder) Calls(t *testing.T) (commands []string, signals int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Dir, "calls"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		switch fields := strings.Fields(line); {
		case len(fields) > 1 && fields[0] == "call":
			commands = append(commands, fields[1])
		case len(fields) > 0 && fields[0] == "signal":
			signals++
		}
	}
	return commands, signals
}

// Forget drops what was noted.
func (r Recorder) Forget(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(r.Dir, "calls")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// Pid is that of the tool that the stand-in runs.
func (r Recorder) Pid(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.Dir, "calls"))
	if err != nil {
		t.Error(err)
	}
	pid := 0
	for _, line := range strings.Split(string(b), "\n") {
		if rest, ok := strings.CutPrefix(line, "pid "); ok {
			if _, err := fmt.Sscan(rest, &pid); err != nil {
				t.Error(err)
			}
		}
	}
	return pid
}

// Kill ends the tool that the stand-in runs, and leaves it no time to clean up.
func (r Recorder) Kill(t *testing.T) {
	t.Helper()
	tool, err := os.FindProcess(r.Pid(t))
	if err == nil {
		err = tool.Kill()
	}
	if err != nil {
		t.Error(err)
	}
}
