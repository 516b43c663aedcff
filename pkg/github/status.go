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
	all, err := c.combined(ctx, statusesOf(slug, sha))
	return all.List, err
}

// CommitStatuses is Statuses with the repository that the commit is in, which the same
// answer names: its present spelling and its id, and its custom properties where the answer
// has them.
func (c *Client) CommitStatuses(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA) (pipeline.CommitStatuses, error) {
	k := statusesOf(slug, sha)
	all, err := c.combined(ctx, k)
	if err != nil {
		return pipeline.CommitStatuses{}, err
	}
	if all.Repository.ID <= 0 || all.Repository.Name == "" {
		return pipeline.CommitStatuses{}, k.fail(errors.New("the answer lacks the repository"))
	}
	return all, nil
}

func statusesOf(slug pipeline.Slug, sha pipeline.SHA) call {
	return get(slug, "read the statuses of commit "+sha.Short(), "/repos/{owner}/{repo}/commits/{ref}/status", string(sha))
}

// combined reads all pages of the combined status. The repository is zero where the
// answer names none.
func (c *Client) combined(ctx context.Context, k call) (pipeline.CommitStatuses, error) {
	var all pipeline.CommitStatuses
	seen := map[string]bool{}
	err := c.pages(ctx, k, func(raw json.RawMessage) (bool, error) {
		var page struct {
			Statuses   []statusResponse   `json:"statuses"`
			Repository repositoryResponse `json:"repository"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return false, err
		}
		if name, err := pipeline.ParseSlug(page.Repository.FullName); err == nil {
			all.Repository = pipeline.Repository{Slug: name, ID: page.Repository.ID}
			if all.Properties = (pipeline.Properties{}); len(page.Repository.CustomProperties) > 0 { // an answer without them says nothing
				all.Properties = knownProperties(page.Repository.CustomProperties)
			}
		}
		for _, s := range page.Statuses {
			// Contexts compare without regard to case.
			if key := strings.ToLower(s.Context); !seen[key] {
				seen[key] = true
				all.List = append(all.List, s.status())
			}
		}
		return true, nil
	})
	return all, err
}

// SetStatus writes a status, unless it is among known: the newest status of each
// context, as the caller has read them. The description is made acceptable first: one
// line of at most 140 characters, none of which is outside Unicode's basic plane.
func (c *Client) SetStatus(ctx context.Context, slug pipeline.Slug, sha pipeline.SHA, s pipeline.Status, known []pipeline.Status) error {
	k := write(http.MethodPost, slug, fmt.Sprintf("set the status %s on commit %s", s.Context, sha.Short()),
		"/repos/{owner}/{repo}/statuses/{sha}", string(sha))
	s.Description = description(s.Description)
	if err := checkStatus(s); err != nil {
		return k.fail(err)
	}
	if contains(known, s) {
		return nil
	}
	in := github.RepoStatus{
		Context: &s.Context, State: github.String(string(s.State)), Description: &s.Description,
	}
	if s.TargetURL != "" {
		in.TargetURL = &s.TargetURL
	}
	var got statusResponse
	err := c.create(ctx, k, in, &got, func(ctx context.Context) (bool, error) {
		list, err := c.Statuses(ctx, slug, sha)
		return contains(list, s), err
	})
	if err == nil {
		c.noteLogin(got.Creator.Login)
	}
	return err
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
