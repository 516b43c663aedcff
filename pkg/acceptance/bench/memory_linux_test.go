package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// peakMemory is the most memory, in MB, that metapipe itself ever held. The
// usage that wait4 reports includes the tool's processes, so the kernel is asked
// while the process is still there: it hangs in its last write, into a pipe too
// small for the text, when everything else is done.
func (b *bench) peakMemory(t *testing.T, args []string) (peak float64, known bool) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	const setPipeSize = 1031 // F_SETPIPE_SZ, fcntl(2)
	if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, out.Fd(), setPipeSize, 4096); e != 0 {
		t.Fatalf("make the pipe small: %v", e)
	}
	cmd := exec.Command(b.metapipe, args...)
	cmd.Dir, cmd.Env, cmd.Stdout = b.dir, b.env, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Error(err)
	}
	var first [1]byte
	_, readErr := io.ReadFull(in, first[:])
	status, statusErr := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	rest, drainErr := io.Copy(io.Discard, in)
	for _, err := range []error{readErr, statusErr, drainErr, cmd.Wait()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if rest <= 4096 {
		t.Fatalf("the text of %d bytes did not hold the process", rest)
	}
	return highWaterMark(t, status), true
}

func highWaterMark(t *testing.T, status []byte) float64 {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		var kib float64
		if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			if _, err := fmt.Sscan(text, &kib); err != nil {
				t.Fatal(err)
			}
			return kib * 1024 / 1e6
		}
	}
	t.Fatal("the kernel tells no VmHWM")
	return 0
}
