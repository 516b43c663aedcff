package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Described is what a store knows of an object without opening it.
type Described struct {
	Key     string
	Size    int64 // bytes
	Changed time.Time
}

// Describe lists the objects under prefix with their size and time, in the order
// of their keys. The tool's own state files, and its locks, are among them.
func (d *Directory) Describe(ctx context.Context, prefix string) ([]Described, error) {
	if toolFile(prefix) { // List has regular files only
		r, err := d.Open(ctx, prefix)
		if err == nil {
			err = r.Close()
		}
		if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
			return nil, err
		}
	}
	keys, err := d.List(ctx, prefix)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, d.fail("list", prefix, err)
	}
	defer root.Close()
	var all []Described
	for _, key := range keys {
		info, err := root.Stat(key)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since
		}
		if err != nil {
			return nil, d.fail("list", key, err)
		}
		all = append(all, Described{Key: key, Size: info.Size(), Changed: info.ModTime().UTC()})
	}
	return all, nil
}

// Describe lists the objects under prefix with their size and time, in the order
// of their keys. The tool's own state files, and its locks, are among them.
func (s *S3) Describe(ctx context.Context, prefix string) ([]Described, error) {
	if _, err := checkPrefix(prefix); err != nil {
		return nil, s.fail("list", prefix, err)
	}
	var all []Described
	err := s.pages(ctx, s.listInput(prefix), func(page *s3.ListObjectsV2Output) error {
		for _, object := range page.Contents {
			key, ours, err := s.listed(object, page.EncodingType)
			if err != nil {
				return err
			}
			if ours {
				all = append(all, Described{Key: key, Size: aws.ToInt64(object.Size), Changed: aws.ToTime(object.LastModified).UTC()})
			}
		}
		return nil
	})
	if err != nil {
		return nil, s.fail("list", prefix, err)
	}
	slices.SortFunc(all, func(a, b Described) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}
