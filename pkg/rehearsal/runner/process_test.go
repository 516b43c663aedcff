package runner

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// playProcess is what the started copies of the test binary do.
func playProcess(play string) int {
	out := bufio.NewWriter(os.Stdout)
	code := 0
	switch play {
	case "lines":
		fmt.Fprint(out, "one\ntwo\r\n", strings.Repeat("x", maxLine+10), "\nlast")
		code = 3
	case "interrupted":
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, os.Interrupt)
		fmt.Fprintln(out, "ready")
		_ = out.Flush()
		<-signals
		fmt.Fprintln(out, "stopping")
		_ = out.Flush()
		select {
		case <-signals:
			fmt.Fprintln(out, "a second signal")
		case <-time.After(300 * time.Millisecond):
		}
		code = 130
	}
	if out.Flush() != nil {
		return 1
	}
	return code
}

func startedCopy(t *testing.T, play string, line func(string)) Process {
	t.Helper()
	binary, err := os.Executable()
	must(t, err)
	return Process{Path: binary, Args: []string{"verb"}, Dir: t.TempDir(), Env: []string{"PLAY_PROCESS=" + play}, Line: line, Patience: 2 * time.Minute}
}

func TestProcessLinesAndExitCode(t *testing.T) {
	t.Parallel()
	var got []string
	code, err := startedCopy(t, "lines", func(l string) { got = append(got, l) }).Run(t.Context())
	must(t, err)
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	want := []string{"one", "two\r", strings.Repeat("x", maxLine), "xxxxxxxxxx", "last"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A cancelled job gets one interrupt and the time to end by itself.
func TestProcessIsInterruptedOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("consoles send their interrupts by themselves")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	code, err := startedCopy(t, "interrupted", func(l string) {
		got = append(got, l)
		if l == "ready" {
			cancel()
		}
	}).Run(ctx)
	must(t, err)
	if code != exitCancelled {
		t.Errorf("exit code %d", code)
	}
	if d := cmp.Diff([]string{"ready", "stopping"}, got); d != "" {
		t.Error(d)
	}
}

func TestProcessThatCannotStart(t *testing.T) {
	t.Parallel()
	p := Process{Path: "/does/not/exist", Args: []string{"plan"}, Line: func(string) {}}
	if _, err := p.Run(t.Context()); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code, err := p.Run(ctx); code != exitCancelled || err != nil {
		t.Errorf("a cancelled rehearsal started a process: %d, %v", code, err)
	}
}
