package tempdir

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain makes this binary a process that holds a directory until it is killed.
func TestMain(m *testing.M) {
	base := os.Getenv("TEMPDIR_HOLD")
	if base == "" {
		os.Exit(m.Run())
	}
	dir, _, err := New(base)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if os.Getenv("TEMPDIR_CHILD") != "" {
		cmd := exec.Command("sleep", "60")
		if err := cmd.Start(); err != nil {
			os.Exit(1)
		}
		if err := os.WriteFile(filepath.Join(dir, "child"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			os.Exit(1)
		}
	}
	fmt.Println(dir)
	time.Sleep(time.Minute)
}

func needUnix(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("directories cannot be locked on Windows")
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// hold starts a process that holds a directory.
func hold(t *testing.T, base string, environ ...string) (dir string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "TEMPDIR_HOLD="+base), environ...)
	out, err := cmd.StdoutPipe()
	check(t, err)
	check(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	check(t, err)
	return strings.TrimSpace(line), cmd
}

func exists(dir string) bool {
	_, err := os.Lstat(dir)
	return err == nil
}

func TestNewRemovesWhatAKilledProcessLeft(t *testing.T) {
	t.Parallel()
	needUnix(t)
	base := t.TempDir()
	held, cmd := hold(t, base)
	check(t, os.WriteFile(filepath.Join(held, "plan.tfplan"), []byte("secret"), 0o600))
	next := func() {
		t.Helper()
		dir, remove, err := New(base)
		check(t, err)
		check(t, remove())
		if exists(dir) {
			t.Errorf("%s is still there", dir)
		}
	}
	next()
	if !exists(held) {
		t.Fatal("the directory of a living process is gone")
	}
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	next()
	if exists(held) {
		t.Error("what a killed process left is still there")
	}
}

// A tool that outlasts its parent still works in the directory.
func TestDirectoryOfALivingChildStays(t *testing.T) {
	t.Parallel()
	needUnix(t)
	base := t.TempDir()
	held, cmd := hold(t, base, "TEMPDIR_CHILD=1")
	check(t, cmd.Process.Kill())
	_ = cmd.Wait()
	pid, err := os.ReadFile(filepath.Join(held, "child"))
	check(t, err)
	removeLeftovers(base)
	if !exists(held) {
		t.Error("the workspace of a running tool is gone")
	}
	number, err := strconv.Atoi(string(pid))
	check(t, err)
	child, err := os.FindProcess(number)
	check(t, err)
	check(t, child.Kill())
	for range 100 { // this process is not its parent and cannot wait for it
		if removeLeftovers(base); !exists(held) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("what the killed tool left is still there")
}

// Only directories of ours are leftovers: others keep their names and their files.
func TestNewLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	needUnix(t)
	base, outside := t.TempDir(), t.TempDir()
	check(t, os.WriteFile(filepath.Join(outside, "file"), nil, 0o600))
	var kept []string
	for _, name := range []string{"other-123", "metapipe-", "metapipe-abc", "metapipe-12x", "xmetapipe-12"} {
		check(t, os.Mkdir(filepath.Join(base, name), 0o700))
		kept = append(kept, filepath.Join(base, name))
	}
	check(t, os.Mkdir(filepath.Join(base, "metapipe-1"), 0o755))
	check(t, os.Chmod(filepath.Join(base, "metapipe-1"), 0o755)) // others can read it: not ours
	check(t, os.Symlink(outside, filepath.Join(base, "metapipe-2")))
	check(t, os.WriteFile(filepath.Join(base, "metapipe-3"), nil, 0o600))
	kept = append(kept, filepath.Join(base, "metapipe-1"), filepath.Join(base, "metapipe-2"), filepath.Join(base, "metapipe-3"), filepath.Join(outside, "file"))
	_, remove, err := New(base)
	check(t, err)
	check(t, remove())
	for _, path := range kept {
		if !exists(path) {
			t.Errorf("%s is gone", path)
		}
	}
}

// Many processes that begin at once never take each other's directory away.
func TestNewAtOnce(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				dir, remove, err := New(base)
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
					t.Error(err)
				}
				if err := remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if left, err := os.ReadDir(base); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestNewSaysWhere(t *testing.T) {
	t.Parallel()
	if _, _, err := New(filepath.Join(t.TempDir(), "missing")); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v", err)
	}
}
