package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// LimitError is the cause of a context that ended at a limit of metapipe.yml.
type LimitError struct {
	command string
	limit   time.Duration
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("the %s took longer than its limit of %s", e.command, e.limit)
}

func (e *LimitError) Unwrap() error { return context.DeadlineExceeded }

// WithLimit gives a command, plan or apply, its time; 0 is none.
func WithLimit(ctx context.Context, command string, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, &LimitError{command: command, limit: limit})
}

// Stopped turns the end of ctx into the error of a command: a limit of metapipe.yml is a failure, everything
// else is the caller's wish. done says what was done until then; it may be empty.
func Stopped(ctx context.Context, target pipeline.Target, command, done string) error {
	if done != "" {
		done = "; " + done
	}
	var limit *LimitError
	if errors.As(context.Cause(ctx), &limit) {
		return &pipeline.FailedError{Message: fmt.Sprintf("%s %s%s", command, target, done), Next: pipeline.ProviderNext, Err: limit,
			Operator: fmt.Sprintf("raise limits.%s_timeout in metapipe.yml, or find out what takes so long in the log", command)}
	}
	return fmt.Errorf("%s %s was stopped%s: %w", command, target, done, ctx.Err())
}
