package sources

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// openHTTP reads a list of JSON, page by page.
func openHTTP(c sourcesync.SourceConfig, o Options) (sourcesync.Source, error) {
	w, err := newWeb(c, o)
	if err != nil {
		return nil, err
	}
	if c.TokenEnv != "" {
		token, err := o.secret(c.TokenEnv)
		if err != nil {
			return nil, err
		}
		header, value := "Authorization", "Bearer "+token
		if c.TokenHeader != "" {
			header, value = c.TokenHeader, token
		}
		w.authorize = func(r *http.Request) { r.Header.Set(header, value) }
	}
	return whole(func(ctx context.Context) ([]sourcesync.Record, error) {
		return (&httpReader{web: w, config: c}).all(ctx)
	}), nil
}

type httpReader struct {
	*web
	config sourcesync.SourceConfig
}

// rounds is how often a list is read that changes while it is read.
const rounds = 3

var errChanges = errors.New("it changes while it is read: try again later")

// all reads all pages. Where the server names the version of the first page, that must still be it at the end.
func (h *httpReader) all(ctx context.Context) ([]sourcesync.Record, error) {
	for range rounds {
		all, etag, pages, err := h.once(ctx)
		if err != nil || pages == 1 || etag == "" {
			return all, err
		}
		again, err := h.get(ctx, h.base, etag)
		if err != nil {
			return nil, err
		}
		if again.status == http.StatusNotModified || again.header.Get("ETag") == etag {
			return all, nil
		}
	}
	return nil, errChanges
}

func (h *httpReader) once(ctx context.Context) (all []sourcesync.Record, etag string, pages int, err error) {
	seen := map[string]bool{}
	total := -1
	for next := h.base; next != nil; {
		if seen[next.String()] || pages == maxPages {
			return nil, "", 0, errors.New("its pages do not end: it names one again, or more than 10000")
		}
		seen[next.String()] = true
		a, err := h.get(ctx, next, "")
		if err != nil {
			return nil, "", 0, err
		}
		if pages++; pages == 1 {
			etag = a.header.Get("ETag")
		}
		rows, err := rowsOf(h.config, a.body, fmt.Sprintf("page %d, ", pages))
		if err != nil {
			return nil, "", 0, fmt.Errorf("page %d: %w", pages, err)
		}
		if all = append(all, rows...); len(all) > sourcesync.MaxRows {
			return nil, "", 0, errTooMany
		}
		if total, err = h.total(a.body, total); err != nil {
			return nil, "", 0, err
		}
		if next, err = h.next(next, a); err != nil {
			return nil, "", 0, err
		}
	}
	if total >= 0 && total != len(all) {
		return nil, "", 0, fmt.Errorf("it says that it has %d rows, and gave %d", total, len(all))
	}
	return all, etag, pages, nil
}

// total is how many rows there are in all, as each page says; -1 where none has to.
func (h *httpReader) total(body any, before int) (int, error) {
	if h.config.Total == "" {
		return -1, nil
	}
	v, _ := at(body, h.config.Total)
	text, err := textOf(v)
	n, parseErr := strconv.Atoi(text)
	switch {
	case err != nil || parseErr != nil || n < 0:
		return 0, fmt.Errorf("a page does not say in %s how many rows there are", h.config.Total)
	case before >= 0 && n != before:
		return 0, errChanges
	}
	return n, nil
}

// next is the address of the next page; nil: there is none.
func (h *httpReader) next(current *url.URL, a answer) (*url.URL, error) {
	if h.config.Next == "" {
		return nextLink(current, a.header)
	}
	v, _ := at(a.body, h.config.Next)
	cursor, err := textOf(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.config.Next, err)
	}
	if cursor == "" {
		return nil, nil
	}
	if h.config.NextParameter == "" {
		u, err := current.Parse(cursor)
		if err != nil {
			return nil, errors.New("the address of its next page is none")
		}
		return u, nil
	}
	u := *h.base
	query := u.Query()
	query.Set(h.config.NextParameter, cursor)
	u.RawQuery = query.Encode()
	return &u, nil
}
