package pipelinetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Memory is a store that holds many objects and counts what is asked of it as a bucket
// bills it: one for each object, and one for each page of a list.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	keys    []string // in ascending order while sorted
	sorted  bool
	// Asked are the questions and Listed the keys that lists returned.
	Asked, Listed int
}

// NewMemory is an empty store.
func NewMemory() *Memory { return &Memory{objects: map[string][]byte{}} }

// keysOfAPage is how many keys S3 returns at once.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
const keysOfAPage = 1000

func pages(keys int) int { return max(1, (keys+keysOfAPage-1)/keysOfAPage) }

// Create implements pipeline.Store.
func (m *Memory) Create(ctx context.Context, key string, body io.Reader) error {
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Asked++
	if _, taken := m.objects[key]; taken {
		return fmt.Errorf("create %q: %w", key, pipeline.ErrExists)
	}
	m.objects[key] = b
	if m.sorted {
		at, _ := slices.BinarySearch(m.keys, key)
		m.keys = slices.Insert(m.keys, at, key)
	} else { // many are created before the first list
		m.keys = append(m.keys, key)
	}
	return ctx.Err()
}

// Open implements pipeline.Store.
func (m *Memory) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Asked++
	b, there := m.objects[key]
	if !there {
		return nil, fmt.Errorf("open %q: %w", key, pipeline.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(b)), ctx.Err()
}

// Delete implements pipeline.Store.
func (m *Memory) Delete(ctx context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Asked++
	if _, there := m.objects[key]; there {
		delete(m.objects, key)
		m.keys = slices.DeleteFunc(m.keys, func(k string) bool { return k == key })
	}
	return ctx.Err()
}

// List implements pipeline.Store.
func (m *Memory) List(ctx context.Context, prefix string) ([]string, error) {
	return m.ListAfter(ctx, prefix, "")
}

// ListAfter implements pipeline.Store.
func (m *Memory) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := m.below(prefix, after)
	m.Asked, m.Listed = m.Asked+pages(len(keys)), m.Listed+len(keys)
	return slices.Clone(keys), ctx.Err()
}

// First implements pipeline.Store.
func (m *Memory) First(ctx context.Context, prefix string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := m.below(prefix, "")
	m.Asked++
	if len(keys) == 0 {
		return "", ctx.Err()
	}
	m.Listed++
	return keys[0], ctx.Err()
}

// Folders implements pipeline.Store.
func (m *Memory) Folders(ctx context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var folders []string
	for keys := m.below(prefix, ""); len(keys) > 0; {
		folder, _, inside := strings.Cut(strings.TrimPrefix(keys[0], prefix), "/")
		if !inside {
			keys = keys[1:]
			continue
		}
		folders = append(folders, folder+"/")
		next, _ := slices.BinarySearch(keys, prefix+folder+"0") // the character behind the slash
		keys = keys[next:]
	}
	m.Asked, m.Listed = m.Asked+pages(len(folders)), m.Listed+len(folders)
	return folders, ctx.Err()
}

// below are the keys under a prefix behind a key.
func (m *Memory) below(prefix, after string) []string {
	if !m.sorted {
		slices.Sort(m.keys)
		m.sorted = true
	}
	first, _ := slices.BinarySearch(m.keys, max(prefix, after))
	keys := m.keys[first:]
	if len(keys) > 0 && keys[0] == after {
		keys = keys[1:]
	}
	end := len(keys)
	for low := 0; low < end; { // the first key behind those with the prefix
		if mid := (low + end) / 2; strings.HasPrefix(keys[mid], prefix) {
			low = mid + 1
		} else {
			end = mid
		}
	}
	return keys[:end]
}

// Each calls visit for every object.
func (m *Memory) Each(visit func(key string, content []byte) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, content := range m.objects {
		if err := visit(key, content); err != nil {
			return err
		}
	}
	return nil
}
