package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Open implements pipeline.Store. The reader fails when ctx is cancelled, when
// no byte comes for a minute, and at its end when the object does not have the
// checksum that it was stored with.
func (s *S3) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := errors.Join(ctx.Err(), s.checkKey(key)); err != nil {
		return nil, s.fail("open", key, err)
	}
	return s.open(ctx, key)
}

func (s *S3) open(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.openObject(ctx, key, &s3.GetObjectInput{Bucket: &s.options.Bucket, Key: s.object(key), ChecksumMode: types.ChecksumModeEnabled})
}

func (s *S3) openObject(ctx context.Context, key string, in *s3.GetObjectInput) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	// The answer has its own limit, and its body none in all: so this one ends
	// when the head is there.
	head := time.AfterFunc(callTimeout, func() { cancel(errStalled) })
	out, err := s.client.GetObject(ctx, in)
	head.Stop()
	if err != nil {
		err = s.fail("open", key, caused(ctx, err))
		cancel(nil)
		return nil, err
	}
	r := &s3Reader{ctx: ctx, cancel: cancel, body: out.Body, stall: s.stall, wrap: func(err error) error { return s.fail("read", key, err) }}
	r.watch = time.AfterFunc(s.stall, func() { cancel(fmt.Errorf("%w, for %s now", errStalled, s.stall)) })
	r.watch.Stop()
	return r, nil
}

// caused puts the reason of a cancelled context in the place of the bare fact.
func caused(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return cause
	}
	return err
}

// s3Reader reads one object; the SDK compares its checksum at the end.
type s3Reader struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	body   io.ReadCloser
	watch  *time.Timer // runs only while someone reads
	stall  time.Duration
	wrap   func(error) error
}

func (r *s3Reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, r.wrap(caused(r.ctx, err))
	}
	r.watch.Reset(r.stall)
	n, err := r.body.Read(p)
	r.watch.Stop()
	if err == nil || err == io.EOF { // bare: a wrapped one is a broken connection
		return n, err
	}
	return n, r.wrap(caused(r.ctx, err))
}

func (r *s3Reader) Close() error {
	r.watch.Stop()
	err := r.body.Close()
	r.cancel(nil)
	return r.wrap(err)
}
