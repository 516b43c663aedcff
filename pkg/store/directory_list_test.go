package store_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/store"
)

// TestListAfterInADirectory compares lists with what they are by definition, over names whose
// byte order is not that of their folders.
func TestListAfterInADirectory(t *testing.T) {
	t.Parallel()
	d, err := store.NewDirectory(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same cases in each run
	names := []string{"a", "a-b", "a.b", "a0", "ab", "b", "aa"}
	pick := func(depth int) string {
		var parts []string
		for range depth {
			parts = append(parts, names[random.IntN(len(names))])
		}
		return strings.Join(parts, "/")
	}
	var keys []string
	for range 120 {
		key := pick(2+random.IntN(3)) + "/o" // a folder is no object
		if d.Create(t.Context(), key, strings.NewReader("x")) == nil {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for range 3000 {
		prefix, after := pick(random.IntN(4)), pick(random.IntN(5))
		switch random.IntN(3) {
		case 0:
			prefix += "/"
		case 1:
			after += "/o"
		}
		if prefix == "/" {
			prefix = ""
		}
		want := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.HasPrefix(key, prefix) || key <= after })
		got, err := d.ListAfter(t.Context(), prefix, after)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("prefix %q, after %q: %v\n got %v\nwant %v", prefix, after, err, got, want)
		}
	}
}
