package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/cli"
)

// clock is the time of commands that run in this process: sleeping moves it and
// takes none, so that backing off costs nothing.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
	// Asleep, when set, is what the world does while a command sleeps.
	Asleep func()
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) sleep(ctx context.Context, d time.Duration) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	c.ahead += d
	asleep := c.Asleep
	c.mu.Unlock()
	if asleep != nil {
		asleep()
	}
	return nil
}

// lockedBuffer takes what the goroutines of a command print.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Inside runs a step of the job in this process, under a clock.
func (j *Job) Inside(ctx context.Context, c *clock, args ...string) Result {
	t := j.W.T
	t.Helper()
	j.steps++
	dir := filepath.Join(j.Dir, fmt.Sprintf("step-%d", j.steps))
	Check(t, os.Mkdir(dir, 0o700))
	output, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	var log lockedBuffer
	exit := cli.Main(ctx, args, cli.App{
		In: &bytes.Buffer{}, Out: &log, Err: &log, Dir: j.Workspace(), Now: c.now, Sleep: c.sleep,
		Environ: append(append([]string{}, j.Environ...), "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+summary),
	})
	out := Result{Exit: exit, Log: log.String(), Summary: ReadOptional(t, summary), Outputs: ParseOutputs(t, ReadOptional(t, output))}
	j.W.Mu.Lock()
	defer j.W.Mu.Unlock()
	j.W.Seen = append(j.W.Seen, out.Log, out.Summary)
	return out
}

// WaitingRun takes a run that a dispatch has queued, if there is one.
func (w *Setup) WaitingRun() (run WorkflowRun, found bool) {
	w.T.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	q, err := w.Hub.NextRun(now)
	if errors.Is(err, context.Canceled) {
		return WorkflowRun{}, false
	}
	Check(w.T, err)
	Check(w.T, q.Repo.SetRun(q.Run.ID, "in_progress", ""))
	return WorkflowRun{Repo: q.Repo, Run: q.Run, Event: q.Run.Payload, SHA: q.Run.HeadSHA, Ref: "refs/heads/main"}, true
}
