package terraform

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

	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
)

// TestMain lets the test binary stand in for a tool: under the name terraform or
// tofu it notes its arguments, environment and signals and runs the real one,
// whose path stands in a file beside it.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "terraform", "tofu":
		os.Exit(record(filepath.Dir(os.Args[0])))
	}
	if dir := os.Getenv(victimVariable); dir != "" {
		os.Exit(victim(dir))
	}
	os.Exit(m.Run())
}

func record(dir string) int {
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
	if command := os.Args[1]; command != "plan" && command != "apply" {
		// No one signals these, and a race-enabled program takes a second to exit.
		fmt.Fprintln(os.Stderr, syscall.Exec(string(actual), append([]string{string(actual)}, os.Args[1:]...), os.Environ()))
		return 1
	}
	cmd := exec.Command(string(actual), os.Args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
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

// recorder is a stand-in that records.
type recorder struct{ dir string }

func newRecorder(t *testing.T, tool terraformtest.Tool) (recorder, terraformtest.Tool) {
	t.Helper()
	r := recorder{t.TempDir()}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, tool.Name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	terraformtest.WriteFile(t, filepath.Join(r.dir, "real"), tool.Path)
	return r, terraformtest.Tool{Name: tool.Name, Path: path}
}

// calls returns the commands in order, and how many signals came.
func (r recorder) calls(t *testing.T) (commands []string, signals int) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, "calls"))
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

func (r recorder) forget(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(r.dir, "calls")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}
