package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// A plan and an apply keep what they printed beside the plan, sealed, since the log
// of a run is gone with the run and a failed apply is looked into later. It is
// what the live log is, after the same redaction and the same masks.

const (
	ObjectPlanLog = "plan-log.sealed"
	LogSuffix     = "-log.sealed"
	// logPart is how much is kept of the beginning of a log and of its end, in bytes.
	logPart = 512 << 10
)

// ApplyLog is the name of the sealed log of apply attempt n.
func ApplyLog(n int) string { return fmt.Sprintf("%s%010d%s", applyPrefix, n, LogSuffix) }

// logBinding ties a log to its place. A plan that failed has no receipt to tie it to.
func logBinding(t pipeline.Target, key string) pipeline.Binding {
	return pipeline.Binding{Target: t, Data: []byte("metapipe log\x00" + key)}
}

// jobLog keeps the beginning and the end of what is written to it.
type jobLog struct {
	mu         sync.Mutex
	head, tail []byte
	dropped    int
}

func (l *jobLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	room := min(logPart-len(l.head), len(p))
	l.head = append(l.head, p[:room]...)
	l.tail = append(l.tail, p[room:]...)
	if over := len(l.tail) - logPart; over > logPart { // not for every line
		l.dropped += over
		l.tail = append([]byte(nil), l.tail[over:]...)
	}
	return len(p), nil
}

// Close ends what stands in front of a log without a mask.
func (l *jobLog) Close() error { return nil }

func (l *jobLog) content() io.Reader {
	l.mu.Lock()
	defer l.mu.Unlock()
	tail, dropped := l.tail, l.dropped
	if over := len(tail) - logPart; over > 0 {
		tail, dropped = tail[over:], dropped+over
	}
	gap := ""
	if dropped > 0 {
		gap = fmt.Sprintf("\n[%d bytes are left out here]\n", dropped)
	}
	return io.MultiReader(bytes.NewReader(l.head), strings.NewReader(gap), bytes.NewReader(tail))
}

// recording copies the log of a job while it is printed.
type recording struct {
	log    *jobLog
	masked io.WriteCloser
	live   io.Writer
}

// RecordJob makes in print to its log and to a recording.
func RecordJob(in *pipeline.TargetInput) recording {
	r := recording{log: &jobLog{}, live: in.LogOrDiscard()}
	r.masked = r.log
	if in.Mask != nil {
		r.masked = in.Mask(r.log)
	}
	in.Log = io.MultiWriter(r.masked, r.live)
	return r
}

// Keep seals the recording into the store. What fails here is reported in the live log
// and changes nothing about how the job ended.
func (r recording) Keep(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, in pipeline.TargetInput, key string) {
	err := r.masked.Close()
	if err == nil {
		err = SealInto(ctx, s, sealer, key, logBinding(in.Target(), key), r.log.content())
	}
	if err != nil {
		fmt.Fprintf(r.live, "this log could not be kept in the store: %v\n", err)
	}
}

// KeptLog is what one plan or apply has printed.
type KeptLog struct {
	Command string `json:"command"`
	Attempt int    `json:"attempt"` // of this command for this request, from 1
	Text    string `json:"text"`
}

// KeptLogs returns what the plans and then what the applies of a request's target
// have printed, the oldest first; ErrNotFound when nothing is kept.
func KeptLogs(ctx context.Context, s pipeline.Store, sealer pipeline.Sealer, t pipeline.Target, id pipeline.RequestID) ([]KeptLog, error) {
	keys, err := s.List(ctx, PlansPrefix(t, id))
	if err != nil {
		return nil, fmt.Errorf("look for the logs of request %s for %s: %w", id.Short(), t, err)
	}
	var plans, applies []KeptLog
	for _, key := range keys {
		name := path.Base(key)
		if !strings.HasSuffix(name, LogSuffix) {
			continue
		}
		text, err := UnsealBytes(ctx, s, sealer, key, logBinding(t, key))
		switch {
		case errors.Is(err, pipeline.ErrNotFound): // its time has come meanwhile
		case err != nil:
			return nil, TamperedOr(err, fmt.Sprintf("the log of request %s for %s", id.Short(), t))
		case name == ObjectPlanLog:
			plans = append(plans, KeptLog{Command: "plan", Attempt: len(plans) + 1, Text: string(text)})
		default:
			applies = append(applies, KeptLog{Command: "apply", Attempt: len(applies) + 1, Text: string(text)})
		}
	}
	if len(plans)+len(applies) == 0 {
		return nil, fmt.Errorf("logs of request %s for %s: %w", id.Short(), t, pipeline.ErrNotFound)
	}
	return append(plans, applies...), nil
}

// LoggedRequest is the request that the log with this key belongs to; false where the
// key is not that of a log of the target.
func LoggedRequest(t pipeline.Target, key string) (pipeline.RequestID, bool) {
	rest, ok := strings.CutPrefix(key, fmt.Sprintf("%s/plans/", t.Folder()))
	name, _, _ := strings.Cut(rest, "/")
	id, err := pipeline.ParseRequestID(name)
	return id, ok && err == nil && strings.HasSuffix(key, LogSuffix)
}
