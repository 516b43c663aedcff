package pulumi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// HomeFolder is the folder of a backend of Pulumi, beside the other objects of its target.
const HomeFolder = "pulumi"

// Objects are the objects of the store, by their keys.
type Objects interface {
	Open(ctx context.Context, key string) (io.ReadCloser, error) // ErrNotFound
	List(ctx context.Context, prefix string) ([]string, error)
	Delete(ctx context.Context, key string) error
}

// place is where the state of a target lies: in a backend that no other target uses. The zero
// place is a scratch state.
type place struct {
	url     string
	project string
	stack   string
	objects Objects // of the backend: their keys begin with .pulumi
	dir     string  // of a local backend; empty: it is a bucket
}

// placeOf is the place of the state of job's target. objects are those of the store, where it
// is a bucket.
func (e *Engine) placeOf(job pipeline.Job) (place, error) {
	p := place{project: string(job.Stack), stack: fmt.Sprintf("%s.%s", job.Customer.Name, job.Environment)}
	switch {
	case job.Backend.Zero():
		return p, nil
	case job.Backend.Path() != "":
		p.dir = filepath.Join(filepath.Dir(job.Backend.Path()), HomeFolder)
		p.objects, p.url = directory(p.dir), fileURL(p.dir)
		return p, nil
	case job.Backend.Type != pipeline.BackendS3 || job.Backend.Config["bucket"] == "" || e.options.Objects == nil:
		return p, pipeline.Usagef("the state of %s lies in the backend %s, and stacks of Pulumi keep theirs in the bucket or the directory of metapipe", job.Target(), job.Backend.Type).
			Nextf("remove state.backend from metapipe.yml, or use another tool for the stack %s", job.Stack)
	}
	query := url.Values{}
	for name, value := range map[string]string{"region": job.Backend.Config["region"], "kmskeyid": job.Backend.Config["kms_key_id"]} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if query.Set("ssetype", "AES256"); query.Has("kmskeyid") {
		query.Set("ssetype", "aws:kms")
	}
	endpoint := e.options.Environ.Get("AWS_ENDPOINT_URL_S3") + e.options.Environ.Get("AWS_ENDPOINT_URL")
	if endpoint != "" && !strings.Contains(endpoint, ".amazonaws.com") {
		query.Set("use_path_style", "true")
	}
	p.url = (&url.URL{Scheme: "s3", Host: job.Backend.Config["bucket"], Path: "/" + path.Join(path.Dir(job.Backend.Config["key"]), HomeFolder), RawQuery: query.Encode()}).String()
	p.objects = below{e.options.Objects, path.Join(job.Target().Folder(), HomeFolder) + "/"}
	return p, nil
}

// fileURL is the URL of a backend in a directory.
func fileURL(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// name is the stack as the CLI takes it.
func (p place) name() string { return fmt.Sprintf("organization/%s/%s", p.project, p.stack) }

func (p place) scratch() bool { return p.url == "" }

func (p place) stateKey() string { return fmt.Sprintf(".pulumi/stacks/%s/%s.json", p.project, p.stack) }

func (p place) lockPrefix() string { return fmt.Sprintf(".pulumi/locks/%s/", p.name()) }

// read returns the state as it lies in the backend; nil where there is none.
func (p place) read(ctx context.Context) ([]byte, error) {
	if p.scratch() {
		return nil, nil
	}
	for _, key := range []string{p.stateKey(), p.stateKey() + ".gz"} {
		content, err := readObject(ctx, p.objects, key, maxState)
		if errors.Is(err, pipeline.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the state %s: %w", key, err)
		}
		return content, nil
	}
	return nil, nil
}

func readObject(ctx context.Context, objects Objects, key string, limit int64) ([]byte, error) {
	r, err := objects.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err = errors.Join(err, r.Close()); err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return content, err
}

// locks are those on the state, by their ids.
func (p place) locks(ctx context.Context) ([]pipeline.Lock, error) {
	if p.scratch() {
		return nil, nil
	}
	keys, err := p.objects.List(ctx, p.lockPrefix())
	if err != nil {
		return nil, fmt.Errorf("look for locks: %w", err)
	}
	var locks []pipeline.Lock
	for _, key := range keys {
		id, isLock := strings.CutSuffix(strings.TrimPrefix(key, p.lockPrefix()), ".json")
		if !isLock || strings.Contains(id, "/") {
			continue
		}
		content, err := readObject(ctx, p.objects, key, maxLock)
		if errors.Is(err, pipeline.ErrNotFound) {
			continue // released since
		}
		if err != nil {
			return nil, fmt.Errorf("read the lock %s: %w", key, err)
		}
		locks = append(locks, parseLock(id, content))
	}
	return locks, nil
}

// maxLock bounds the record of a lock, in bytes.
const maxLock = 64 << 10

// parseLock reads the record of a lock. Who holds one that cannot be read is not known, and
// it is a lock all the same.
func parseLock(id string, content []byte) pipeline.Lock {
	lock := pipeline.Lock{ID: pipeline.PlainLine(id), Operation: "update"}
	var record struct {
		PID       int       `json:"pid"`
		Username  string    `json:"username"`
		Hostname  string    `json:"hostname"`
		Timestamp time.Time `json:"timestamp"`
	}
	if json.Unmarshal(content, &record) == nil && record.Hostname != "" {
		lock.Who = pipeline.PlainLine(record.Username + "@" + record.Hostname)
		lock.Created = record.Timestamp.UTC()
	}
	return lock
}

// holder is the process that has taken a lock in a directory; 0 where the record does not say it.
func (p place) holder(id string) int {
	content, err := readObject(context.Background(), p.objects, p.lockPrefix()+id+".json", maxLock)
	var record struct {
		PID int `json:"pid"`
	}
	if err != nil || json.Unmarshal(content, &record) != nil {
		return 0
	}
	return record.PID
}

// below are the objects under a prefix.
type below struct {
	Objects
	prefix string
}

func (b below) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	return b.Objects.Open(ctx, b.prefix+key)
}

func (b below) Delete(ctx context.Context, key string) error {
	return b.Objects.Delete(ctx, b.prefix+key)
}

func (b below) List(ctx context.Context, prefix string) ([]string, error) {
	keys, err := b.Objects.List(ctx, b.prefix+prefix)
	for i := range keys {
		keys[i] = strings.TrimPrefix(keys[i], b.prefix)
	}
	return keys, err
}

// directory are the files below a directory.
type directory string

func (d directory) Open(_ context.Context, key string) (io.ReadCloser, error) {
	name := filepath.Join(string(d), filepath.FromSlash(key))
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil, pipeline.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return os.Open(name)
}

func (d directory) Delete(_ context.Context, key string) error {
	return os.Remove(filepath.Join(string(d), filepath.FromSlash(key)))
}

func (d directory) List(_ context.Context, prefix string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(string(d), filepath.FromSlash(prefix)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var keys []string
	for _, entry := range entries {
		keys = append(keys, prefix+entry.Name())
	}
	slices.Sort(keys)
	return keys, err
}
