package sources

import (
	"net/http"
	"net/url"
	"testing"
)

// TestNextLink: the next page is found however a server writes the header, and what cannot be read is no end.
func TestNextLink(t *testing.T) {
	t.Parallel()
	current := &url.URL{Scheme: "https", Host: "h.example", Path: "/api"}
	for header, want := range map[string]string{
		`<https://h.example/api?page=2>; rel="next"`:              "https://h.example/api?page=2",
		`<https://h.example/api?page=2>; rel="next last"`:         "https://h.example/api?page=2",
		`<https://h.example/api?page=2>; title="a;b,c"; rel=next`: "https://h.example/api?page=2",
		`<https://h.example/api?ids=1,2&page=2>; rel="next"`:      "https://h.example/api?ids=1,2&page=2",
		`<?page=1>; rel=prev, <?page=3> ; REL = "NEXT"`:           "https://h.example/api?page=3",
		`<?page=1>; rel="prev", <?page=9>; rel="last"`:            "",
		`<?page=2>; title="say \"next\""; rel="prev"`:             "",
		`?page=2; rel=next`:    "error",
		`<?page=2; rel=next`:   "error",
		`<?page=2>; rel="next`: "error",
	} {
		got := ""
		u, err := nextLink(current, http.Header{"Link": {header}})
		switch {
		case err != nil:
			got = "error"
		case u != nil:
			got = u.String()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	if v, err := textOf([]any{}); err != nil || v != "" {
		t.Errorf("an empty list is %q, %v", v, err)
	}
}
