package store

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// errPartOfList is the error about a list of which a part is missing. What is missing would
// count as not there: a plan, a lock or the record of an apply.
var errPartOfList = errors.New("the server gave a part of the list and does not say how it goes on; nothing is concluded from a part")

// pages calls each for the pages of a list, and fails unless the last of them says that it
// is the last. The paginators of the SDK take a page without a usable token for the last.
func (s *S3) pages(ctx context.Context, input *s3.ListObjectsV2Input, each func(*s3.ListObjectsV2Output) error) error {
	seen := map[string]bool{}
	for {
		page, err := s.page(ctx, input)
		if err != nil {
			return err
		}
		if err := each(page); err != nil {
			return err
		}
		if page.IsTruncated != nil && !*page.IsTruncated {
			return nil
		}
		next := aws.ToString(page.NextContinuationToken)
		if next == "" || seen[next] {
			return errPartOfList
		}
		seen[next], input.ContinuationToken = true, &next
	}
}

func (s *S3) page(ctx context.Context, input *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.client.ListObjectsV2(ctx, input)
}

// versionPages is pages for the versions of objects.
func (s *S3) versionPages(ctx context.Context, input *s3.ListObjectVersionsInput, each func(*s3.ListObjectVersionsOutput)) error {
	seen := map[string]bool{}
	for {
		page, err := s.versionsPage(ctx, input)
		if err != nil {
			return err
		}
		each(page)
		if page.IsTruncated != nil && !*page.IsTruncated {
			return nil
		}
		next := aws.ToString(page.NextKeyMarker) + "\x00" + aws.ToString(page.NextVersionIdMarker)
		if aws.ToString(page.NextKeyMarker) == "" || seen[next] {
			return errPartOfList
		}
		seen[next], input.KeyMarker, input.VersionIdMarker = true, page.NextKeyMarker, page.NextVersionIdMarker
	}
}

func (s *S3) versionsPage(ctx context.Context, input *s3.ListObjectVersionsInput) (*s3.ListObjectVersionsOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.client.ListObjectVersions(ctx, input)
}

// listInput asks for the objects under a prefix. Their keys come encoded, since someone's
// key may hold a character that XML cannot.
func (s *S3) listInput(prefix string) *s3.ListObjectsV2Input {
	return &s3.ListObjectsV2Input{Bucket: &s.options.Bucket, Prefix: aws.String(s.prefix + prefix), EncodingType: types.EncodingTypeUrl}
}

// listed is the key of a listed object without the prefix of the store; ours is false for
// one that is not of this store.
func (s *S3) listed(object types.Object, encoding types.EncodingType) (key string, ours bool, err error) {
	key, err = decodeListed(aws.ToString(object.Key), encoding)
	if err != nil {
		return "", false, err
	}
	key, ours = strings.CutPrefix(key, s.prefix)
	return key, ours && CheckKey(key) == nil, nil
}
