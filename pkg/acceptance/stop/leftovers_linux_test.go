package stop

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// laptopPlan starts a dry run of the examples whose progress goes into a pipe.
func laptopPlan(t *testing.T, temp string, command ...string) (*exec.Cmd, *os.File) {
	t.Helper()
	examples := filepath.Join(fixture.Root(t), "examples")
	cmd := exec.Command(fixture.Must(exec.LookPath("metapipe"))(t), append(command, "--manager-dir", filepath.Join(examples, "manager"), "--customer-dir", filepath.Join(examples, "customer"))...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "GITHUB_ACTIONS=")
	reader, writer, err := os.Pipe()
	fixture.Check(t, err)
	cmd.Stdout, cmd.Stderr = writer, writer
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	fixture.Check(t, cmd.Start())
	fixture.Check(t, writer.Close())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, reader
}

func leftIn(t *testing.T, temp string) []string {
	t.Helper()
	return fixture.Must(filepath.Glob(filepath.Join(temp, "metapipe-*")))(t)
}

// TestNothingIsLeft ends commands in the ways in which a person ends them: the
// reader of a pipe goes away, the terminal is closed, Ctrl-\ is pressed, the process
// is killed. Plans and variables are gone then, at the latest when the next command has
// begun.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{"plan": {"plan", "--environment", "staging"}, "rehearse": {"rehearse", "--approve", "yes"}} {
		for how, end := range map[string]func(*exec.Cmd, *os.File) error{
			"the reader goes away":      func(_ *exec.Cmd, reader *os.File) error { return reader.Close() },
			"the terminal is closed":    func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(syscall.SIGHUP) },
			"the terminal asks to quit": func(cmd *exec.Cmd, _ *os.File) error { return cmd.Process.Signal(syscall.SIGQUIT) },
		} {
			t.Run(name+": "+how, func(t *testing.T) {
				t.Parallel()
				temp := t.TempDir()
				args := slices.Clone(command)
				if name == "rehearse" {
					args = append(args, "--out", filepath.Join(temp, "out"))
				}
				cmd, reader := laptopPlan(t, temp, args...)
				fixture.Must(bufio.NewReader(reader).ReadString('\n'))(t)
				fixture.Check(t, end(cmd, reader))
				go func() { _, _ = io.Copy(io.Discard, reader) }()
				err := cmd.Wait()
				if code := cmd.ProcessState.ExitCode(); code != 130 {
					t.Errorf("exit code %d (%v)", code, err)
				}
				if left := leftIn(t, temp); len(left) != 0 {
					t.Errorf("left: %q", left)
				}
			})
		}
	}
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		temp := t.TempDir()
		cmd, reader := laptopPlan(t, temp, "plan", "--environment", "staging")
		fixture.Must(bufio.NewReader(reader).ReadString('\n'))(t)
		fixture.Await(t, "its directory", func() bool { return len(leftIn(t, temp)) > 0 })
		fixture.Check(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
		_, _ = io.Copy(io.Discard, reader) // until the tool has ended, too
		_ = cmd.Wait()
		if left := leftIn(t, temp); len(left) == 0 {
			t.Fatal("a killed process left nothing: this test shows nothing")
		}
		// A tool that the killed process had started holds the directory until it ends.
		fixture.Await(t, "an empty directory", func() bool {
			next, reader := laptopPlan(t, temp, "plan", "--environment", "staging")
			_, _ = io.Copy(io.Discard, reader)
			fixture.Check(t, next.Wait())
			return len(leftIn(t, temp)) == 0
		})
	})
}

// TestReaderOfTheOutputGoesAway: without a reader of its output a command ends as one
// that was cancelled. Progress goes to another stream, where no error follows it.
func TestReaderOfTheOutputGoesAway(t *testing.T) {
	t.Parallel()
	examples := filepath.Join(fixture.Root(t), "examples")
	for _, args := range [][]string{{"plan", "--environment", "staging", "--customer-dir", filepath.Join(examples, "customer")}, {"state", "list"}, {"schema"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(fixture.Must(exec.LookPath("metapipe"))(t), args...)
			cmd.Dir = filepath.Join(examples, "manager")
			store := t.TempDir()
			cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "METAPIPE_STORE="+store, "GITHUB_ACTIONS=")
			reader, writer, err := os.Pipe()
			fixture.Check(t, err)
			fixture.Check(t, reader.Close())
			var progress bytes.Buffer
			cmd.Stdout, cmd.Stderr = writer, &progress
			err = cmd.Run()
			fixture.Check(t, writer.Close())
			if code := cmd.ProcessState.ExitCode(); code != 130 || strings.Contains(progress.String(), "closed it") || strings.Contains(progress.String(), "broken pipe") {
				t.Errorf("exit code %d (%v)\n%s", code, err, &progress)
			}
		})
	}
}
