package store

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Delete implements pipeline.Store.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), s.checkWritable(key)); err != nil {
		return s.fail("delete", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.options.Bucket, Key: s.object(key)})
	if errors.Is(s.cause(err), pipeline.ErrNotFound) {
		err = nil // S3 answers 204; some other servers do not
	}
	return s.fail("delete", key, err)
}

// RemoveState removes a state, which no other method changes. The caller has kept a copy,
// and a bucket with versioning keeps it, too.
func (s *S3) RemoveState(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), checkState(key), s.checkLength(key)); err != nil {
		return s.fail("remove", key, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.options.Bucket, Key: s.object(key)})
	if errors.Is(s.cause(err), pipeline.ErrNotFound) {
		err = nil // S3 answers 204; some other servers do not
	}
	return s.fail("remove", key, err)
}
