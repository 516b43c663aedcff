package github

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// actionsLogin is who writes when a job uses its own GITHUB_TOKEN.
const actionsLogin = "github-actions[bot]"

// Login returns the login under which this token writes, which distinguishes our own
// comments from those of others. The answer is Remembered.
//
// Tokens of Apps, and so the GITHUB_TOKEN of a job, may not ask who they are
// (403 "Resource not accessible by integration"). GraphQL's viewer has them;
// where there is no GraphQL either, the token is taken to be a GITHUB_TOKEN.
func (c *Client) Login(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.login != "" {
		return c.login, nil
	}
	if c.app != nil {
		login, err := c.app.login(ctx)
		c.login = login
		return login, err
	}
	k := call{op: "ask who the token belongs to", method: http.MethodGet, route: "/user", repeatable: true}
	var got accountResponse
	_, err := c.send(ctx, k, nil, &got)
	var refused *Error
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusForbidden && !isLimit(err):
		c.login, err = c.viewer(ctx)
	case err == nil && got.Login == "":
		err = k.fail(errors.New("the answer lacks the login"))
	case err == nil:
		c.login = got.Login
	}
	return c.login, err
}

// noteLogin remembers whom GitHub names as the author of what was just written, so that
// Login need not ask.
func (c *Client) noteLogin(login string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.login == "" {
		c.login = login
	}
}

func (c *Client) viewer(ctx context.Context) (string, error) {
	k := call{op: "ask who the App's token belongs to", method: http.MethodPost, route: "/graphql", repeatable: true, harmless: true}
	// An Enterprise server has REST at /api/v3/ and GraphQL at /api/graphql.
	path := "graphql"
	if strings.HasSuffix(c.transport.host.Path, "/api/v3/") {
		path = "../graphql"
	}
	in := struct {
		Query string `json:"query"`
	}{"query{viewer{login}}"}
	var got struct {
		Data struct {
			Viewer struct {
				Login string `json:"login"`
			} `json:"viewer"`
		} `json:"data"`
	}
	req, err := c.api.NewRequest(k.method, path, in)
	if err != nil {
		return "", k.fail(err)
	}
	resp, err := c.api.Do(withCall(ctx, k), req, &got)
	if err != nil {
		if resp != nil && resp.Response != nil && resp.StatusCode < 500 && resp.StatusCode != http.StatusUnauthorized {
			return actionsLogin, nil
		}
		return "", c.explain(k, resp, err)
	}
	if got.Data.Viewer.Login == "" {
		return actionsLogin, nil
	}
	return got.Data.Viewer.Login, nil
}
