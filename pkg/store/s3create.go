package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	mathrand "math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	// partSize is what is held of a body at once. Smaller objects are one request.
	partSize = 8 << 20
	// firstRead is what a body gets before it has shown to be larger.
	firstRead = 16 << 10
	// conflictTime bounds the retries of a write that meets another one.
	conflictTime = 30 * time.Second
	// writerName is the metadata by which a write knows its own object again.
	writerName = "metapipe-writer"
)

// Create implements pipeline.Store. An object of up to 8 MiB is one request, a
// larger one a multipart upload that holds at most four parts in memory. Both
// end in a request with If-None-Match, so that of many writers one wins, and
// nothing is seen of an object before it is whole. A failed upload is aborted;
// where even that fails, its parts stay until a lifecycle rule removes them.
//
// Every request carries a CRC-32 that the server checks and keeps.
func (s *S3) Create(ctx context.Context, key string, body io.Reader) error {
	return s.createChecked(ctx, key, body, s.checkWritable(key))
}

// PutBack creates a state that RemoveState has removed. It is pipeline.ErrExists where
// there is one again.
func (s *S3) PutBack(ctx context.Context, key string, body io.Reader) error {
	return s.createChecked(ctx, key, body, errors.Join(checkState(key), s.checkLength(key)))
}

func (s *S3) createChecked(ctx context.Context, key string, body io.Reader, check error) error {
	if err := errors.Join(ctx.Err(), check); err != nil {
		return s.fail("create", key, err)
	}
	w := &s3Write{S3: s, key: s.object(key), token: rand.Text()}
	return s.fail("create", key, w.write(ctx, &bodyReader{ctx: ctx, body: body}))
}

// s3Write is the creation of one object.
type s3Write struct {
	*S3
	key   *string
	token string
	// outcomeUnknown is set when a request was sent again, so that the server may have
	// obeyed one whose answer was lost.
	outcomeUnknown atomic.Bool
}

func (w *s3Write) write(ctx context.Context, body io.Reader) error {
	first, err := readPart(body, nil)
	switch {
	case errors.Is(err, errLastPart):
		return w.whole(ctx, first)
	case err != nil:
		return err
	}
	return w.multipart(ctx, first, body)
}

// errLastPart is what readPart returns beside the last part of a body.
var errLastPart = errors.New("the last part")

// readPart reads up to partSize bytes into the memory of buffer, which grows as
// needed. A part that is not full is the last one, and may be empty.
func readPart(body io.Reader, buffer []byte) ([]byte, error) {
	buffer = buffer[:0]
	for len(buffer) < partSize {
		if len(buffer) == cap(buffer) {
			buffer = slices.Grow(buffer, len(buffer)+firstRead) // more, the more there is
		}
		n, err := body.Read(buffer[len(buffer):min(cap(buffer), partSize)])
		buffer = buffer[:len(buffer)+n]
		if err == io.EOF { // bare: a wrapped one is a body that broke
			return buffer, errLastPart
		}
		if err != nil {
			return nil, err
		}
	}
	return buffer, nil
}

func (w *s3Write) whole(ctx context.Context, content []byte) error {
	return w.once(ctx, func(ctx context.Context) error {
		_, err := w.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &w.options.Bucket, Key: w.key, IfNoneMatch: aws.String("*"),
			Body: bytes.NewReader(content), ContentLength: aws.Int64(int64(len(content))),
			ChecksumCRC32: checksum(crc32.ChecksumIEEE(content)), ContentType: contentType(), Metadata: w.metadata(),
			ServerSideEncryption: w.encryption(), SSEKMSKeyId: w.kmsKey(), BucketKeyEnabled: w.bucketKey(),
		}, w.noteRetries)
		return err
	})
}

// once sends a conditional write until it is decided. S3 answers 409 to one that
// meets another write, or a deletion, of the same key.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (w *s3Write) once(ctx context.Context, send func(context.Context) error) error {
	deadline := time.Now().Add(conflictTime)
	for try := 0; ; try++ {
		callCtx, cancel := context.WithTimeout(ctx, callTimeout)
		err := send(callCtx)
		cancel()
		if code := errorCode(err); code != codeConflict && code != codeAborted || time.Now().After(deadline) {
			return w.resolveConflict(ctx, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(conflictPause(try)):
		}
	}
}

// conflictPause is 10 to 20 ms at first and up to 1 s later, at random, so that
// writers which met once do not meet again.
func conflictPause(try int) time.Duration {
	most := min(20*time.Millisecond<<min(try, 10), time.Second)
	return most/2 + time.Duration(mathrand.Int64N(int64(most/2)))
}

// resolveConflict finds out whose object is in the way, where it may be our own: the
// answer to a request can be lost, and the SDK sends it again.
func (w *s3Write) resolveConflict(ctx context.Context, err error) error {
	code := errorCode(err)
	if !w.outcomeUnknown.Load() || (code != codePrecondition && code != codeNoUpload) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, headErr := w.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &w.options.Bucket, Key: w.key})
	switch {
	case headErr == nil && out.Metadata[writerName] == w.token:
		return nil
	case headErr == nil && code == codePrecondition, errors.Is(w.cause(headErr), pipeline.ErrNotFound):
		return err
	case headErr == nil:
		return pipeline.ErrExists
	}
	// Not ErrExists: that would say that someone else was first.
	return fmt.Errorf("an answer of the server was lost, so it is unknown whether the object was written: %w", w.cause(headErr))
}

// noteRetries marks the write as unsure from the second attempt of a call on.
func (w *s3Write) noteRetries(o *s3.Options) {
	o.Interceptors.AddBeforeAttempt(&attempts{outcomeUnknown: &w.outcomeUnknown})
}

type attempts struct {
	count          atomic.Int32
	outcomeUnknown *atomic.Bool
}

// BeforeAttempt implements smithyhttp.BeforeAttemptInterceptor.
func (a *attempts) BeforeAttempt(context.Context, *smithyhttp.InterceptorContext) error {
	if a.count.Add(1) > 1 {
		a.outcomeUnknown.Store(true)
	}
	return nil
}

func (w *s3Write) metadata() map[string]string { return map[string]string{writerName: w.token} }

func contentType() *string { return aws.String("application/octet-stream") }

func (w *s3Write) encryption() types.ServerSideEncryption {
	return types.ServerSideEncryption(w.options.Encryption)
}

func (w *s3Write) kmsKey() *string {
	if w.options.KMSKeyID == "" {
		return nil
	}
	return &w.options.KMSKeyID
}

// bucketKey spares most calls of KMS, which cost money and are limited.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
func (w *s3Write) bucketKey() *bool {
	if w.options.Encryption != EncryptionKMS {
		return nil
	}
	return aws.Bool(true)
}

// checksum is a CRC-32 as S3 writes it: base64 of four bytes, the highest first.
func checksum(sum uint32) *string {
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)))
}

// maxParts is the limit of S3; with partSize it makes 78 GiB.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const maxParts = 10_000

// partNumber is the number of a part as S3 counts, from 1.
func partNumber(done int) (int32, error) {
	if done >= maxParts || done >= math.MaxInt32 {
		return 0, fmt.Errorf("the object has more than %d parts of %d MiB, which is the limit", maxParts, partSize>>20)
	}
	return int32(done + 1), nil
}
