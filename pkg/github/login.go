package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
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
	answer, err := c.ask(ctx, newQuery("ask who the App's token belongs to"), "query{viewer{login}}", nil)
	var refused *Error
	if errors.As(err, &refused) && refused.answered() {
		return actionsLogin, nil
	}
	if err != nil {
		return "", err
	}
	var got accountResponse
	if err := json.Unmarshal(answer.Data["viewer"], &got); err != nil || got.Login == "" {
		return actionsLogin, nil
	}
	return got.Login, nil
}

// answered reports whether GitHub understood the token and said no: with a status, or
// with the problem of a query.
func (e *Error) answered() bool {
	var p *graphQLProblem
	return errors.As(e.Err, &p) || e.Status >= 400 && e.Status < 500 && e.Status != http.StatusUnauthorized && !isLimit(e)
}
