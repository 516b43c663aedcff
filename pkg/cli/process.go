package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Process runs one command line with the streams, environment and signals of
// this process.
//
// GitHub's runner sends SIGINT to a step that is cancelled, SIGTERM 7.5 s later,
// and kills it after another 2.5 s. The first signal cancels; the later ones are
// swallowed, since a tool that gets a second one gives its state up. A terminal
// that is closed (SIGHUP), Ctrl-\ (SIGQUIT) and a reader that goes away (SIGPIPE, as
// from `| head`) cancel too: ended by them, a process would leave plans and variables
// behind. SIGABRT still prints the stacks of a process that hangs.
func Process(args []string, version Version) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	go func() {
		for range signals {
			cancel()
		}
	}()
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintf(os.Stderr, "metapipe: find the working directory: %v\n", err)
		return ExitFailed
	}
	binary, err := os.Executable()
	if err != nil {
		binary = ""
	}
	return Main(ctx, args, App{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Dir: dir, Binary: binary,
		Version: version, Now: time.Now, Sleep: sleep,
	})
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

var errNoBinary = errors.New("this executable does not know its own path")
