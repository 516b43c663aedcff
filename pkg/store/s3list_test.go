package store_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/store"
)

// listPage is an answer to a list with these keys; more is what follows them.
func listPage(keys []string, more string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>tf-state</Name><EncodingType>url</EncodingType>`)
	for _, key := range keys {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>1</Size></Contents>", key)
	}
	return b.String() + more + "</ListBucketResult>"
}

func versionsPage(keys []string, more string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>tf-state</Name>`)
	for i, key := range keys {
		fmt.Fprintf(&b, "<Version><Key>%s</Key><VersionId>v%d</VersionId><LastModified>2026-01-02T03:04:05.000Z</LastModified><Size>1</Size></Version>", key, i)
	}
	return b.String() + more + "</ListVersionsResult>"
}

// TestListsInPages: a list of more than a thousand keys is read to its end, and a part of
// one is an error: what is missing would count as not there.
func TestListsInPages(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range 2500 {
		keys = append(keys, fmt.Sprintf("shop/plans/%04d", i))
	}
	on := func(token string) string {
		return "<IsTruncated>true</IsTruncated><NextContinuationToken>" + token + "</NextContinuationToken>"
	}
	const end = "<IsTruncated>false</IsTruncated>"
	for name, c := range map[string]struct {
		pages map[string]string // by token
		want  int               // -1: an error
	}{
		"three pages":              {map[string]string{"": listPage(keys[:1000], on("a")), "a": listPage(keys[1000:2000], on("b")), "b": listPage(keys[2000:], end)}, 2500},
		"an empty page between":    {map[string]string{"": listPage(keys[:10], on("a")), "a": listPage(nil, on("b")), "b": listPage(keys[10:20], end)}, 20},
		"empty":                    {map[string]string{"": listPage(nil, end)}, 0},
		"no token":                 {map[string]string{"": listPage(keys[:1000], "<IsTruncated>true</IsTruncated>")}, -1},
		"an empty token":           {map[string]string{"": listPage(keys[:1000], on(""))}, -1},
		"a token again":            {map[string]string{"": listPage(keys[:1000], on("a")), "a": listPage(keys[1000:2000], on("a"))}, -1},
		"tokens in a ring":         {map[string]string{"": listPage(keys[:10], on("a")), "a": listPage(nil, on("b")), "b": listPage(nil, on("a"))}, -1},
		"no word about its end":    {map[string]string{"": listPage(keys[:1000], "")}, -1},
		"no token on a later page": {map[string]string{"": listPage(keys[:1000], on("a")), "a": listPage(keys[1000:2000], "<IsTruncated>true</IsTruncated>")}, -1},
		"another document":         {map[string]string{"": "<html><body>It works</body></html>"}, -1},
		"an empty answer":          {map[string]string{"": ""}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listing(t, "continuation-token", c.pages)
			list, err := s.List(t.Context(), "shop/plans/")
			wantListed(t, "List", len(list), err, c.want)
			after, err := s.ListAfter(t.Context(), "shop/plans/", "shop/plans/")
			wantListed(t, "ListAfter", len(after), err, c.want)
			described, err := s.Describe(t.Context(), "shop/plans/")
			wantListed(t, "Describe", len(described), err, c.want)
			if _, err := s.Folders(t.Context(), "shop/plans/"); (err != nil) != (c.want < 0) {
				t.Errorf("Folders: %v", err)
			}
		})
	}
}

// TestVersionsInPages is TestListsInPages for the versions of an object.
func TestVersionsInPages(t *testing.T) {
	t.Parallel()
	keys := slices.Repeat([]string{"shop/state"}, 10)
	on := func(marker string) string {
		return "<IsTruncated>true</IsTruncated><NextKeyMarker>" + marker + "</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker>"
	}
	for name, c := range map[string]struct {
		pages map[string]string // by marker
		want  int
	}{
		"two pages":        {map[string]string{"": versionsPage(keys, on("shop/state")), "shop/state": versionsPage(keys, "<IsTruncated>false</IsTruncated>")}, 20},
		"no marker":        {map[string]string{"": versionsPage(keys, "<IsTruncated>true</IsTruncated>")}, -1},
		"the marker again": {map[string]string{"": versionsPage(keys, on("shop/state")), "shop/state": versionsPage(keys, on("shop/state"))}, -1},
		"no word":          {map[string]string{"": versionsPage(keys, "")}, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			versions, err := listing(t, "key-marker", c.pages).Versions(t.Context(), "shop/state")
			wantListed(t, "Versions", len(versions), err, c.want)
		})
	}
}

func wantListed(t *testing.T, function string, got int, err error, want int) {
	t.Helper()
	if (err != nil) != (want < 0) || err == nil && got != want {
		t.Errorf("%s: %d, %v; want %d", function, got, err, want)
	}
}

// listing is a bucket that answers lists with these pages, by a parameter of the query.
func listing(t *testing.T, parameter string, pages map[string]string) *store.S3 {
	t.Helper()
	fake := newFakeS3(t, true)
	fake.before = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, pages[r.URL.Query().Get(parameter)])
		return true
	}
	s, err := store.NewS3(t.Context(), store.S3Options{Bucket: fakeBucket, Lookup: lookup(fake.environ())})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFirstOfAList: the first key is that of all keys, also where a server does not list in order,
// and an answer that is no list is an error.
func TestFirstOfAList(t *testing.T) {
	t.Parallel()
	const end = "<IsTruncated>false</IsTruncated>"
	on := func(token string) string {
		return "<IsTruncated>true</IsTruncated><NextContinuationToken>" + token + "</NextContinuationToken>"
	}
	for name, c := range map[string]struct {
		pages map[string]string // by token
		want  string            // "error" for one
	}{
		"in order":         {map[string]string{"": listPage([]string{"shop/plans/1", "shop/plans/2"}, on("a"))}, "shop/plans/1"},
		"an empty page":    {map[string]string{"": listPage(nil, on("a")), "a": listPage([]string{"shop/plans/3"}, end)}, "shop/plans/3"},
		"no valid key":     {map[string]string{"": listPage([]string{"shop/plans/", "shop/plans//x"}, end)}, ""},
		"not in order":     {map[string]string{"": listPage([]string{"shop/plans/5", "shop/plans/4"}, on("a")), "a": listPage([]string{"shop/plans/1"}, end)}, "shop/plans/1"},
		"on another page":  {map[string]string{"": listPage([]string{"shop/plans/"}, on("a")), "a": listPage([]string{"shop/plans/9", "shop/plans/8"}, end)}, "shop/plans/8"},
		"none":             {map[string]string{"": listPage(nil, end)}, ""},
		"no token":         {map[string]string{"": listPage(nil, "<IsTruncated>true</IsTruncated>")}, "error"},
		"another document": {map[string]string{"": "<html><body>It works</body></html>"}, "error"},
		"an empty answer":  {map[string]string{"": ""}, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := listing(t, "continuation-token", c.pages).First(t.Context(), "shop/plans/")
			if (err != nil) != (c.want == "error") || err == nil && got != c.want {
				t.Errorf("%q %v, want %q", got, err, c.want)
			}
		})
	}
}
