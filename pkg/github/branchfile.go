package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// BranchFile reads a regular file of at most 1 MiB at the head of a branch, empty
// for the default one, in one call. It is for looking only: where the path is a
// symbolic link GitHub answers with what that leads to, and only File can distinguish the two.
// Errors are those of File.
func (c *Client) BranchFile(ctx context.Context, slug pipeline.Slug, branch, name string) (pipeline.File, error) {
	k := get(slug, fmt.Sprintf("read %s at branch %q", name, branch), "/repos/{owner}/{repo}/contents/{+path}", name)
	if branch != "" {
		k.query = url.Values{"ref": {branch}}
	}
	var raw json.RawMessage
	resp, err := c.send(ctx, k, nil, &raw)
	if err != nil {
		return pipeline.File{}, err
	}
	file, err := decodeFile(raw, name)
	if err != nil {
		return pipeline.File{}, k.fail(err)
	}
	file.Moved = resp.Request != nil && resp.Request.Response != nil // it was redirected
	return file, nil
}

// Cause is one word for what went wrong: "rate-limit", "permission", "repository"
// where the asked thing does not exist or has moved, or "" for everything else.
func (e *Error) Cause() string {
	var limit *limitError
	var none *unauthorizedError // the App has no token for that repository
	switch {
	case errors.Is(e.Err, errMoved):
		return "repository"
	case errors.As(e.Err, &limit), e.Status == http.StatusTooManyRequests:
		return "rate-limit"
	case errors.As(e.Err, &none), e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return "permission"
	case pipeline.NotVisible(e.Err), pipeline.Gone(e.Err), e.Status == http.StatusMovedPermanently, e.Status == http.StatusPermanentRedirect, e.Status == http.StatusTemporaryRedirect:
		return "repository"
	}
	return ""
}
