package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Version is one version of an object that a bucket has kept.
type Version struct {
	ID      string // as the bucket names it; "null" for what was written without versioning
	Size    int64  // bytes
	Changed time.Time
	Latest  bool // no newer version and no deletion follows it
}

// Versions returns the versions of one object, the newest first, without the marks of
// deletions. A bucket without versioning has kept at most one.
func (s *S3) Versions(ctx context.Context, key string) ([]Version, error) {
	if err := errors.Join(ctx.Err(), s.checkKey(key)); err != nil {
		return nil, s.fail("list the versions of", key, err)
	}
	var all []Version
	input := &s3.ListObjectVersionsInput{Bucket: &s.options.Bucket, Prefix: s.object(key)}
	err := s.versionPages(ctx, input, func(page *s3.ListObjectVersionsOutput) {
		for _, v := range page.Versions {
			if aws.ToString(v.Key) == aws.ToString(s.object(key)) { // else a longer one
				all = append(all, Version{ID: aws.ToString(v.VersionId), Size: aws.ToInt64(v.Size), Changed: aws.ToTime(v.LastModified).UTC(), Latest: aws.ToBool(v.IsLatest)})
			}
		}
	})
	if err != nil {
		return nil, s.fail("list the versions of", key, err)
	}
	slices.SortStableFunc(all, func(a, b Version) int { return b.Changed.Compare(a.Changed) })
	return all, nil
}

// OpenVersion is Open for one version of an object.
func (s *S3) OpenVersion(ctx context.Context, key, id string) (io.ReadCloser, error) {
	if err := errors.Join(ctx.Err(), s.checkKey(key)); err != nil {
		return nil, s.fail("open", key, err)
	}
	if id == "" {
		return nil, s.fail("open", key, fmt.Errorf("no version is named"))
	}
	return s.openObject(ctx, key, &s3.GetObjectInput{Bucket: &s.options.Bucket, Key: s.object(key), VersionId: &id, ChecksumMode: types.ChecksumModeEnabled})
}
