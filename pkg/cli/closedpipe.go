package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
)

// errClosedPipe is the error of every write to a stream without a reader, as behind
// `metapipe state list | head -1`.
var errClosedPipe = errors.New("the reader of the output has closed it")

// pipe is a stream of this process. The first write that finds no reader cancels the
// command, and later writes do not reach the stream.
type pipe struct {
	w      io.Writer
	cancel context.CancelFunc
	closed atomic.Bool
}

// Write implements io.Writer.
func (p *pipe) Write(b []byte) (int, error) {
	if p.closed.Load() {
		return 0, errClosedPipe
	}
	n, err := p.w.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		p.closed.Store(true)
		p.cancel()
		return n, errClosedPipe
	}
	return n, err
}

// onlyClosedPipe reports whether err says only that the output has no reader, and that
// the command was cancelled for that. A person who runs `| head` knows both.
func onlyClosedPipe(err error) bool {
	found := errors.Is(err, errClosedPipe)
	return found && onlyLeaves(err, func(leaf error) bool { return errors.Is(leaf, errClosedPipe) || errors.Is(leaf, context.Canceled) })
}

// onlyLeaves reports whether all errors at the ends of the tree of err are fine.
func onlyLeaves(err error, fine func(error) bool) bool {
	switch e := any(err).(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if !onlyLeaves(inner, fine) {
				return false
			}
		}
		return true
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return onlyLeaves(inner, fine)
		}
	}
	return fine(err)
}

// closedPipeOnce keeps one of the lines of a message that say that the output has no
// reader: each write adds its own.
func closedPipeOnce(s string) string {
	var kept []string
	seen := false
	for line := range strings.SplitSeq(s, "\n") {
		is := strings.HasSuffix(line, errClosedPipe.Error())
		if !is || !seen {
			kept = append(kept, line)
		}
		seen = seen || is
	}
	return strings.Join(kept, "\n")
}
