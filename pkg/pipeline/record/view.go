package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// View is a store as one command sees it: each list and each small object is read once. A
// command that decides on what it read before needs no second look. What must be seen as it
// is now, such as a newer request or the number that is free next, is read from the store
// itself. Write through the store, too: a view does not notice what others write.
type View struct {
	pipeline.Store
	mu      sync.Mutex
	lists   map[question][]string
	objects *objects
}

// objects are those that were read, by key. They are written once, so they stay as they were.
type objects struct {
	mu   sync.Mutex
	read map[string][]byte
}

// question is what a list is asked for.
type question struct {
	prefix, after  string
	folders, first bool
}

// NewView returns a view of s that has seen nothing yet.
func NewView(s pipeline.Store) *View {
	return &View{Store: s, lists: map[question][]string{}, objects: &objects{read: map[string][]byte{}}}
}

// Now is a view of the store as it is from now on: it asks for each list again, and knows the
// objects that v has read.
func (v *View) Now() *View {
	return &View{Store: v.Store, lists: map[question][]string{}, objects: v.objects}
}

// maxViewed is the size of the largest object that a view keeps: far more than a record has,
// unless a large plan is attached to it.
const maxViewed = 512 << 10

// Open implements pipeline.Store. A missing object is asked for again, unless a list has
// shown that nothing begins with a folder of its key.
func (v *View) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	v.objects.mu.Lock()
	b, seen := v.objects.read[key]
	v.objects.mu.Unlock()
	if seen {
		return io.NopCloser(bytes.NewReader(b)), ctx.Err()
	}
	v.mu.Lock()
	empty := v.empty(key)
	v.mu.Unlock()
	if empty {
		return nil, errors.Join(fmt.Errorf("open %q: %w", key, pipeline.ErrNotFound), ctx.Err())
	}
	r, err := v.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	b, err = io.ReadAll(io.LimitReader(r, maxViewed+1))
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if len(b) > maxViewed {
		return readCloser{io.MultiReader(bytes.NewReader(b), r), r}, nil
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	v.objects.mu.Lock()
	v.objects.read[key] = b
	v.objects.mu.Unlock()
	return io.NopCloser(bytes.NewReader(b)), nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// List implements pipeline.Store.
func (v *View) List(ctx context.Context, prefix string) ([]string, error) {
	return v.listed(question{prefix: prefix}, func() ([]string, error) { return v.Store.List(ctx, prefix) })
}

// ListAfter implements pipeline.Store.
func (v *View) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	return v.listed(question{prefix: prefix, after: after}, func() ([]string, error) { return v.Store.ListAfter(ctx, prefix, after) })
}

// First implements pipeline.Store.
func (v *View) First(ctx context.Context, prefix string) (string, error) {
	keys, err := v.listed(question{prefix: prefix, first: true}, func() ([]string, error) {
		key, err := v.Store.First(ctx, prefix)
		if key == "" {
			return nil, err
		}
		return []string{key}, err
	})
	if err != nil || len(keys) == 0 {
		return "", err
	}
	return keys[0], nil
}

// Folders implements pipeline.Store.
func (v *View) Folders(ctx context.Context, prefix string) ([]string, error) {
	return v.listed(question{prefix: prefix, folders: true}, func() ([]string, error) { return v.Store.Folders(ctx, prefix) })
}

// listed answers a question that was asked before as it was answered then.
func (v *View) listed(q question, ask func() ([]string, error)) ([]string, error) {
	v.mu.Lock()
	known, seen := v.lists[q]
	seen = seen || v.empty(q.prefix)
	if !seen {
		known, seen = v.within(q)
	}
	v.mu.Unlock()
	if seen {
		return slices.Clone(known), nil
	}
	answer, err := ask()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	v.lists[q] = slices.Clone(answer)
	v.mu.Unlock()
	return answer, nil
}

// within answers a question from the list of a folder that the prefix leads through.
func (v *View) within(q question) (answer []string, seen bool) {
	for at := 0; !seen; {
		slash := strings.Index(q.prefix[at:], "/")
		if slash < 0 {
			return nil, false
		}
		at += slash + 1
		answer, seen = v.lists[question{prefix: q.prefix[:at]}]
	}
	first := sort.Search(len(answer), func(i int) bool { return answer[i] >= q.prefix && answer[i] > q.after }) // in ascending order
	answer = answer[first:]
	answer = slices.Clone(answer[:sort.Search(len(answer), func(i int) bool { return !strings.HasPrefix(answer[i], q.prefix) })])
	if !q.folders {
		return answer, true
	}
	var folders []string
	for _, key := range answer {
		if folder, _, inside := strings.Cut(strings.TrimPrefix(key, q.prefix), "/"); inside && !slices.Contains(folders, folder+"/") {
			folders = append(folders, folder+"/")
		}
	}
	return folders, true
}

// empty reports whether nothing begins with prefix, since a folder that it leads through was
// not in the list of the folders there.
func (v *View) empty(prefix string) bool {
	for at := 0; ; {
		folders, seen := v.lists[question{prefix: prefix[:at], folders: true}]
		slash := strings.Index(prefix[at:], "/")
		if slash < 0 {
			return false
		}
		if seen && !slices.Contains(folders, prefix[at:at+slash+1]) {
			return true
		}
		at += slash + 1
	}
}

// Create implements pipeline.Store, and forgets the lists that the object belongs to.
func (v *View) Create(ctx context.Context, key string, body io.Reader) error {
	defer v.forget(key)
	return v.Store.Create(ctx, key, body)
}

// Delete implements pipeline.Store, and forgets the object with the lists that it was in.
func (v *View) Delete(ctx context.Context, key string) error {
	defer v.forget(key)
	return v.Store.Delete(ctx, key)
}

func (v *View) forget(key string) {
	v.objects.mu.Lock()
	delete(v.objects.read, key)
	v.objects.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	for q := range v.lists {
		if strings.HasPrefix(key, q.prefix) {
			delete(v.lists, q)
		}
	}
}
