package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/metapipe/metapipe/pkg/cli"
)

// LaterBy is how far the clock of metapipe-later is ahead: longer than any plan of
// these tests may wait for its apply.
const LaterBy = 100 * time.Hour

// MainLater is metapipe as it runs some days from now.
func MainLater() {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(cli.Main(ctx, os.Args[1:], cli.App{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Environ: os.Environ(), Dir: dir,
		Now: func() time.Time { return time.Now().Add(LaterBy) },
		Sleep: func(_ context.Context, d time.Duration) error {
			time.Sleep(d)
			return nil
		},
	}))
}
