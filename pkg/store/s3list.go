package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// List implements pipeline.Store. A prefix need not end at a slash. Objects
// whose key is not a valid one are left out, such as the empty ones that stand
// for folders; the tool's own state files are in the list.
func (s *S3) List(ctx context.Context, prefix string) ([]string, error) {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter implements pipeline.Store.
func (s *S3) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	if _, err := checkPrefix(prefix); err != nil {
		return nil, s.fail("list", prefix, err)
	}
	keys, err := s.list(ctx, prefix, after)
	if err != nil {
		return nil, s.fail("list", prefix, err)
	}
	// S3 answers in this order; directory buckets and some other servers do not.
	slices.Sort(keys)
	return keys, nil
}

// firstPage is how many keys First asks for: a server that does not list in order shows it there.
const firstPage = 10

// First implements pipeline.Store. Of a server that does not list in order it asks for the whole
// list. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s *S3) First(ctx context.Context, prefix string) (string, error) {
	if _, err := checkPrefix(prefix); err != nil {
		return "", s.fail("list", prefix, err)
	}
	input := s.listInput(prefix)
	input.MaxKeys = aws.Int32(firstPage)
	first, last, enough, unordered := "", "", errors.New("found"), errors.New("not in order")
	err := s.pages(ctx, input, func(page *s3.ListObjectsV2Output) error {
		for _, object := range page.Contents {
			key, ours, err := s.listed(object, page.EncodingType)
			switch {
			case err != nil:
				return err
			case key < last:
				return unordered
			case ours && strings.HasPrefix(key, prefix) && first == "":
				first = key
			}
			last = key
		}
		if first != "" {
			return enough
		}
		return nil
	})
	switch {
	case errors.Is(err, unordered):
		keys, err := s.List(ctx, prefix)
		if err != nil || len(keys) == 0 {
			return "", err
		}
		return keys[0], nil
	case err != nil && !errors.Is(err, enough):
		return "", s.fail("list", prefix, err)
	}
	return first, nil
}

// Folders implements pipeline.Store.
func (s *S3) Folders(ctx context.Context, prefix string) ([]string, error) {
	if _, err := checkPrefix(prefix); err != nil {
		return nil, s.fail("list", prefix, err)
	}
	input := s.listInput(prefix)
	input.Delimiter = aws.String("/")
	var folders []string
	err := s.pages(ctx, input, func(page *s3.ListObjectsV2Output) error {
		for _, common := range page.CommonPrefixes {
			folder, err := decodeListed(aws.ToString(common.Prefix), page.EncodingType)
			if err != nil {
				return err
			}
			folder, ours := strings.CutPrefix(folder, s.prefix+prefix)
			if ours && CheckKey(prefix+folder+"x") == nil {
				folders = append(folders, folder)
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.fail("list", prefix, err)
	}
	slices.Sort(folders)
	return slices.Compact(folders), nil
}

func (s *S3) list(ctx context.Context, prefix, after string) ([]string, error) {
	var keys []string
	input := s.listInput(prefix)
	if after != "" {
		input.StartAfter = aws.String(s.prefix + after)
	}
	err := s.pages(ctx, input, func(page *s3.ListObjectsV2Output) error {
		for _, object := range page.Contents {
			key, ours, err := s.listed(object, page.EncodingType)
			if err != nil {
				return err
			}
			if ours && strings.HasPrefix(key, prefix) && key > after {
				keys = append(keys, key)
			}
		}
		return nil
	})
	return keys, err
}

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

// decodeListed returns a key as it was stored. Servers that do not know the
// encoding leave it out and say so.
func decodeListed(key string, encoding types.EncodingType) (string, error) {
	if encoding != types.EncodingTypeUrl {
		return key, nil
	}
	decoded, err := url.QueryUnescape(key)
	if err != nil {
		return "", fmt.Errorf("the server listed a key that cannot be decoded: %w", err)
	}
	return decoded, nil
}
