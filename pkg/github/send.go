package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"
)

// send performs one call; in and out are JSON values or nil. Errors are *Error.
func (c *Client) send(ctx context.Context, k call, in, out any) (*github.Response, error) {
	path, err := k.path()
	if err != nil {
		return nil, k.fail(err)
	}
	// An Enterprise server has REST at /api/v3/ and GraphQL at /api/graphql.
	if k.graphQL() && strings.HasSuffix(c.api.BaseURL.Path, "/api/v3/") {
		path = "../" + path
	}
	req, err := c.api.NewRequest(k.method, path, in)
	if err != nil {
		return nil, k.fail(err)
	}
	resp, err := c.api.Do(withCall(ctx, k), req, out)
	if err != nil {
		return resp, c.explain(k, resp, err)
	}
	return resp, nil
}

// maxPages stops a listing that never ends: 100 pages of 100 entries.
const maxPages = 100

// pages fetches every page of k and hands each to add, which decodes it and
// says whether it wants another one.
func (c *Client) pages(ctx context.Context, k call, add func(json.RawMessage) (more bool, err error)) error {
	if k.query == nil {
		k.query = url.Values{}
	}
	k.query.Set("per_page", "100")
	for page := 1; page <= maxPages; {
		k.query.Set("page", fmt.Sprint(page))
		var raw json.RawMessage
		resp, err := c.send(ctx, k, nil, &raw)
		if err != nil {
			return err
		}
		more, err := add(raw)
		if err != nil {
			return k.fail(fmt.Errorf("decode page %d of the answer: %w", page, err))
		}
		if !more || resp.NextPage == 0 {
			return nil
		}
		if resp.NextPage <= page {
			return k.fail(fmt.Errorf("page %d names page %d as the next one", page, resp.NextPage))
		}
		page = resp.NextPage
	}
	return k.fail(errors.New("the answer has more than 10,000 entries"))
}

// collect fetches every page of a plain JSON list.
func collect[T any](ctx context.Context, c *Client, k call) ([]T, error) {
	var all []T
	err := c.pages(ctx, k, func(raw json.RawMessage) (bool, error) {
		var page []T
		err := json.Unmarshal(raw, &page)
		if err == nil && page == nil {
			err = errors.New("it is null, and no list")
		}
		all = append(all, page...)
		return true, err
	})
	return all, err
}
