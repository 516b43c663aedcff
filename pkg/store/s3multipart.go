package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// partBuffers is how many parts are in memory: one is read while the others
	// are on their way.
	partBuffers = 4
	// abortTime bounds the cleaning up after a failed upload.
	abortTime = 20 * time.Second
)

// multipart writes a body of unknown length in parts.
func (w *s3Write) multipart(ctx context.Context, first []byte, body io.Reader) error {
	id, err := w.begin(ctx)
	if err != nil {
		return err
	}
	u := &upload{s3Write: w, id: id}
	err = u.parts(ctx, first, body)
	if err == nil {
		err = w.once(ctx, u.complete)
	}
	if err == nil {
		return nil
	}
	if abortErr := u.abort(ctx); abortErr != nil {
		err = errors.Join(w.cause(err), fmt.Errorf("the parts uploaded so far could not be removed (a lifecycle rule for incomplete multipart uploads does): %w", w.cause(abortErr)))
	}
	return err
}

func (w *s3Write) begin(ctx context.Context) (id *string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := w.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &w.options.Bucket, Key: w.key, ContentType: contentType(), Metadata: w.metadata(),
		// One checksum over the whole object, not a checksum of checksums: that can
		// be compared when the object is read.
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ChecksumType: types.ChecksumTypeFullObject,
		ServerSideEncryption: w.encryption(), SSEKMSKeyId: w.kmsKey(), BucketKeyEnabled: w.bucketKey(),
	})
	if err != nil {
		return nil, err
	}
	return out.UploadId, nil
}

// upload is a multipart upload on its way.
type upload struct {
	*s3Write
	id   *string
	size int64
	sum  uint32 // of all that was read

	mutex sync.Mutex
	sent  []types.CompletedPart // in order; without ETag while on the way
}

// parts reads and sends until the body ends. It returns the first error, of the
// body or of the server, when nothing is on its way any more.
func (u *upload) parts(ctx context.Context, first []byte, body io.Reader) error {
	group, sending := errgroup.WithContext(ctx)
	free := make(chan []byte, partBuffers)
	for range partBuffers - 1 {
		free <- nil
	}
	start := func(part []byte) error {
		number, err := u.add(part)
		if err != nil {
			return err
		}
		group.Go(func() error {
			err := u.send(sending, number, part)
			free <- part
			return err
		})
		return nil
	}
	err := readParts(sending, first, body, free, start)
	if err != nil && sending.Err() == nil {
		// The body broke. This is the first error, and ends what is on its way.
		group.Go(func() error { return err })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// readParts starts each part as soon as it is read, and reads the next one as
// soon as a buffer is free.
func readParts(ctx context.Context, part []byte, body io.Reader, free <-chan []byte, start func([]byte) error) error {
	for last := false; ; {
		if err := start(part); err != nil || last {
			return err
		}
		var buffer []byte
		select {
		case buffer = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if buffer == nil {
			buffer = make([]byte, 0, partSize) // grown bit by bit it would leave as much behind
		}
		var err error
		part, err = readPart(body, buffer)
		last = errors.Is(err, errLastPart)
		if err != nil && !last {
			return err
		}
		if len(part) == 0 {
			return nil
		}
	}
}

// add gives a part its number and takes it into the checksum of the whole.
func (u *upload) add(part []byte) (int32, error) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	number, err := partNumber(len(u.sent))
	if err != nil {
		return 0, err
	}
	u.size += int64(len(part))
	u.sum = crc32.Update(u.sum, crc32.IEEETable, part)
	u.sent = append(u.sent, types.CompletedPart{PartNumber: &number, ChecksumCRC32: checksum(crc32.ChecksumIEEE(part))})
	return number, nil
}

func (u *upload) send(ctx context.Context, number int32, part []byte) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := u.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &u.options.Bucket, Key: u.key, UploadId: u.id, PartNumber: &number,
		Body: bytes.NewReader(part), ContentLength: aws.Int64(int64(len(part))),
		ChecksumCRC32: checksum(crc32.ChecksumIEEE(part)),
	})
	if err != nil {
		return fmt.Errorf("part %d: %w", number, u.cause(err))
	}
	u.mutex.Lock()
	defer u.mutex.Unlock()
	u.sent[number-1].ETag = out.ETag
	return nil
}

// complete makes the object out of its parts. The server refuses when they do
// not add up to what was read.
func (u *upload) complete(ctx context.Context) error {
	_, err := u.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.options.Bucket, Key: u.key, UploadId: u.id, IfNoneMatch: aws.String("*"),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.sent}, MpuObjectSize: &u.size,
		ChecksumCRC32: checksum(u.sum), ChecksumType: types.ChecksumTypeFullObject,
	}, u.noteRetries)
	return err
}

// abort removes what was uploaded, also when the reason was a cancelled context.
func (u *upload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
	defer cancel()
	_, err := u.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.options.Bucket, Key: u.key, UploadId: u.id})
	if errorCode(err) == codeNoUpload {
		return nil
	}
	return err
}
