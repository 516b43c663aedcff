package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxDescription is the length of a description of a status or a deployment.
const maxDescription = pipeline.StatusLimit

// Statuses lists the newest status of each context of a commit.
func (c *Client) Statuses(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA) ([]pipeline.Status, error) {
	k := get(slug, "read the statuses of commit "+sha.Short(), "/repos/{owner}/{repo}/commits/{ref}/status", string(sha))
	var all []pipeline.Status
	seen := map[string]bool{}
	err := c.pages(ctx, k, func(raw json.RawMessage) (bool, error) {
		var page struct {
			Statuses []statusResponse `json:"statuses"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return false, err
		}
		for _, s := range page.Statuses {
			// Contexts compare without regard to case.
			if key := strings.ToLower(s.Context); !seen[key] {
				seen[key] = true
				all = append(all, s.status())
			}
		}
		return true, nil
	})
	return all, err
}

// SetStatus writes a status, unless the newest one of its context is the same
// already. The description is made acceptable first: one line of at most 140
// characters, none of which is outside Unicode's basic plane.
func (c *Client) SetStatus(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA, s pipeline.Status) error {
	k := write(http.MethodPost, slug, fmt.Sprintf("set the status %s on commit %s", s.Context, sha.Short()),
		"/repos/{owner}/{repo}/statuses/{sha}", string(sha))
	s.Description = description(s.Description)
	if err := checkStatus(s); err != nil {
		return k.fail(err)
	}
	if there, err := c.isThere(ctx, slug, sha, s); err != nil || there {
		return err
	}
	in := github.RepoStatus{
		Context: &s.Context, State: github.String(string(s.State)), Description: &s.Description,
	}
	if s.TargetURL != "" {
		in.TargetURL = &s.TargetURL
	}
	err := c.create(ctx, k, in, nil, func(ctx context.Context) (bool, error) {
		list, err := c.Statuses(ctx, slug, sha)
		return contains(list, s), err
	})
	c.noteStatus(slug, sha, s, err)
	return err
}

// isThere reports whether the newest status of the context is s already.
//
// A report sets all statuses of a commit one after the other, so the list is read
// once for all of them. Another job may write in between: then an older list can
// cause a status to be written twice, which does no harm. What must not happen is
// that one is left out for a list that is no longer true, so that takes a fresh
// one, of the same age as an answer that was on its way.
func (c *Client) isThere(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA, s pipeline.Status) (bool, error) {
	now := c.transport.now()
	if list, age, known := c.statusesOf(slug, sha, now); known {
		if there := contains(list, s); !there || age >= 0 && age < freshStatuses {
			return there, nil
		}
	}
	list, err := c.Statuses(ctx, slug, sha)
	if err != nil {
		return false, err
	}
	c.keepStatuses(slug, sha, list, now)
	return contains(list, s), nil
}

func contains(list []pipeline.Status, s pipeline.Status) bool {
	for _, o := range list {
		if strings.EqualFold(o.Context, s.Context) && o.State == s.State && o.Description == s.Description && o.TargetURL == s.TargetURL {
			return true
		}
	}
	return false
}

func checkStatus(s pipeline.Status) error {
	switch s.State {
	case pipeline.StatusPending, pipeline.StatusSuccess, pipeline.StatusFailure, pipeline.StatusError:
	default:
		return fmt.Errorf("unknown state %q", s.State)
	}
	if s.Context == "" {
		return errors.New("the context is empty")
	}
	return checkLink(s.TargetURL)
}

// checkLink refuses what GitHub would: links that are not http(s).
func checkLink(link string) error {
	if link == "" {
		return nil
	}
	u, err := url.Parse(link)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return fmt.Errorf("%q is not an http(s) link", link)
	}
	return nil
}

// description fits a text to the rules of statuses and deployments. Beside the
// length GitHub refuses characters that need four bytes ("description doesn't
// accept 4-byte Unicode").
func description(s string) string {
	s = strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return '\uFFFD'
		}
		return r
	}, s)
	return oneLine(s, maxDescription)
}
