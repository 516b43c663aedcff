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
	// asleep, when set, is what the world does while a command sleeps.
	asleep func()
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
	asleep := c.asleep
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

// inside runs a step of the job in this process, under a clock.
func (j *job) inside(ctx context.Context, c *clock, args ...string) result {
	t := j.w.t
	t.Helper()
	j.steps++
	dir := filepath.Join(j.dir, fmt.Sprintf("step-%d", j.steps))
	check(t, os.Mkdir(dir, 0o700))
	output, summary := filepath.Join(dir, "output"), filepath.Join(dir, "summary")
	var log lockedBuffer
	exit := cli.Main(ctx, args, cli.App{
		In: &bytes.Buffer{}, Out: &log, Err: &log, Dir: j.workspace(), Now: c.now, Sleep: c.sleep,
		Environ: append(append([]string{}, j.environ...), "GITHUB_OUTPUT="+output, "GITHUB_STEP_SUMMARY="+summary),
	})
	out := result{exit: exit, log: log.String(), summary: readOptional(t, summary), outputs: parseOutputs(t, readOptional(t, output))}
	j.w.mu.Lock()
	defer j.w.mu.Unlock()
	j.w.seen = append(j.w.seen, out.log, out.summary)
	return out
}

// waitingRun takes a run that a dispatch has queued, if there is one.
func (w *world) waitingRun() (run workflowRun, found bool) {
	w.t.Helper()
	now, cancel := context.WithCancel(context.Background())
	cancel()
	q, err := w.hub.NextRun(now)
	if errors.Is(err, context.Canceled) {
		return workflowRun{}, false
	}
	check(w.t, err)
	check(w.t, q.Repo.SetRun(q.Run.ID, "in_progress", ""))
	return workflowRun{repo: q.Repo, run: q.Run, event: q.Run.Payload, sha: q.Run.HeadSHA, ref: "refs/heads/main"}, true
}
